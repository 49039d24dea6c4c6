"""`facesketch faces`: bring the faces of a data set into one frame."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts

from facesketch.cli.output import say_passed_over

if TYPE_CHECKING:
    from facesketch.data.align_folder import Prepared

app = cyclopts.App(name="faces", help="Find faces and bring them into the frame that models are trained on.")

_EXAMPLES = 10
_WAIT = 2.0  # seconds before the bar appears


@app.command
def align(
    *folders: Path,
    out: Path,
    faces: str = "largest",
    scale: float = 1.0,
    suffix: str = ".png",
    model: Path | None = None,
) -> None:
    """Align a data set: eyes level and in the same place, 200x250 pixels, with a report and a contact sheet.

    A folder of pairs in any known layout stays pairs, with its split and attributes in `pairs.csv`; several such
    folders become one data set. Of any other folder every picture is aligned. Pictures without a face are left out and
    named, and make the exit code 1.

    Parameters
    ----------
    folders
        Folders of pairs or of pictures.
    out
        Where the aligned pictures, `pairs.csv`, `report.json` and `contact.png` go.
    faces
        Which face of each picture: `largest`, or 2 for the next, and so on.
    scale
        How many times 200x250 the pictures have.
    suffix
        The files' kind: `.png` loses nothing, `.jpg` takes a third of the room.
    model
        Another file of YuNet's than the one that comes with the package.
    """
    from facesketch.data.align_folder import prepare
    from facesketch.errors import ConfigError
    from facesketch.faces import FaceFinder
    from facesketch.images.io import WRITABLE

    if not folders:
        raise ConfigError("no folder given", "type: facesketch faces align FOLDER --out ALIGNED")
    if not 0.1 <= scale <= 10:
        raise ConfigError(f"--scale {scale}", "expected 0.1 to 10")
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    if suffix.lower() not in WRITABLE - {".gif"}:
        raise ConfigError(f"--suffix {suffix}", "expected .png or .jpg")
    number, finder = _number(faces), FaceFinder(model)
    with _Bar() as bar:
        done = prepare(folders, out, finder, number=number, scale=scale, suffix=suffix, progress=bar)
    _tell(done, out)
    if done.left_out:
        raise SystemExit(1)


def _number(faces: str) -> int:
    from facesketch.errors import ConfigError

    if faces == "largest":
        return 1
    if faces.isdecimal() and int(faces) > 0:
        return int(faces)
    raise ConfigError(
        f"--faces {faces}", "expected largest, or 2 for the next largest: one face of each picture is kept"
    )


def _tell(done: Prepared, out: Path) -> None:
    """Say what was written, and on stderr what was not."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    singles = len(done.kept) - done.pairs
    counts = [(done.pairs, "pair"), (singles, "picture")]
    made = " and ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    console.print(f"{made} aligned in {out}", markup=False)
    left_out = [f"left out {name}: {reason}" for name, reason in done.left_out]
    turned = [f"turned {name} by {degrees}° clockwise, as that shows its face upright" for name, degrees in done.turned]
    for lines in (turned, left_out):
        for line in lines[:_EXAMPLES]:
            errors.print(line, markup=False)
        if len(lines) > _EXAMPLES:
            errors.print(f"and {len(lines) - _EXAMPLES:,} more, all named in {out / 'report.json'}", markup=False)
    say_passed_over(done.passed_over)
    console.print(f"look at {out / 'contact.png'}", markup=False)


class _Bar:
    """A bar with the time left, on a terminal's stderr, once aligning has taken two seconds."""

    def __enter__(self) -> _Bar:
        self._start = time.monotonic()
        self._bar: Any = None
        return self

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None and time.monotonic() - self._start >= _WAIT:
            self._begin(total)
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def _begin(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("aligning faces", total=total)
        self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
