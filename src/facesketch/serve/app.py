"""The application: middleware, routes and their documentation."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from facesketch import __version__
from facesketch.serve.catalogue import Catalogue, load_catalogue
from facesketch.serve.middleware import CLIENT_GONE, AccessMiddleware, OuterMiddleware
from facesketch.serve.multipart import GoneError
from facesketch.serve.problems import answer_problems, document_media_type
from facesketch.serve.routes import runs, search, status, translate
from facesketch.serve.routes.page import page
from facesketch.serve.service import Service
from facesketch.serve.settings import Settings, check
from facesketch.serve.translating import HEADERS

if TYPE_CHECKING:
    from facesketch.search.gallery import Gallery

# environment variables can make FastAPI report to a collector, but nothing may leave this machine
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def build(settings: Settings, catalogue: Catalogue | None = None, gallery: Gallery | None = None) -> OuterMiddleware:
    """Return the application of a server.

    Args:
        settings: what it serves, and to whom.
        catalogue: models to serve instead of those in the settings.
        gallery: a gallery to search instead of the one in the settings.

    Raises:
        ConfigError: the settings are not safe to serve with.
        CheckpointError: a model file is missing, damaged or not a facesketch model.
        FacesketchError: the gallery cannot be opened.
    """
    check(settings)
    if gallery is None and settings.gallery is not None:
        from facesketch.search.gallery import Gallery

        gallery = Gallery(settings.gallery, create=False, query_log=settings.query_log)
        # raises here, not at the first search, if the gallery cannot be searched
        if notice := gallery.describer.notice:
            logging.getLogger("facesketch.serve").warning("%s", notice)
    service = Service(settings, catalogue or load_catalogue(settings), gallery)
    inner: ASGIApp = AccessMiddleware(_application(service), settings)
    if settings.cors:
        inner = CORSMiddleware(
            inner,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization"],
            expose_headers=[*HEADERS, "Retry-After"],
        )
    return OuterMiddleware(inner, service.metrics)


def _application(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="facesketch",
        description="Turns face photos into artists' sketches, and sketches into photos. Keeps nothing that you send.",
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its script would come from another host; /docs is a page of our own
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    answer_problems(app)

    @app.exception_handler(GoneError)
    async def _gone(_: Request, __: GoneError) -> Response:
        return Response(status_code=CLIENT_GONE)

    for router in (page(), translate.router, search.router, runs.router, status.router):
        app.include_router(router)
    # FastAPI would do both at the first requests and hide warnings meanwhile, which is not safe between threads
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})
    document_media_type(app.openapi())
    return app
