"""Uploads: Starlette's parser reads a multipart form in limited memory and time, and never writes to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from facesketch.serve.admission import Ticket
from facesketch.serve.problems import ProblemError
from facesketch.serve.settings import Limits

FILE = "file"
_FIELD, _FIELDS = 256, 16  # bytes of one field, and how many
_OVERHEAD = 16 << 10  # bytes for boundaries, names and fields, in addition to the file
_DRAIN_SECONDS = 5.0
_DRAIN_TIMES = 4  # a refused upload is read up to so many times the limit, and thrown away


class GoneError(Exception):
    """The client has closed the connection, and nobody waits for an answer."""


Form = tuple[list[bytes], dict[str, str]]


async def read_form(request: Request, limits: Limits, ticket: Ticket, most: int) -> Form:
    """Read the parts `file` of a request's body, whatever names and types they claim, and the other parts.

    Args:
        request: the request.
        limits: on the upload.
        ticket: counts its bytes.
        most: how many pictures it may have.

    Raises:
        GoneError: the upload was cut off.
        ProblemError: 400 damaged or empty, 408 too slow, 413 too large, 415 not multipart, 422 a part is missing,
            unknown or one too many, 429 all uploads together are too large.
    """
    body = _Body(request)
    try:
        headers = _form_headers(request)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limits.upload + _OVERHEAD:
            raise _too_large(limits)
        async with asyncio.timeout(limits.upload_seconds):
            return await _parsed(headers, body, limits, ticket, most)
    except TimeoutError as error:
        hint = "Send it again, or send a smaller picture."
        raise ProblemError(408, "The upload took too long to arrive.", hint, {"Connection": "close"}) from error
    except ProblemError:
        await _drain(body, limits)
        raise


class _Body:
    """The chunks of a request's body as they arrive.

    Attributes:
        ended: whether the last one has arrived.
    """

    def __init__(self, request: Request) -> None:
        self._request, self.ended = request, False

    async def next(self) -> bytes:
        """Return the next chunk.

        Raises:
            GoneError: the connection was closed.
        """
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        self.ended = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


async def _drain(body: _Body, limits: Limits) -> None:
    """Read what is still on its way, within limits, and throw it away, so that the client reads the answer.

    A server that closes a connection while the client still sends resets it, and the client never sees why.
    """
    left = _DRAIN_TIMES * limits.upload
    with suppress(TimeoutError, GoneError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0 and not body.ended:
                left -= len(await body.next())


def _form_headers(request: Request) -> Headers:
    """Return the content type with only its boundary: Python never forgets a `charset` that it has looked up."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind.lower() != b"multipart/form-data" or not boundary:
        raise ProblemError(
            415, "The body is not multipart/form-data.", "Send the picture as the field 'file' of a multipart form."
        )
    quoted = boundary.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return Headers(raw=[(b"content-type", b'multipart/form-data; boundary="' + quoted + b'"')])


def _too_large(limits: Limits) -> ProblemError:
    return ProblemError(
        413,
        f"The upload is larger than {limits.upload / (1 << 20):g} MiB.",
        "Send a smaller picture, or compress it more.",
    )


class _Parser(MultiPartParser):
    """Starlette's parser; it also notes whether the form was complete."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _parsed(headers: Headers, body: _Body, limits: Limits, ticket: Ticket, most: int) -> Form:
    async def chunks() -> AsyncGenerator[bytes, None]:
        received = 0
        while not body.ended:
            async with asyncio.timeout(limits.silence):
                chunk = await body.next()
            received += len(chunk)
            if received > limits.upload + _OVERHEAD:
                raise _too_large(limits)
            ticket.reserve(len(chunk))
            yield chunk
        if not parser.ended:  # raised here, so that the parser closes its files
            raise _damaged()

    parser = _Parser(headers, chunks(), max_files=_FIELDS, max_fields=_FIELDS, max_part_size=_FIELD)
    parser.spool_max_size = limits.upload + _OVERHEAD + 1  # no body is larger, so no file goes to the disk
    try:
        sent = await parser.parse()
    except MultiPartException as error:
        if isinstance(error.__cause__, FormParserError):
            raise _damaged() from error
        seen = f"A field has no name or more than {_FIELD} bytes, or there are more than {_FIELDS} fields."
        raise ProblemError(422, seen, "See /v1/openapi.json for the fields.") from error
    try:
        fields = [(name, value) for name, value in sent.multi_items() if name != FILE]
        files = [each for each in sent.getlist(FILE) if isinstance(each, UploadFile)]
        if not 1 <= len(files) <= most:
            many = "More than one picture was sent" if most == 1 else f"More than {most} pictures were sent"
            number = "one picture per request" if most == 1 else f"1 to {most} pictures per request, each"
            hint = f"Send {number} as the field 'file'."
            raise ProblemError(422, f"{many if files else 'No picture was sent'} as the field 'file'.", hint)
        if any(isinstance(value, UploadFile) for _, value in fields):
            raise ProblemError(422, "A field other than 'file' holds a file.", "See /v1/openapi.json for the fields.")
        if len(dict(fields)) < len(fields):
            raise ProblemError(422, "A field was sent twice.", "Send each field once.")
        contents = [await each.read() for each in files]
        if not all(contents):
            hint = "Send a picture: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or PPM."
            raise ProblemError(400, "The file is empty.", hint)
        if sum(map(len, contents)) > limits.upload:
            raise _too_large(limits)
        return contents, {name: str(value) for name, value in fields}
    finally:
        await sent.close()


def _damaged() -> ProblemError:
    return ProblemError(400, "The multipart body is damaged.", "Send it again, as a browser or curl -F does.")
