"""The page: a list of files that come with the package, read once; no name from a request ever becomes a path."""

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
    "api.js": _SCRIPT,
    "app.js": _SCRIPT,
    "camera.js": _SCRIPT,
    "chart.js": _SCRIPT,
    "choices.js": _SCRIPT,
    "compare.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "draw.js": _SCRIPT,
    "favicon.svg": _PICTURE,
    "films.js": _SCRIPT,
    "hand.js": _SCRIPT,
    "icons.svg": _PICTURE,
    "index.html": _HTML,
    "intake.js": _SCRIPT,
    "latest.js": _SCRIPT,
    "paper.js": _SCRIPT,
    "queue.js": _SCRIPT,
    "runs.js": _SCRIPT,
    "search.js": _SCRIPT,
    "slider.js": _SCRIPT,
    "style.css": _CSS,
    "theme.js": _SCRIPT,
    "token.js": _SCRIPT,
    "translate.js": _SCRIPT,
    "views.css": _CSS,
    "zip.js": _SCRIPT,
}
"""All that the page is made of, with the types; a file that is not named here is not served."""


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
