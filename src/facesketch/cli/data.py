"""`facesketch data`: check a folder of pairs before you train on it, or draw one to try things out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from facesketch.cli.console import Bar, console, escape, note, print_json, say, table
from facesketch.errors import count

if TYPE_CHECKING:
    from facesketch.data.index import Report
    from facesketch.data.split import Split

app = cyclopts.App(name="data", help="Check a folder of pairs, or draw one to try things out.")

_EXAMPLES, _SHARE = 3, 0.12
_ORIGINS = {"data": "the data", "hash": "hash of subject", "both": "data and hash", "nobody": ""}


@app.command
def check(
    folder: Path,
    /,
    *,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
    layout: str = "auto",
    validation: float = _SHARE,
) -> None:
    """Read both pictures of every pair in a folder, and report how the pairs are split and what does not fit.

    The exit code is 0 if there are pairs to use, 1 if there are none, and 2 if the folder is missing or its list is
    wrong.

    Args:
        folder: The folder of pairs.
        json: Print one JSON object instead of a table.
        layout: How the folder is laid out; `auto` tries all known layouts.
        validation: Share of the training subjects to keep for validation, if the data has none of its own.
    """
    from facesketch.data.index import check as read
    from facesketch.data.pairs import NoPairsError
    from facesketch.data.split import split

    split((), validation=validation)  # refuses a share out of range before anything is read
    flags = f" --layout {layout}" if layout != "auto" else ""
    flags += f" --validation {validation}" if validation != _SHARE else ""
    try:
        with Bar("reading pictures") as bar:
            report = read(folder, layout, progress=bar)
    except NoPairsError as error:
        if json:
            print_json({"folder": str(folder), "layout": None, "pairs": 0, "error": str(error)})
        else:
            note(str(error))
        raise SystemExit(1) from None
    parts = split(report.index.pairs, validation=validation)
    if json:
        print_json(_facts(report, parts))
    else:
        _print_report(report, parts, flags)
    if not report.usable:
        raise SystemExit(1)


@app.command
def sample(folder: Path, /, *, pairs: int = 40, size: int = 256, seed: int = 0) -> None:
    """Draw faces and their sketches into a new folder, so that you can try every verb without data of your own.

    Args:
        folder: The folder to make. If an earlier run was cut off there, drawing goes on with what is missing.
        pairs: How many pairs to draw.
        size: Side of each picture in pixels; training works at 256 by default.
        seed: The same seed draws the same faces.
    """
    from facesketch.data.synthetic.draw import write_sample

    write_sample(folder, pairs=pairs, size=size, seed=seed)
    say(
        f"{count(pairs, 'pair')} of {size}x{size} pixels in {folder}",
        f"next: facesketch data check {shlex.quote(str(folder))}",
    )


def _facts(report: Report, parts: Split) -> dict[str, Any]:
    from facesketch.data.pairs import SIDES
    from facesketch.data.twins import SEEN_BEFORE, twins

    def counted(texts: Sequence[str]) -> dict[str, Any]:
        return {"count": len(texts), "examples": texts[:_EXAMPLES]}

    index = report.index
    return {
        "folder": str(index.folder),
        "layout": index.layout,
        "pairs": len(index.pairs),
        "usable": len(report.usable),
        "subjects": len(index.subjects),
        "size": report.size,
        **{name: counted(texts) for name, (_, texts) in _misfits(report).items()},
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
            side: counted([f"{pair.stem} = {twin.stem}" for pair, twin in twins(parts, side)]) for side in SEEN_BEFORE
        },
        "notes": index.notes,
    }


def _misfits(report: Report) -> dict[str, tuple[str, Sequence[str]]]:
    """Return what does not fit, by its name in JSON: its title in the table, and what it is."""
    index = report.index
    return {
        "orphan_photos": ("photos without a sketch", index.orphan_photos),
        "orphan_sketches": ("sketches without a photo", index.orphan_sketches),
        "duplicates": ("same name twice (the first is used)", [" = ".join(group) for group in index.duplicates]),
        "identical": ("same bytes under several names", [" = ".join(group) for group in report.identical]),
        "unreadable": ("cannot be read", report.unreadable),
        "odd_sized": ("odd sizes", report.odd_sized),
        "passed_over": ("not pictures, skipped", index.passed_over),
    }


def _print_report(report: Report, parts: Split, flags: str) -> None:
    from facesketch.data.pairs import SIDES

    index = report.index
    size = f", most photos {report.size[0]}x{report.size[1]}" if report.size else ""
    who = f"{count(len(index.pairs), 'pair')} of {count(len(index.subjects), 'subject')}"
    lines = [f"{index.folder}: {who}, laid out as {index.layout}{size}"]
    misfits = table("what", "count", "such as", numbers={"count"})
    for title, texts in _misfits(report).values():
        if texts:
            such = "\n".join(texts[:_EXAMPLES]) + ("\n…" if len(texts) > _EXAMPLES else "")
            misfits.add_row(title, str(len(texts)), escape(such))
    if not misfits.row_count:
        lines.append("every picture can be read, has its counterpart and is as large as the others")
    say(*lines, "")
    if misfits.row_count:
        console().print(misfits)
        say("")
    sides = table("split", "pairs", "subjects", "decided by", "sha256 of the stems", numbers={"pairs", "subjects"})
    for side in SIDES:
        pairs = parts.side(side)
        subjects = len({pair.subject for pair in pairs})
        sides.add_row(side, str(len(pairs)), str(subjects), _ORIGINS[parts.origin[side]], parts.hash(side)[:12])
    console().print(sides)
    say("")
    say(*index.notes, *_advice(report, parts, flags))


def _advice(report: Report, parts: Split, flags: str) -> list[str]:
    """Return what to do next, one line each; training needs the same flags."""
    from facesketch.data.twins import twin_warnings

    lines = [f"warning: {line}" for line in twin_warnings(parts)]
    if parts.left_out:
        such = f"{count(len(parts.left_out), 'pair')} left out, such as {parts.left_out[0].stem}"
        lines.append(f"{such}: the data tests or validates the same subject")
    if len(report.usable) < len(report.index.pairs):
        lines.append("fix or remove the pictures that cannot be read: training stops at them")
    if not parts.train:
        lines.append("nothing to train on: the data puts every pair into validation or test")
    else:
        folder = shlex.quote(str(report.index.folder))
        lines.append(f"next: facesketch train pix2pix --data {folder} --out runs/pix2pix{flags}")
    return lines
