"""Settings of a server: what it serves, to whom, and how much it does at once."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from facesketch.config import Frozen
from facesketch.errors import ConfigError
from facesketch.inference.translator import EngineName

_Count = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0)]


class Limits(Frozen):
    """Limits on one request, and on all of them together."""

    upload: _Count = 20 << 20
    """Bytes of one upload."""
    pixels: _Count = 50_000_000
    """Pixels of all pictures that are open at once, and of one picture, read from its header before it is decoded."""
    side: Annotated[int, Field(ge=64)] = 2048
    """Pixels of the longer side to which a picture without a face frame is shrunk."""
    native: Annotated[int, Field(ge=64)] = 1024
    """The same for `resolution` `native`, which works on every pixel."""
    queue: _Count = 128
    """Requests that are arriving, waiting or running; the next one is refused with 429."""
    held: _Count = 256 << 20
    """Bytes of all uploads at once."""
    upload_seconds: _Seconds = 30.0
    """How long an upload may take to arrive."""
    silence: _Seconds = 10.0
    """How long an upload, the head of a request, or a client that reads its answer may stall."""
    seconds: _Seconds = 30.0
    """How long an answer may take once the upload has arrived."""
    decoding: _Seconds = 10.0
    """How long one picture may take to decode."""
    batch: _Count = 8
    """Pictures of one shape that go through a network together."""
    connections: _Count = 512
    """Open connections; requests on more of them are refused with 429."""
    grace: _Seconds = 60.0
    """How long running requests may take when the server is stopped."""


class Settings(Frozen):
    """Settings of a server."""

    host: str = "127.0.0.1"
    """Where to listen; other machines cannot reach a loopback address."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 picks a free port."""
    models: tuple[str, ...] = ()
    """Run folders, model files or `pencil`, in addition to the package's own models."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    engine: EngineName = "auto"
    """What runs the networks of `models`."""
    gallery: str | None = None
    """The gallery to search in."""
    query_log: bool = False
    """Log every search in the gallery's folder."""
    runs: Path | None = None
    """A folder of trainings to show."""
    token: str | None = Field(default=None, repr=False)
    """What a request must send as `Authorization: Bearer …`."""
    no_auth: bool = False
    """Serve other machines without a token."""
    hosts: tuple[str, ...] = ()
    """Names of the server besides localhost."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may use the API from a browser."""
    limits: Limits = Limits()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check(settings: Settings) -> None:
    """Check that settings are safe to serve with.

    Raises:
        ConfigError: other machines can connect without a token or `no_auth`, the token, a host or an origin is not
            valid, or searches are logged without a gallery, or with one in
            object storage.
    """
    if settings.query_log and settings.gallery is None:
        raise ConfigError("`query_log` needs a gallery", "give a `gallery`, or leave out `query_log`")
    if settings.query_log and "://" in str(settings.gallery):
        hint = "give a folder as `gallery`, or leave out `query_log`"
        raise ConfigError(f"`gallery` {settings.gallery}: object storage has no query log", hint)
    if not settings.loopback and settings.token is None and not settings.no_auth:
        raise ConfigError(
            f"`host` {settings.host}: lets other machines in without a token",
            "give a `token` that they must send, or `no_auth`",
        )
    if settings.token is not None and not re.fullmatch("[!-~]{8,}", settings.token):
        raise ConfigError("`token`: expected 8 or more ASCII letters, digits and symbols, without spaces")
    for name in settings.hosts:
        if not re.fullmatch(r"[A-Za-z0-9._-]+(:\d+)?", name):
            raise ConfigError(f"`allow_host` {name}: expected a name, such as faces.example.org")
    for origin in settings.cors:
        scheme, _, rest = origin.partition("://")
        if scheme not in {"http", "https"} or not rest or "/" in rest or "*" in rest:
            raise ConfigError(f"`cors` {origin}: expected an origin, such as https://faces.example.org")
