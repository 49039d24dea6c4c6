"""`/v1/health` and `/v1/metrics`: how the server is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from facesketch import __version__
from facesketch.serve.problems import documented, file_answer
from facesketch.serve.prometheus import TYPE
from facesketch.serve.schemas import Bounds, Health
from facesketch.serve.service import service_of

router = APIRouter()


@router.get("/v1/health", operation_id="health", summary="How the server is", responses=documented())
async def health(request: Request) -> Health:
    """Answer with how the server is, and what an upload may have."""
    service = service_of(request)
    limits = service.settings.limits
    return Health(
        status="ok",
        version=__version__,
        models=[each.id for each in service.workshop.catalogue],
        gallery=None if service.searcher is None else service.searcher.count,
        runs=service.shelf is not None,
        queue=service.desk.taken,
        limits=Bounds(bytes=limits.upload, pixels=limits.pixels),
    )


@router.get(
    "/v1/metrics",
    operation_id="metrics",
    summary="Counts and times, for Prometheus",
    response_class=Response,
    responses=file_answer("Text.", TYPE) | documented(),
)
async def metrics(request: Request) -> Response:
    """Answer with counts and times in Prometheus' text format."""
    service = service_of(request)
    now = {
        "facesketch_queue": ("Requests being received, waiting or worked on.", float(service.desk.taken)),
        "facesketch_queue_bytes": ("Bytes of their uploads.", float(service.desk.held)),
        "facesketch_network_waiting": ("Pictures that wait for a network.", float(service.workshop.waiting)),
    }
    return Response(service.meters.text(now), media_type=TYPE)
