"""`/v1/health` and `/v1/metrics`: the state of the server."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from facesketch import __version__
from facesketch.serve.problems import documented, file_answer
from facesketch.serve.prometheus import MEDIA
from facesketch.serve.schemas import Bounds, Health
from facesketch.serve.service import ServiceOf

router = APIRouter()


@router.get("/v1/health", operation_id="health", summary="State of the server", responses=documented())
async def health(service: ServiceOf) -> Health:
    """Return the state of the server and the limits on uploads."""
    limits = service.settings.limits
    return Health(
        status="ok",
        version=__version__,
        models=[each.about.id for each in service.translator.catalogue],
        gallery=None if service.searcher is None else service.searcher.count,
        runs=service.run_store is not None,
        queue=service.admission.active,
        limits=Bounds(bytes=limits.upload, pixels=service.translator.decoder.largest),
    )


@router.get(
    "/v1/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=file_answer("Text.", MEDIA) | documented(),
)
async def metrics(service: ServiceOf) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=MEDIA)
