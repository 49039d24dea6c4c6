"""`/v1/search` and `/v1/gallery`: who in the gallery resembles a sketch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from facesketch.serve.problems import ProblemError, documented, file_answer
from facesketch.serve.schemas import GalleryInfo, Hits, SearchForm, multipart
from facesketch.serve.searcher import MOST, Searcher
from facesketch.serve.service import ServiceOf

router = APIRouter()


async def _searcher(service: ServiceOf) -> Searcher:
    if service.searcher is None:
        raise ProblemError(
            404, "This server has no gallery to search.", "The person who runs the server can start it with a gallery."
        )
    return service.searcher


_Searcher = Annotated[Searcher, Depends(_searcher)]


@router.post(
    "/v1/search",
    operation_id="search",
    summary="Find the photos that resemble a sketch",
    responses=documented(400, 403, 404, 408, 413, 415, 422, 429, 504),
    openapi_extra=multipart(SearchForm, MOST),
)
async def search(request: Request, service: ServiceOf, searcher: _Searcher) -> Hits:
    """Return the photos in the gallery that resemble the sketch sent as `file`. A hit is a lead, not proof.

    You can search with up to eight pictures of one person; send each as `file`.
    """
    with service.admission.admit() as ticket:
        pictures, form = await service.received(request, SearchForm, ticket, MOST)
        return await service.within(request, ticket.run(searcher.thread, searcher.search, pictures, form))


@router.get(
    "/v1/gallery", operation_id="gallery", summary="What the gallery holds", responses=documented(404, 429, 504)
)
async def gallery(request: Request, service: ServiceOf, searcher: _Searcher) -> GalleryInfo:
    """Return what the gallery holds."""
    return await service.in_thread(request, searcher.thread, searcher.info)


@router.get(
    "/v1/gallery/pictures/{name}",
    operation_id="gallery_picture",
    summary="The picture of a hit",
    response_class=Response,
    responses=file_answer("A small JPEG.", "image/jpeg") | documented(404, 422, 429, 504),
)
async def picture(
    request: Request, name: Annotated[str, Path(pattern="^[0-9a-f]{32}$")], service: ServiceOf, searcher: _Searcher
) -> Response:
    """Return the small JPEG of a hit from a recent search."""
    content = await service.in_thread(request, searcher.thread, searcher.picture, name)
    return Response(content, media_type="image/jpeg")
