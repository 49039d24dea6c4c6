"""`facesketch models`: which third-party weights there are, which are here, and fetching the others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import cyclopts

if TYPE_CHECKING:
    from facesketch.weights.catalogue import Progress, Weight

app = cyclopts.App(name="models", help="List and fetch the third-party weights that some metrics and searches need.")

_WAIT = 2.0  # seconds before a download shows its progress


@app.command(name="list")
def list_() -> None:
    """List the weights: what each is for, its licence, how much is downloaded, and whether and where it is here."""
    from rich.console import Console
    from rich.table import Table

    from facesketch.weights.catalogue import WEIGHTS, cache_folder

    table = Table("name", "what for", "licence", box=None, header_style="bold", pad_edge=False)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("file", overflow="fold")
    for entry in WEIGHTS.values():
        table.add_row(entry.name, entry.purpose, entry.licence, _size(entry.published.size), *_state(entry))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # one line each when piped
    console.print(table)
    console.print(f"cache folder: {cache_folder()}", soft_wrap=True, highlight=False, markup=False)


@app.command
def fetch(
    *names: str,
    every: Annotated[bool, cyclopts.Parameter(name="--all", negative="")] = False,
) -> None:
    """Download weights into the cache folder, check them and say where they are.

    A download that was cut off goes on where it stopped. FACESKETCH_MODELS names another folder.

    Args:
        names: Which ones, as `facesketch models list` names them.
        every: All of them.
    """
    from rich.console import Console

    from facesketch.errors import ConfigError
    from facesketch.weights.catalogue import WEIGHTS, weight
    from facesketch.weights.download import fetch as fetch_weights

    if bool(names) == every:
        raise ConfigError("say which weights to fetch, or --all", f"known: {', '.join(WEIGHTS)}")
    wanted = list(WEIGHTS) if every else [weight(name).name for name in dict.fromkeys(names)]
    console = Console()
    for name in wanted:
        with _Meter(name) as meter:
            path = fetch_weights(name, progress=meter)
        console.print(f"{name}: {path}", soft_wrap=True, highlight=False, markup=False)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def _state(entry: Weight) -> tuple[str, str]:
    """Return whether the weights are here, and their file in the cache folder or the package that brings them."""
    from facesketch.errors import CheckpointError, MissingExtraError
    from facesketch.weights.catalogue import cache_folder, locate, verify

    kept = cache_folder() / entry.file
    try:
        path = locate(entry.name)
        verify(path, entry)
    except (CheckpointError, MissingExtraError):
        return ("damaged" if kept.is_file() else "no"), entry.file
    return "yes", entry.file if path == kept or entry.installed is None else f"in {entry.installed[0]}"


class _Meter:
    """A progress bar on the terminal that appears only when a download takes longer than two seconds."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(name, total=None)
        self._start = time.monotonic()

    def __enter__(self) -> Progress:
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def _tell(self, have: int, total: int) -> None:
        self._bar.update(self._task, completed=have, total=total)
        if not self._bar.live.is_started and time.monotonic() - self._start > _WAIT:
            self._bar.start()
