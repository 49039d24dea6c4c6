"""Everything that can go wrong, as one kind of answer: a plain sentence and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from facesketch.config import explain
from facesketch.errors import ConfigError, FaceError, FacesketchError, ImageError


class Problem(BaseModel):
    """Why there is no other answer."""

    error: str
    """One plain sentence."""
    hint: str
    """What to do."""


class ProblemError(Exception):
    """An answer that is not what was asked for.

    Args:
        status: the HTTP status.
        error: what is wrong.
        hint: what to do.
        headers: further headers.
    """

    def __init__(self, status: int, error: str, hint: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.problem, self.headers = status, Problem(error=error, hint=hint), dict(headers or {})

    def response(self) -> JSONResponse:
        """Return it as an answer."""
        return JSONResponse(self.problem.model_dump(), self.status, self.headers)


_MEANINGS = {
    400: "The picture or a field cannot be used.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent this.",
    404: "There is no such thing here.",
    406: "None of the kinds that were asked for can be given.",
    408: "The upload did not arrive in time.",
    413: "The upload has too many bytes, or the picture too many pixels.",
    415: "The upload is not a picture, or not multipart/form-data.",
    422: "A field is missing, unknown or out of range, or the picture takes too much time or memory to decode.",
    429: "Too many requests are waiting; `Retry-After` says when to come again.",
    503: "The server is stopping.",
    504: "It took longer than the time limit.",
}

_HINTS = {
    404: "See /v1/openapi.json for what there is.",
    405: "See /v1/openapi.json for what there is.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what an operation's documentation says of the ways in which it fails."""
    return {
        status: {"model": Problem, "description": _MEANINGS[status]} | _headers(status)
        for status in sorted({401, 503, *statuses})
    }


def file_answer(description: str, *media: str) -> dict[int | str, dict[str, Any]]:
    """Return what an operation's documentation says of an answer that is a file."""
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in media}
    return {200: {"description": description, "content": content}}


def _headers(status: int) -> dict[str, Any]:
    if status not in {429, 503}:
        return {}
    return {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}}


def told(error: FacesketchError) -> ProblemError:
    """Return a user's mistake as an answer."""
    seen = error.seen.removeprefix("picture: ").removeprefix("probe: ")
    return ProblemError(400, _sentence(seen), _sentence(error.hint or "try another picture"))


def plain(notice: str) -> str:
    """Return a notice without what to type and where to look, which is for whoever runs the server."""
    return "; ".join(part.partition(": ")[0] for part in notice.split("; "))


def invalid(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    """Return fields that do not hold what they should as an answer."""
    return ProblemError(
        422, _sentence(explain(error, model)), "See /v1/openapi.json for the fields and what they hold."
    )


def unexpected() -> ProblemError:
    """Return the answer to a request that met a mistake of ours."""
    return ProblemError(500, "Something went wrong on the server.", "Try again; if it stays so, tell whoever runs it.")


def stopping() -> ProblemError:
    """Return the answer to a request that comes, or is still at work, when the server ends."""
    headers = {"Retry-After": "5", "Connection": "close"}
    return ProblemError(503, "The server is stopping.", "Try again in a moment.", headers)


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def answer_problems(app: FastAPI) -> None:
    """Make every failure of an application a `Problem`."""

    @app.exception_handler(ProblemError)
    async def _refused(_: Request, error: ProblemError) -> JSONResponse:
        return error.response()

    # other errors, of a full disk or a torn gallery, are for whoever runs the server, whose folders they name
    @app.exception_handler(ImageError)
    @app.exception_handler(FaceError)
    @app.exception_handler(ConfigError)
    async def _mistaken(_: Request, error: FacesketchError) -> JSONResponse:
        return told(error).response()

    @app.exception_handler(RequestValidationError)
    async def _misread(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return ProblemError(422, _sentence(f"{where}: {first['msg'].lower()}"), "See /v1/openapi.json.").response()

    @app.exception_handler(Exception)
    async def _crashed(_: Request, __: Exception) -> JSONResponse:
        return unexpected().response()

    @app.exception_handler(HTTPException)
    async def _plain(_: Request, error: HTTPException) -> JSONResponse:
        hint = _HINTS.get(error.status_code, "Try again.")
        return ProblemError(error.status_code, _sentence(str(error.detail)), hint, error.headers).response()
