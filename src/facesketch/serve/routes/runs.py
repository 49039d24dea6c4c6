"""`/v1/runs`: how trainings go."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from facesketch.serve.problems import ProblemError, documented, file_answer
from facesketch.serve.runs import Shelf
from facesketch.serve.schemas import Run, RunDetails
from facesketch.serve.service import Service, service_of

router = APIRouter()
_Name = Annotated[str, Path(min_length=1, max_length=4096)]


@router.get("/v1/runs", operation_id="runs", summary="List the trainings", responses=documented(404, 429, 504))
async def runs(request: Request) -> list[Run]:
    """Answer with the trainings, the one that wrote last first."""
    service = service_of(request)
    shelf = _shelf(service)
    with service.desk.ticket() as ticket:
        return await service.within(request, service.workshop.thread(ticket, shelf.runs))


@router.get("/v1/runs/{name}", operation_id="run", summary="One training", responses=documented(404, 422, 429, 504))
async def run(request: Request, name: _Name) -> RunDetails:
    """Answer with a training's settings, curves and samples."""
    service = service_of(request)
    shelf = _shelf(service)
    with service.desk.ticket() as ticket:
        return await service.within(request, service.workshop.thread(ticket, shelf.details, name))


@router.get(
    "/v1/runs/{name}/samples/{epoch}",
    operation_id="run_sample",
    summary="A sample sheet of a training",
    response_class=Response,
    responses=file_answer("A PNG.", "image/png") | documented(404, 422, 429, 504),
)
async def sample(request: Request, name: _Name, epoch: Annotated[int, Path(ge=0, le=10**9)]) -> Response:
    """Answer with the sample sheet of an epoch."""
    service = service_of(request)
    shelf = _shelf(service)
    with service.desk.ticket() as ticket:
        content = await service.within(request, service.workshop.thread(ticket, shelf.sample, name, epoch))
    return Response(content, media_type="image/png")


def _shelf(service: Service) -> Shelf:
    if service.shelf is None:
        raise ProblemError(
            404, "This server shows no trainings.", "Start it with --runs and the folder of the trainings."
        )
    return service.shelf
