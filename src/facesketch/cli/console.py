"""What the verbs share: lines, tables, JSON, progress bars and pipes, for any terminal and encoding."""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from facesketch.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

Quiet = Annotated[bool, Parameter(help="Show no progress.", negative=())]
Weights = Annotated[
    Literal["best", "last"],
    Parameter(help="Which of a run's weights to use: the best on its validation pairs, or the last."),
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], Parameter(help="Where to compute.")]
ARROWS = {"higher": "↑", "lower": "↓"}
"""Which values of a metric are better."""
_PLAIN = str.maketrans(
    {"↑": "^", "↓": "v", "→": "->", "–": "-", "−": "-", "…": "...", "’": "'", "“": '"', "”": '"', "×": "x", "·": "-"}
    | {"│": "|", "─": "-", "━": "-", "╸": "-", "╺": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "•": "*"}
)
_WIDTH = 120  # columns of what goes into a file or a pipe
_EXAMPLES = 10
_HANDLER = "facesketch"


def accept_any_text() -> None:
    """Make standard output and standard error replace characters that their encoding lacks, instead of failing.

    Our own symbols become plain ones, such as `^` for `↑`. Letters, such as those of a file's name, are escaped as in
    JSON. An error handler that the user has set stays.
    """
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "backslashreplace"}:
            stream.reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in lost), error.end


def read_pipe(example: str) -> bytes:
    """Return the bytes of the picture on standard input, which `-` stands for.

    Raises:
        ImageError: standard input is empty; the hint gives a command as an example.
    """
    content = sys.stdin.buffer.read()
    if not content:
        raise ImageError("standard input is empty", f"expected a picture, as in: {example}")
    return content


def say(*lines: object) -> None:
    """Print lines on standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def comma_list(flag: str, *texts: str) -> list[str]:
    """Return the names in comma-separated texts.

    Raises:
        ConfigError: the flag is given but holds no name.
    """
    names = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if texts and not names:
        raise ConfigError(f"{flag} is empty", "give one or more names, separated by commas, or leave it out for all")
    return names


def note(line: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{line}\n")


def in_flags(message: str) -> str:
    """Return a message with its parameters as flags: `batch_size` as --batch-size, `align=False` as --no-align."""

    def flag(found: re.Match[str]) -> str:
        name, value = found[1].replace("_", "-"), found[2]
        return f"--no-{name}" if value == "False" else f"--{name} {value or ''}".rstrip()

    return re.sub(r"`([a-z][a-z_0-9]*)(?:=([^`\s]+))?`", flag, message)


def note_some(lines: Sequence[str], rest: str = "") -> None:
    """Print the first ten lines on standard error, then how many more there are and `rest`, where to find them."""
    for line in lines[:_EXAMPLES]:
        note(line)
    if len(lines) > _EXAMPLES:
        note(f"and {len(lines) - _EXAMPLES:,} more{rest}")


def say_passed_over(files: Sequence[tuple[Path, str]]) -> None:
    """Name on standard error the files that were not read as pictures, unknown kinds of pictures first."""
    from facesketch.images.io import NO_PICTURE

    ranked = sorted(files, key=lambda each: each[1] == NO_PICTURE)
    note_some([f"skipped {path}: {reason}" for path, reason in ranked])


def print_json(value: Any) -> None:
    """Print indented JSON, in ASCII where standard output is not UTF-8."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not unicode, default=str) + "\n")


def percent(share: float, digits: int = 0) -> str:
    """Return a share of 1 as a percentage."""
    return f"{100 * share:.{digits}f} %"


def escape(text: object) -> str:
    """Return text that rich prints as it is, without reading markup in it."""
    from rich.markup import escape

    return escape(str(text))


def console(*, stderr: bool = False) -> Console:
    """Return a rich console on standard output or standard error, as wide as the terminal, or else 120 columns."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)


def table(*titles: str, numbers: Collection[str] = (), **looks: Any) -> Table:
    """Return an empty table with a rule below its head; the columns in `numbers` align right and never wrap."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, **looks)
    for title in titles:
        if title in numbers:
            made.add_column(title, justify="right", no_wrap=True)
        else:
            made.add_column(title, overflow="fold")
    return made


class Bar:
    """A progress bar on a terminal's standard error that appears once the work has taken two seconds.

    Call it with the amount done and the total, in bytes with `size`. A smaller amount or another total starts a new
    stage, and its clock starts at zero.
    """

    wait = 2.0

    def __init__(self, what: str = "", *, quiet: bool = False, size: bool = False) -> None:
        self._what, self._size = what, size
        self._hidden = quiet or not sys.stderr.isatty()
        self._start = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID

    def __enter__(self) -> Bar:
        return self

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show how much is done of how much, and what is being done."""
        what = what or self._what
        if self._hidden or (self._bar is None and time.monotonic() - self._start < self.wait):
            return
        if self._bar is None:
            self._bar = self._shown()
            self._task = self._bar.add_task(what, total=total)
        task = self._bar.tasks[0]
        if done < task.completed or total != task.total:
            self._bar.reset(self._task, total=total)
        self._bar.update(self._task, completed=done, description=what)

    def _shown(self) -> Progress:
        from rich import progress

        numbers = (
            (progress.DownloadColumn(), progress.TransferSpeedColumn())
            if self._size
            else (progress.MofNCompleteColumn(), progress.TimeElapsedColumn(), progress.TimeRemainingColumn())
        )
        columns = (progress.BarColumn(), *numbers, progress.TextColumn("{task.description}", markup=False))
        bar = progress.Progress(*columns, console=console(stderr=True), transient=True)
        bar.start()
        return bar

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
