"""`facesketch serve`: a page and an API over HTTP."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.errors import ConfigError, require

if TYPE_CHECKING:
    from facesketch.serve.settings import Settings

_MIB = 1 << 20


@dataclass(frozen=True)
class Access:
    """Who may use it."""

    token: Annotated[str | None, Parameter(env_var="FACESKETCH_TOKEN")] = None
    """What every request has to bring as `Authorization: Bearer TOKEN`; the page asks for it."""
    anyone: Annotated[bool, Parameter(negative=())] = False
    """Let other machines in without a token."""
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """A name, beside localhost, under which the server is reached, such as that of a proxy; may be repeated."""
    cors: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """An origin, such as https://example.org, whose pages may use the API; may be repeated."""


@dataclass(frozen=True)
class Bounds:
    """How much at once."""

    max_upload: float = 20.0
    """MiB of one upload."""
    max_pixels: int = 50_000_000
    """Pixels of one picture."""
    queue: int = 128
    """Requests that may be waiting or worked on; further ones are told to come again."""
    timeout: float = 30.0
    """Seconds that an answer may take."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    model: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    gallery: str | None = None,
    query_log: Annotated[bool, Parameter(negative=())] = False,
    runs: Path | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    engine: Literal["auto", "torch", "onnx", "openvino", "openvino-bf16"] = "auto",
    access: Annotated[Access | None, Parameter(name="*", group="Access")] = None,
    bounds: Annotated[Bounds | None, Parameter(name="*", group="Limits")] = None,
) -> None:
    """Serve a page and an HTTP API for translating, searching and watching trainings.

    Only this machine is served unless --host says otherwise. Nothing that is sent is kept.

    Parameters
    ----------
    host
        Where to listen; 0.0.0.0 for all addresses, which needs --token or --anyone.
    port
        0 for a free one.
    model
        A run folder, a model file, or `pencil`, beside the package's own models; may be repeated.
    gallery
        A gallery of `facesketch search index` to search in.
    query_log
        Note every search in the gallery's `queries.jsonl`.
    runs
        A folder of trainings to show.
    device
        Where to compute.
    engine
        What runs the networks of --model.
    """
    settings = _settings(host, port, access or Access(), bounds or Bounds()).model_copy(
        update={
            "models": model,
            "gallery": gallery,
            "query_log": query_log,
            "runs": _folder(runs),
            "device": device,
            "engine": engine,
        }
    )
    require("serve", "serving")
    _serve(settings)


def _serve(settings: Settings) -> None:
    from facesketch.serve.app import build
    from facesketch.serve.server import address, listen
    from facesketch.serve.server import serve as serve_on
    from facesketch.serve.settings import check

    check(settings)
    listening = listen(settings)  # before models are loaded, so that a taken port is told of at once
    with listening:
        guard = build(settings)
        print(f"facesketch: serving on {address(settings, listening)} (Ctrl+C stops)", file=sys.stderr, flush=True)  # noqa: T201
        serve_on(guard, settings, listening)


def _settings(host: str, port: int, access: Access, bounds: Bounds) -> Settings:
    from pydantic import ValidationError

    from facesketch.config import explain
    from facesketch.serve.settings import Settings

    _check_numbers(port, bounds)
    limits = {
        "upload": round(bounds.max_upload * _MIB),
        "pixels": bounds.max_pixels,
        "queue": bounds.queue,
        "seconds": bounds.timeout,
    }
    given = {"token": access.token, "anyone": access.anyone, "hosts": access.allow_host, "cors": access.cors}
    try:
        return Settings.model_validate({"host": host, "port": port, "limits": limits, **given})
    except ValidationError as error:
        raise ConfigError(explain(error, Settings)) from error


def _check_numbers(port: int, bounds: Bounds) -> None:
    """Refuse a number that cannot be, by its option and as it was typed.

    Raises:
        ConfigError: a port that there is none of, or a bound that lets nothing through or is no number.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 0 to 65535", "give another, or 0 for a free one")
    if not math.isfinite(bounds.max_upload) or bounds.max_upload * _MIB < 1:
        raise ConfigError(f"--max-upload {bounds.max_upload:g}: expected MiB above 0, such as 20")
    if bounds.max_pixels < 1:
        raise ConfigError(f"--max-pixels {bounds.max_pixels}: expected pixels above 0, such as 50000000")
    if bounds.queue < 1:
        raise ConfigError(f"--queue {bounds.queue}: expected 1 request or more, such as 128")
    if not math.isfinite(bounds.timeout) or bounds.timeout <= 0:
        raise ConfigError(f"--timeout {bounds.timeout:g}: expected seconds above 0, such as 30")


def _folder(runs: Path | None) -> Path | None:
    if runs is not None and not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder", "give the one that holds the --out folders of trainings")
    return runs
