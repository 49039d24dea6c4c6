"""What a server is told when it starts: what it serves, to whom, and how much of it at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from facesketch.config import Frozen
from facesketch.errors import ConfigError
from facesketch.inference.translator import EngineName

_SHORTEST = 8
_Count = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0)]


class Limits(Frozen):
    """How much one request may take, and all of them together."""

    upload: _Count = 20 << 20
    """Bytes of one upload."""
    pixels: _Count = 50_000_000
    """Pixels of one picture, told by its header before it is decoded; also of all that are being decoded at once."""
    side: Annotated[int, Field(ge=64)] = 2048
    """Pixels of the longer side that a picture without a face frame is worked on, and comes back, with at the most."""
    native: Annotated[int, Field(ge=64)] = 1024
    """The same where `resolution` is `native`, which works on every pixel."""
    queue: _Count = 128
    """Requests that are being received, waiting or worked on; the next one is refused with 429."""
    held: _Count = 256 << 20
    """Bytes of all uploads at once."""
    upload_seconds: _Seconds = 30.0
    """How long an upload may take to arrive."""
    silence: _Seconds = 10.0
    """How long an upload, or the head of a request, may stand still."""
    seconds: _Seconds = 30.0
    """How long an answer may take once the upload is there."""
    decoding: _Seconds = 10.0
    """How long one picture may take to decode."""
    batch: _Count = 8
    """Pictures of one shape that go through a network together."""
    connections: _Count = 512
    """Open connections."""
    grace: _Seconds = 60.0
    """How long running requests may go on when the server is stopped."""


class Settings(Frozen):
    """What a server is told when it starts."""

    host: str = "127.0.0.1"
    """Where to listen; other machines reach only what is not a loopback address."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    models: tuple[str, ...] = ()
    """Run folders, model files or `pencil`, beside the package's own models."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    engine: EngineName = "auto"
    """What runs the networks of `models`."""
    gallery: str | None = None
    """The gallery to search in."""
    query_log: bool = False
    """Note every search in the gallery's folder."""
    runs: Path | None = None
    """A folder of trainings to show."""
    token: str | None = Field(default=None, repr=False)
    """What a request must bring as `Authorization: Bearer …`."""
    anyone: bool = False
    """Let other machines in without a token."""
    hosts: tuple[str, ...] = ()
    """Names, beside localhost, under which the server may be called."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may use the API from a browser."""
    limits: Limits = Limits()

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine is reached."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check(settings: Settings) -> Settings:
    """Return settings that are safe to serve with.

    Raises:
        ConfigError: other machines would be let in and nobody said that they may, a token cannot be one, an origin
            is none, or searches are to be noted where there is nothing to search.
    """
    if settings.query_log and settings.gallery is None:
        raise ConfigError("`query_log` needs a gallery, and there is none", "add `gallery`, or leave it out")
    if not settings.loopback and settings.token is None and not settings.anyone:
        raise ConfigError(
            f"`host` {settings.host}: other machines would be let in", "give a `token` they must bring, or `anyone`"
        )
    token = settings.token
    if token is not None and not _can_be_sent(token):
        raise ConfigError(f"`token`: expected {_SHORTEST} or more letters, digits and signs of ASCII without a space")
    for origin in settings.cors:
        scheme, _, rest = origin.partition("://")
        if scheme not in {"http", "https"} or not rest or "/" in rest or "*" in rest:
            raise ConfigError(f"`cors` {origin}: expected an origin, such as https://faces.example.org")
    return settings


def _can_be_sent(token: str) -> bool:
    return len(token) >= _SHORTEST and token.isascii() and token.isprintable() and " " not in token
