"""The application: routes, documentation, failures and the guard around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from facesketch import __version__
from facesketch.serve.catalogue import Catalogue, load_catalogue
from facesketch.serve.middleware import Gate, Guard
from facesketch.serve.multipart import GoneError
from facesketch.serve.problems import answer_problems
from facesketch.serve.routes import runs as training
from facesketch.serve.routes import search as searching
from facesketch.serve.routes import status
from facesketch.serve.routes import translate as translating
from facesketch.serve.routes.page import page
from facesketch.serve.searcher import SearchedFor, open_gallery
from facesketch.serve.service import Service
from facesketch.serve.settings import Settings, check

_TITLE, _ABOUT = "facesketch", "Face photo to artist's sketch, and sketch to photo. Nothing that is sent is kept."
_EXPOSED = [f"X-Facesketch-{name}" for name in ("Direction", "Model", "Style", "Kind")] + ["Retry-After"]
_NOBODY_WAITS = 499
# FastAPI can report to collectors that environment variables name; nothing leaves this machine
_SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def build(settings: Settings, catalogue: Catalogue | None = None, gallery: SearchedFor | None = None) -> Guard:
    """Return the application of a server.

    Args:
        settings: what it serves, and to whom.
        catalogue: models to serve instead of those that the settings name.
        gallery: a gallery to search in instead of the one that the settings name.

    Raises:
        ConfigError: other machines would be let in and nobody said that they may.
        CheckpointError: a model is missing, torn or foreign.
        FacesketchError: the gallery cannot be opened.
    """
    check(settings)
    if gallery is None and settings.gallery is not None:
        gallery = open_gallery(settings.gallery, query_log=settings.query_log)
    service = Service.build(settings, catalogue or load_catalogue(settings), gallery)
    inner: ASGIApp = Gate(_application(service), settings)
    if settings.cors:
        inner = CORSMiddleware(
            inner,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization"],
            expose_headers=_EXPOSED,
        )
    return Guard(inner, service.meters)


def _application(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title=_TITLE,
        description=_ABOUT,
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its script would come from another host
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=_SILENT,
    )
    app.state.service = service
    answer_problems(app)

    @app.exception_handler(GoneError)
    async def _gone(_: Request, __: GoneError) -> Response:
        return Response(status_code=_NOBODY_WAITS)

    for router in (page(), translating.router, searching.router, training.router, status.router):
        app.include_router(router)
    _complete(app)
    return app


def _complete(app: FastAPI) -> None:
    """Make FastAPI do now what it would do at the first request for each route, and for the documentation.

    It hides warnings meanwhile, and so does Pillow's part in the threads; hiding is not safe between threads.
    """
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})
    app.openapi()
