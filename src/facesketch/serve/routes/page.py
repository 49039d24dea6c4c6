"""The page: a fixed list of files from the package, read once; no name from a request ever becomes a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from facesketch.serve.problems import ProblemError

INDEX = "index.html"
FOLDER = Path(__file__).parents[1] / "page"
_HTML, _CSS = "text/html; charset=utf-8", "text/css; charset=utf-8"
_SCRIPT, _PICTURE = "text/javascript; charset=utf-8", "image/svg+xml"
FILES = {
    "index.html": _HTML,
    "astronaut.jpg": "image/jpeg",  # Eileen Collins, photographed by NASA, in the public domain
    "favicon.svg": _PICTURE,
    "icons.svg": _PICTURE,
    "style.css": _CSS,
    "views.css": _CSS,
    **dict.fromkeys(
        (
            *("api.js", "app.js", "camera.js", "chart.js", "choices.js", "compare.js", "dom.js", "draw.js", "films.js"),
            *("intake.js", "latest.js", "paper.js", "pen.js", "queue.js", "runs.js", "search.js", "slider.js"),
            *("theme.js", "token.js", "translate.js", "zip.js"),
        ),
        _SCRIPT,
    ),
}
"""The files of the page with their media types; no other file is served."""


@dataclass(frozen=True)
class _File:
    content: bytes
    type: str
    tag: str


def _read(name: str) -> _File:
    content = (FOLDER / name).read_bytes()
    return _File(content, FILES[name], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def page() -> APIRouter:
    """Return the routes of the page."""
    router, files = APIRouter(include_in_schema=False), {name: _read(name) for name in FILES}

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return _answer(request, files[INDEX])

    @router.api_route("/page/{name}", methods=["GET", "HEAD"])
    async def file(request: Request, name: str) -> Response:
        return _answer(request, files.get(name))

    return router


def _answer(request: Request, file: _File | None) -> Response:
    if file is None:
        raise ProblemError(404, "There is no such file.", "The page is at /.")
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.type, headers=headers)
