"""`facesketch models`: list and fetch third-party weights."""

from __future__ import annotations

from typing import Annotated

import cyclopts

from facesketch.cli.console import Bar, console, say, table

app = cyclopts.App(name="models", help="List and fetch the third-party weights that some metrics and searches need.")


@app.command(name="list")
def list_() -> None:
    """List the weights: what they are for, their licence and download size, and where they are stored."""
    from facesketch.errors import CheckpointError, MissingExtraError
    from facesketch.weights.catalogue import WEIGHTS, cache_folder, locate, verify

    listed = table("name", "what for", "licence", "size", "here", "file", numbers={"size"})
    for entry in WEIGHTS.values():
        size = entry.published.size
        written = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
        here, kept = "yes", cache_folder() / entry.file
        try:
            path = locate(entry.name)
            verify(path, entry)
        except (CheckpointError, MissingExtraError):
            path, here = kept, "damaged" if kept.is_file() else "no"
        place = entry.file if path == kept or entry.installed is None else f"in {entry.installed[0]}"
        listed.add_row(entry.name, entry.purpose, entry.licence, written, here, place)
    out = console()
    if not out.is_terminal:
        out.width = 160  # one line each
    out.print(listed)
    say(f"cache folder: {cache_folder()}")


@app.command
def fetch(
    *names: str,
    every: Annotated[bool, cyclopts.Parameter(name="--all", negative="")] = False,
) -> None:
    """Download weights into the cache folder, check them and print where they are.

    A download that was cut off resumes. Set FACESKETCH_MODELS to use another folder.

    Args:
        names: Names from `facesketch models list`, or hub:OWNER/NAME for a model on the Hugging Face Hub.
        every: Fetch all of them.
    """
    from facesketch.errors import ConfigError
    from facesketch.weights import hub
    from facesketch.weights.catalogue import WEIGHTS, weight
    from facesketch.weights.download import fetch as fetch_weights

    if bool(names) == every:
        raise ConfigError("name the weights to fetch, or type --all", f"known: {', '.join(WEIGHTS)}")
    asked = list(WEIGHTS) if every else list(dict.fromkeys(names))
    wanted = [name if name.startswith(hub.PREFIX) else weight(name).name for name in asked]
    for name in wanted:
        with Bar(name, size=True) as bar:
            path = hub.fetch(name) if name.startswith(hub.PREFIX) else fetch_weights(name, progress=bar)
        say(f"{name}: {path}")
