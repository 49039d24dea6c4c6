"""`/v1/translate` and `/v1/models`: pictures in, pictures out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from facesketch.serve.codec import MEDIA, acceptable
from facesketch.serve.problems import documented, file_answer
from facesketch.serve.schemas import Model, Translated, TranslateForm, multipart
from facesketch.serve.service import ServiceOf
from facesketch.serve.translating import HEADERS

router = APIRouter()
_HEADERS = {name: {"schema": {"type": "string"}, "required": not name.endswith("Style")} for name in HEADERS}
_ANSWERS = file_answer(
    "The translation, in the format that `Accept` prefers.", MEDIA["png"], MEDIA["jpeg"], MEDIA["webp"]
)
_ANSWERS[200] |= {"model": Translated, "headers": _HEADERS}


@router.post(
    "/v1/translate",
    operation_id="translate",
    summary="Translate a photo into a sketch, or a sketch into a photo",
    response_class=Response,
    responses=_ANSWERS | documented(400, 403, 406, 408, 413, 415, 422, 429, 504),
    openapi_extra=multipart(TranslateForm),
)
async def translate(request: Request, service: ServiceOf) -> Response:
    """Return the translation of the picture sent as `file`."""
    with service.admission.admit() as ticket:
        (data,), form = await service.received(request, TranslateForm, ticket)
        kind = acceptable(request.headers.get("accept", ""))
        work = service.translator.translate(data, form, kind, ticket)
        content, headers = await service.within(request, work)
    headers |= {"Vary": "Accept"}
    if isinstance(content, Translated):
        return JSONResponse(content.model_dump(), headers=headers)
    return Response(content, media_type=MEDIA[kind], headers=headers)


@router.get("/v1/models", operation_id="models", summary="List the models", responses=documented())
async def models(service: ServiceOf) -> list[Model]:
    """Return the models, the default first."""
    return [each.about for each in service.translator.catalogue]
