"""`facesketch faces`: bring the faces of a data set into one frame."""

from __future__ import annotations

from pathlib import Path

import cyclopts

from facesketch.cli.console import Bar, note_some, say, say_passed_over
from facesketch.errors import count

app = cyclopts.App(name="faces", help="Find faces and bring them into the frame that models are trained on.")


@app.command
def align(
    *folders: Path,
    out: Path,
    faces: str = "largest",
    scale: float = 1.0,
    suffix: str = ".png",
    model: Path | None = None,
) -> None:
    """Align a data set to 200x250 pixels, eyes level and in the same place, with a report and a contact sheet.

    A folder of pairs in any known layout stays a folder of pairs: `pairs.csv` keeps its split and attributes. Several
    such folders become one data set. In any other folder, every picture is aligned. Pictures without a face are left
    out and named, and the exit code is then 1.

    Args:
        folders: Folders of pairs or of pictures.
        out: Where the aligned pictures, `pairs.csv`, `report.json` and `contact.png` go.
        faces: Which face of each picture to take: `largest`, 2 for the next largest, and so on.
        scale: The size of the pictures, as a multiple of 200x250.
        suffix: The file format: `.png` is lossless, `.jpg` takes a third of the space.
        model: A YuNet file to use instead of the one in the package.
    """
    from facesketch.data.align_folders import align_folders
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
    if faces != "largest" and not (faces.isdecimal() and len(faces) < 10 and int(faces) > 0):
        hint = "expected largest, or 2 for the next largest: one face of each picture"
        raise ConfigError(f"--faces {faces[:40]}", hint)
    number = 1 if faces == "largest" else int(faces)
    with Bar("aligning faces") as bar:
        done = align_folders(folders, out, FaceFinder(model), number=number, scale=scale, suffix=suffix, progress=bar)
    counts = [(done.pairs, "pair"), (len(done.kept) - done.pairs, "picture")]
    made = " and ".join(count(many, word) for many, word in counts if many)
    say(f"{made} aligned in {out}", f"look at {out / 'contact.png'}")
    more = f", all named in {out / 'report.json'}"
    turned = [f"turned {name} by {degrees}° clockwise to bring its face upright" for name, degrees in done.turned]
    note_some(turned, more)
    note_some([f"left out {name}: {reason}" for name, reason in done.left_out], more)
    say_passed_over(done.passed_over)
    if done.left_out:
        raise SystemExit(1)
