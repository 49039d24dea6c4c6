"""`facesketch serve`: a page and an API over HTTP."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from facesketch.errors import ConfigError, require

_MIB = 1 << 20


@dataclass(frozen=True)
class Access:
    """Who may use the server."""

    token: Annotated[str | None, Parameter(env_var="FACESKETCH_TOKEN")] = None
    """What every request must send as `Authorization: Bearer TOKEN`; the page asks for it."""
    no_auth: Annotated[bool, Parameter(negative=())] = False
    """Serve other machines without a token."""
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """A name of the server besides localhost, such as that of a proxy; may be repeated."""
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
    """Requests that may wait or be worked on; further ones get a 429."""
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

    By default the server listens on 127.0.0.1 only. Nothing that is sent is kept.

    Parameters
    ----------
    host
        Where to listen; 0.0.0.0 for all addresses, which needs --token or --no-auth.
    port
        0 for a free one.
    model
        A run folder, a model file, or `pencil`, beside the package's own models; may be repeated.
    gallery
        A gallery of `facesketch search index` to search.
    query_log
        Log every search in the gallery's `queries.jsonl`.
    runs
        A folder of trainings to show.
    device
        Where to compute.
    engine
        What runs the networks of --model.
    """
    access, bounds = access or Access(), bounds or Bounds()
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
    if runs is not None and not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder", "give the one that holds the --out folders of trainings")
    require("serve", "serving")

    from facesketch.serve.app import build
    from facesketch.serve.server import address, listen
    from facesketch.serve.server import serve as serve_on
    from facesketch.serve.settings import Limits, Settings, check

    limits = Limits(
        upload=round(bounds.max_upload * _MIB), pixels=bounds.max_pixels, queue=bounds.queue, seconds=bounds.timeout
    )
    settings = Settings(
        host=host,
        port=port,
        models=model,
        device=device,
        engine=engine,
        gallery=gallery,
        query_log=query_log,
        runs=runs,
        token=access.token,
        no_auth=access.no_auth,
        hosts=access.allow_host,
        cors=access.cors,
        limits=limits,
    )
    check(settings)
    with listen(settings) as listening:  # before models are loaded, so that a taken port fails at once
        app = build(settings)
        print(f"facesketch: serving on {address(settings, listening)} (Ctrl+C stops)", file=sys.stderr, flush=True)  # noqa: T201
        serve_on(app, settings, listening)
