"""`facesketch serve`: a page and an API over HTTP."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import Port
from pydantic import Field

from facesketch.cli.console import Device
from facesketch.config import Frozen
from facesketch.errors import ConfigError, require


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


class Bounds(Frozen):
    """How much at once."""

    max_upload: Annotated[float, Field(gt=0.001)] = 20.0
    """MiB of one upload."""
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000
    """Pixels of one picture."""
    queue: Annotated[int, Field(ge=1)] = 128
    """Requests that may wait or be worked on; further ones get a 429."""
    timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds that an answer may take."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: Port = 8000,
    model: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    gallery: str | None = None,
    query_log: Annotated[bool, Parameter(negative=())] = False,
    runs: Path | None = None,
    device: Device = "auto",
    engine: Literal["auto", "torch", "onnx", "openvino", "openvino-bf16"] = "auto",
    access: Annotated[Access | None, Parameter(name="*", group="Access")] = None,
    bounds: Annotated[Bounds | None, Parameter(name="*", group="Limits")] = None,
) -> None:
    """Serve a page and an HTTP API for translating, searching and watching trainings.

    By default the server listens on 127.0.0.1 only. Nothing that is sent is kept.

    Args:
        host: Where to listen; 0.0.0.0 for all addresses, which needs --token or --no-auth.
        port: 0 for a free one.
        model: A run folder, a model file, or `pencil`, beside the package's own models; may be repeated.
        gallery: A gallery of `facesketch search index` to search.
        query_log: Log every search in the gallery's `queries.jsonl`.
        runs: A folder of trainings to show.
        engine: What runs the networks of --model.
    """
    access, bounds = access or Access(), bounds or Bounds()
    require("serve", "serving")
    from facesketch.serve.app import build
    from facesketch.serve.server import address, listen
    from facesketch.serve.server import serve as serve_on
    from facesketch.serve.settings import Limits, Settings, check

    if runs is not None and not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder", "give the one that holds the --out folders of trainings")
    size = round(bounds.max_upload * (1 << 20))
    limits = Limits(upload=size, pixels=bounds.max_pixels, queue=bounds.queue, seconds=bounds.timeout)
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
