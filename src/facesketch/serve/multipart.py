"""A multipart body as it arrives: read into bounded memory, in bounded time, and never onto the disk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from facesketch.serve.admission import Ticket
from facesketch.serve.problems import ProblemError
from facesketch.serve.settings import Limits

FILE = "file"
_FIELD, _FIELDS = 256, 16  # bytes of one field, and how many
_ROOM = 16 << 10  # for boundaries, names and fields, beside the file
_DRAIN_SECONDS = 5.0
_DRAIN_TIMES = 4  # how many times the limit of an upload is read to be thrown away


class GoneError(Exception):
    """The client has closed the connection, and nobody waits for an answer."""


@dataclass
class Form:
    """What was sent.

    Attributes:
        file: content of the part `file`, whatever name and type it claims.
        fields: the other parts.
    """

    file: bytes
    fields: dict[str, str]


@dataclass
class _Part:
    name: str = ""
    content: bytearray = field(default_factory=bytearray)


async def read_form(request: Request, limits: Limits, ticket: Ticket) -> Form:
    """Read a request's body.

    Raises:
        GoneError: the upload was cut off.
        ProblemError: 400 torn or empty, 408 too slow, 413 too large, 415 not multipart, 422 a part is missing or one
            too many, 429 all uploads together are too large.
    """
    body = _Body(request)
    try:
        parser = _Parser(_boundary(request), limits)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limits.upload + _ROOM:
            raise _too_large(limits)
        async with asyncio.timeout(limits.upload_seconds):
            await _receive(body, parser, limits, ticket)
        return parser.form()
    except TimeoutError as error:
        hint = "Send it again, or a smaller picture."
        raise ProblemError(408, "The upload took too long to arrive.", hint, {"Connection": "close"}) from error
    except ProblemError:
        await _drain(body, limits)
        raise


class _Body:
    """The chunks of a request's body as they come.

    Attributes:
        ended: whether the last one has come.
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


async def _receive(body: _Body, parser: _Parser, limits: Limits, ticket: Ticket) -> None:
    received = 0
    while not body.ended:
        async with asyncio.timeout(limits.silence):
            chunk = await body.next()
        received += len(chunk)
        if received > limits.upload + _ROOM:
            raise _too_large(limits)
        ticket.carry(len(chunk))
        parser.feed(chunk)


async def _drain(body: _Body, limits: Limits) -> None:
    """Read and forget what is still on its way, within bounds, so that the client hears the answer.

    A server that closes a connection while the client still sends resets it, and the client never sees why.
    """
    left = _DRAIN_TIMES * limits.upload
    with suppress(TimeoutError, GoneError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0 and not body.ended:
                left -= len(await body.next())


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind.lower() != b"multipart/form-data" or not boundary:
        raise ProblemError(
            415, "The body is not multipart/form-data.", "Send the picture as the field 'file' of a multipart form."
        )
    return boundary


def _too_large(limits: Limits) -> ProblemError:
    return ProblemError(
        413,
        f"The upload is larger than {limits.upload / (1 << 20):g} MiB.",
        "Send a smaller or more compressed picture.",
    )


class _Parser:
    """Sorts the bytes of a multipart body into its parts as they come."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._limits, self._parts, self._ended = limits, list[_Part](), False
        self._header, self._value = bytearray(), bytearray()
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._head,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks, max_header_count=8, max_header_size=1024)
        except FormParserError as error:
            raise _torn() from error

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _torn() from error

    def form(self) -> Form:
        """Return the parts once all have come."""
        if not self._ended:
            raise _torn()
        files = [part for part in self._parts if part.name == FILE]
        if len(files) != 1:
            seen = "No picture was sent" if not files else "More than one picture was sent"
            raise ProblemError(422, f"{seen} as the field 'file'.", "Send one picture a request, as the field 'file'.")
        if not files[0].content:
            raise ProblemError(400, "The file is empty.", "Send a picture: PNG, JPEG, WebP, TIFF, BMP or GIF.")
        fields = [part for part in self._parts if part.name != FILE]
        names = [part.name for part in fields]
        if len(set(names)) < len(names):
            raise ProblemError(422, "A field was sent twice.", "Send each field once.")
        return Form(bytes(files[0].content), {part.name: _text(part) for part in fields})

    def _begin(self) -> None:
        if len(self._parts) > _FIELDS:
            raise ProblemError(422, "There are too many fields.", "See /v1/openapi.json for the fields there are.")
        self._parts.append(_Part())

    def _head(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        most = self._limits.upload if part.name == FILE else _FIELD
        if len(part.content) + end - start > most:
            if part.name == FILE:
                raise _too_large(self._limits)
            raise ProblemError(422, f"A field is longer than {_FIELD} bytes.", "Send the picture as the field 'file'.")
        part.content += data[start:end]

    def _end(self) -> None:
        self._ended = True


def _text(part: _Part) -> str:
    try:
        return part.content.decode()
    except UnicodeDecodeError as error:
        raise ProblemError(422, "A field is not UTF-8 text.", "Send the picture as the field 'file'.") from error


def _torn() -> ProblemError:
    return ProblemError(400, "The multipart body is torn.", "Send it again, as a browser or curl -F does.")
