"""`/v1/runs`: the progress of trainings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from facesketch.serve.problems import ProblemError, documented, file_answer
from facesketch.serve.runs import RunStore
from facesketch.serve.schemas import Run, RunDetails
from facesketch.serve.service import ServiceOf

router = APIRouter()


async def _store(service: ServiceOf) -> RunStore:
    if service.run_store is None:
        raise ProblemError(
            404,
            "This server shows no trainings.",
            "The person who runs the server can start it with a folder of trainings.",
        )
    return service.run_store


_Store = Annotated[RunStore, Depends(_store)]
_Name = Annotated[str, Path(min_length=1, max_length=4096)]


@router.get("/v1/runs", operation_id="runs", summary="List the trainings", responses=documented(404, 429, 504))
async def runs(request: Request, service: ServiceOf, store: _Store) -> list[Run]:
    """Return the trainings; the one that wrote last comes first."""
    return await service.in_thread(request, service.translator.threads, store.runs)


@router.get("/v1/runs/{name}", operation_id="run", summary="One training", responses=documented(404, 422, 429, 504))
async def run(request: Request, name: _Name, service: ServiceOf, store: _Store) -> RunDetails:
    """Return a training's settings, curves and samples."""
    return await service.in_thread(request, service.translator.threads, store.details, name)


@router.get(
    "/v1/runs/{name}/samples/{epoch}",
    operation_id="run_sample",
    summary="A sample sheet of a training",
    response_class=Response,
    responses=file_answer("A PNG.", "image/png") | documented(404, 422, 429, 504),
)
async def sample(
    request: Request, name: _Name, epoch: Annotated[int, Path(ge=0, le=10**9)], service: ServiceOf, store: _Store
) -> Response:
    """Return the sample sheet of an epoch."""
    content = await service.in_thread(request, service.translator.threads, store.sample, name, epoch)
    return Response(content, media_type="image/png")
