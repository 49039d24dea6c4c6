"""`facesketch data`: look at a folder of pairs before training on it, or draw one to try things with."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from facesketch.cli.console import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from facesketch.data.index import Report
    from facesketch.data.split import Split

app = cyclopts.App(name="data", help="Look at a folder of pairs, or draw one to try things with.")

_EXAMPLES = 3
_ORIGINS = {
    "data": "the data",
    "hash": "hash of subject",
    "both": "data and hash",
    "nobody": "",
}


@app.command
def check(
    folder: Path,
    /,
    *,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
    layout: str = "auto",
    validation: float = 0.12,
) -> None:
    """Read every picture of a folder and report what pairs, what does not, and who trains and tests.

    Exits with 0 when there are pairs to use, 1 when nothing pairs, 2 when the folder is missing or its list is wrong.

    Parameters
    ----------
    folder
        The folder of pairs.
    json
        Print one JSON object instead of a table.
    layout
        How the folder is laid out; `auto` tries the known layouts.
    validation
        Share of the training subjects to keep for validation, when the data names none itself.
    """
    from facesketch.data.index import check as read
    from facesketch.data.pairs import NoPairsError
    from facesketch.data.split import split

    try:
        with _Progress() as progress:
            report = read(folder, layout, progress=progress)
    except NoPairsError as error:
        _nothing(folder, str(error), json)
    parts = split(report.index.pairs, validation=validation)
    if json:
        print_json(_facts(report, parts))
    else:
        _print_report(report, parts)
    if not report.usable:
        raise SystemExit(1)


@app.command
def sample(folder: Path, /, *, pairs: int = 40, size: int = 256, seed: int = 0) -> None:
    """Draw faces and their sketches into a new folder, to try every verb without any data.

    Parameters
    ----------
    folder
        The folder to make: new, empty, or cut off while the same faces were drawn into it.
    pairs
        How many pairs to draw.
    size
        Pixels of a picture's side; trainings work at 256 unless they are told another size.
    seed
        The same seed draws the same faces.
    """
    from facesketch.data.synthetic.draw import write_sample

    write_sample(folder, pairs=pairs, size=size, seed=seed)
    console = _console()
    console.print(f"{pairs} {_plural('pair', pairs)} of {size}x{size} pixels in {folder}", markup=False)
    console.print(f"next: facesketch data check {shlex.quote(str(folder))}", markup=False)


def _nothing(folder: Path, message: str, json: bool) -> None:
    if json:
        print_json({"folder": str(folder), "layout": None, "pairs": 0, "error": message})
    else:
        print(message, file=sys.stderr)  # noqa: T201
    raise SystemExit(1) from None


def _facts(report: Report, parts: Split) -> dict[str, Any]:
    from facesketch.data.pairs import SIDES
    from facesketch.data.twins import SEEN_BEFORE, twins

    index = report.index
    return {
        "folder": str(index.folder),
        "layout": index.layout,
        "pairs": len(index.pairs),
        "usable": len(report.usable),
        "subjects": len(index.subjects),
        "size": report.size,
        **{name: _counted(texts) for name, texts in _lists(report)},
        "split": {
            side: {
                "pairs": len(parts.side(side)),
                "subjects": len({pair.subject for pair in parts.side(side)}),
                "from": parts.origin[side],
                "sha256": parts.hash(side),
            }
            for side in SIDES
        },
        "left_out": len(parts.left_out),
        "twins": {
            side: _counted([f"{pair.stem} = {twin.stem}" for pair, twin in twins(parts, side)]) for side in SEEN_BEFORE
        },
        "notes": index.notes,
    }


def _counted(texts: Sequence[str]) -> dict[str, Any]:
    return {"count": len(texts), "examples": texts[:_EXAMPLES]}


def _lists(report: Report) -> list[tuple[str, Sequence[str]]]:
    """Return what does not fit, in the order of the report, as texts under their JSON names."""
    index = report.index
    return [
        ("orphan_photos", index.orphan_photos),
        ("orphan_sketches", index.orphan_sketches),
        ("duplicates", [" = ".join(group) for group in index.duplicates]),
        ("identical", [" = ".join(group) for group in report.identical]),
        ("unreadable", report.unreadable),
        ("odd_sized", report.odd_sized),
        ("passed_over", index.passed_over),
    ]


_TITLES = {
    "orphan_photos": "photos without a sketch",
    "orphan_sketches": "sketches without a photo",
    "duplicates": "same name twice (the first is used)",
    "identical": "same bytes under several names",
    "unreadable": "cannot be read",
    "odd_sized": "odd sizes",
    "passed_over": "no pictures, passed over",
}


def _print_report(report: Report, parts: Split) -> None:
    from rich import box
    from rich.table import Table

    index, console = report.index, _console()
    size = f", most photos {report.size[0]}x{report.size[1]}" if report.size else ""
    many = f"{len(index.pairs)} {_plural('pair', len(index.pairs))}"
    who = f"{len(index.subjects)} {_plural('subject', len(index.subjects))}"
    console.print(f"{index.folder}: {many} of {who}, laid out as {index.layout}{size}", markup=False)
    table = Table("what", "count", "such as", box=box.SIMPLE)
    for name, texts in _lists(report):
        if texts:
            table.add_row(_TITLES[name], str(len(texts)), _such(texts))
    if table.row_count:
        console.print(table)
    else:
        console.print("every picture has its counterpart, can be read and has the size of the others")
    console.print(_split_table(parts))
    for note in [*index.notes, *_advice(report, parts)]:
        console.print(note, markup=False)


def _such(texts: Sequence[str]) -> Any:
    from rich.text import Text

    return Text("\n".join(texts[:_EXAMPLES]) + ("\n…" if len(texts) > _EXAMPLES else ""))


def _split_table(parts: Split) -> Any:
    from rich import box
    from rich.table import Table

    from facesketch.data.pairs import SIDES

    table = Table("split", "pairs", "subjects", "decided by", "sha256 of the stems", box=box.SIMPLE)
    for side in SIDES:
        pairs = parts.side(side)
        subjects = len({pair.subject for pair in pairs})
        table.add_row(side, str(len(pairs)), str(subjects), _ORIGINS[parts.origin[side]], parts.hash(side)[:12])
    return table


def _advice(report: Report, parts: Split) -> list[str]:
    """Return what to do next, one line each."""
    from facesketch.data.twins import twin_warnings

    lines = [f"warning: {line}" for line in twin_warnings(parts)]
    if parts.left_out:
        many = f"{len(parts.left_out)} {_plural('pair', len(parts.left_out))}"
        lines.append(f"{many} left out, such as {parts.left_out[0].stem}: the data tests or validates the same subject")
    if len(report.usable) < len(report.index.pairs):
        lines.append("mend or remove the pictures that cannot be read: training stops at them")
    if not parts.train:
        lines.append("nothing to train on: the data puts every pair on another side")
    else:
        folder = shlex.quote(str(report.index.folder))
        lines.append(f"next: facesketch train pix2pix --data {folder} --out runs/pix2pix")
    return lines


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


class _Progress:
    """A bar that appears on a terminal's stderr once reading has taken two seconds."""

    patience = 2.0

    def __enter__(self) -> _Progress:
        """Start the clock."""
        import time

        self._clock = time.monotonic
        self._start = self._clock()
        self._bar: Any = None
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        if self._bar is None and self._clock() - self._start >= self.patience:
            from rich.console import Console
            from rich.progress import Progress

            console = Console(stderr=True)
            self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
            self._task = self._bar.add_task("reading pictures", total=total)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
