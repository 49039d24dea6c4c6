"""`facesketch serve`: a page and an API over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import Port
from pydantic import Field

from facesketch.cli.console import Device, note
from facesketch.config import Frozen
from facesketch.errors import ConfigError, require


@dataclass(frozen=True)
class Access:
    """Who may use the server."""

    token: Annotated[str | None, Parameter(env_var="FACESKETCH_TOKEN")] = None
    """Secret that every request must send as `Authorization: Bearer TOKEN`; the page asks for it."""
    no_auth: Annotated[bool, Parameter(negative=())] = False
    """Serve other machines without a token."""
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """Another host name of the server besides localhost, such as a proxy's; may be repeated."""
    cors: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """An origin, such as https://example.org, whose pages may use the API; may be repeated."""


class Bounds(Frozen):
    """Limits on uploads, waiting requests and time."""

    max_upload: Annotated[float, Field(gt=0.001)] = 20.0
    """Largest upload, in MiB."""
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000
    """Largest picture, in pixels, up to 100 million; also the most of all that are open at once."""
    queue: Annotated[int, Field(ge=1)] = 128
    """Most requests at once, waiting ones included; further ones get a 429."""
    timeout: Annotated[float, Field(gt=0)] = 30.0
    """Longest time for an answer, in seconds."""


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

    By default the server listens on 127.0.0.1 only. It stores nothing that you send, except with --query-log.

    Args:
        host: Address to listen on; 0.0.0.0 stands for all, and needs --token or --no-auth.
        port: Port to listen on; 0 picks a free one.
        model: A run folder, a model file, or `pencil`, to offer beside the package's own models; may be repeated.
        gallery: A gallery to search, made by `facesketch search index`.
        query_log: Log every search in the gallery's `queries.jsonl`.
        runs: A folder of runs to show.
        engine: What computes the networks of --model.
    """
    access, bounds = access or Access(), bounds or Bounds()
    require("serve", "serving")
    from facesketch.serve.app import build
    from facesketch.serve.server import address, listen
    from facesketch.serve.server import serve as serve_on
    from facesketch.serve.settings import Limits, Settings, check

    if runs is not None and not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder", "give the folder that holds your trainings' --out folders")
    size = round(bounds.max_upload * (1 << 20))
    limits = Limits(
        upload=size,
        pixels=bounds.max_pixels,
        queue=bounds.queue,
        held=max(Limits().held, 2 * size),
        seconds=bounds.timeout,
        connections=max(Limits().connections, 2 * bounds.queue),
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
        note(f"facesketch: serving on {address(settings, listening)} (Ctrl+C stops)")
        serve_on(app, settings, listening)
