"""Failures as `application/problem+json`: what was wrong and how to fix it, as in a `FacesketchError`."""

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

MEDIA = "application/problem+json"


class Problem(BaseModel):
    """What was wrong with a request, and how to fix it."""

    seen: str
    """What was wrong, in one sentence."""
    hint: str
    """How to fix it."""
    field: str | None = None
    """`align` or `face`, if that form field decides which face is taken."""


class ProblemError(Exception):
    """A failure that is answered with a `Problem`.

    Args:
        status: the HTTP status.
        seen: what was wrong.
        hint: how to fix it.
        headers: more headers of the answer.
        field: the form field that decides which face is taken, if that is what failed.
    """

    def __init__(
        self, status: int, seen: str, hint: str, headers: Mapping[str, str] | None = None, field: str | None = None
    ) -> None:
        super().__init__(seen)
        self.status, self.problem = status, Problem(seen=seen, hint=hint, field=field)
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.problem.model_dump(exclude_none=True), self.status, self.headers, media_type=MEDIA)


_MEANINGS = {
    400: "The picture or a field cannot be used, or the server does not know the host.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent this request.",
    404: "Not found.",
    406: "The server cannot answer in any of the accepted media types.",
    408: "The upload did not arrive in time.",
    413: "The upload has too many bytes, or the picture too many pixels.",
    415: "The upload is not a picture, or not multipart/form-data.",
    422: "A field is missing, unknown or out of range, or the picture takes too much time or memory to decode.",
    429: "Too many requests are waiting; `Retry-After` says when to try again.",
    503: "The server is stopping.",
    504: "The answer took longer than the time limit.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an operation's failures."""
    retry = {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}}
    return {
        status: {"model": Problem, "description": _MEANINGS[status]} | (retry if status in {429, 503} else {})
        for status in sorted({400, 401, 503, *statuses})
    }


def document_media_type(schema: dict[str, Any]) -> None:
    """Correct the media type of all problems in an OpenAPI document: FastAPI takes them for plain JSON."""
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in schema["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if response.get("content", {}).get("application/json") == problem:
                    response["content"] = {MEDIA: problem}


def file_answer(description: str, *media: str) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an answer that is a file."""
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in media}
    return {200: {"description": description, "content": content}}


def user_problem(error: FacesketchError) -> ProblemError:
    """Return a user's mistake as an answer."""
    return ProblemError(400, sentence(error.seen), sentence(error.hint or "try another picture"))


def invalid(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    """Return the answer to fields that are unknown or out of range."""
    return ProblemError(422, sentence(explain(error, model)), "See /v1/openapi.json for the fields and their values.")


def unexpected() -> ProblemError:
    """Return the answer to a request that met a bug."""
    return ProblemError(500, "Something went wrong on the server.", "Try again, or tell the person who runs it.")


def stopping() -> ProblemError:
    """Return the answer to a request that arrives or is still running when the server stops."""
    headers = {"Retry-After": "5"}
    return ProblemError(503, "The server is stopping.", "Try again in a moment.", headers)


def sentence(text: str) -> str:
    """Return words as a sentence, with a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def answer_problems(app: FastAPI) -> None:
    """Answer every failure of an application with a `Problem`."""

    @app.exception_handler(ProblemError)
    async def _refused(_: Request, error: ProblemError) -> JSONResponse:
        return error.response()

    # other errors, such as a full disk or a damaged gallery, name folders of the server, which its clients must not see
    @app.exception_handler(ImageError)
    @app.exception_handler(FaceError)
    @app.exception_handler(ConfigError)
    async def _mistaken(_: Request, error: FacesketchError) -> JSONResponse:
        return user_problem(error).response()

    @app.exception_handler(RequestValidationError)
    async def _misread(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return ProblemError(422, sentence(f"{where}: {first['msg'].lower()}"), "See /v1/openapi.json.").response()

    @app.exception_handler(Exception)
    async def _crashed(_: Request, __: Exception) -> JSONResponse:
        return unexpected().response()

    @app.exception_handler(HTTPException)
    async def _plain(_: Request, error: HTTPException) -> JSONResponse:
        hint = "See /v1/openapi.json for what you can ask." if error.status_code in {404, 405} else "Try again."
        return ProblemError(error.status_code, sentence(str(error.detail)), hint, error.headers).response()
