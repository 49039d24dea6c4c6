"""Many pictures: which goes where, which are done, and what to do about the one that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesketch.config import Direction
from facesketch.errors import ConfigError, FacesketchError, ImageError, OutputError
from facesketch.images import SUFFIXES, is_picture, open_image, save_image
from facesketch.translate import Resolution, Translator


@dataclass(frozen=True)
class Job:
    """One picture to translate.

    Attributes:
        source: what to read.
        target: what to write.
        done: the target was already there when the plan was made.
    """

    source: Path
    target: Path
    done: bool


def plan(paths: Sequence[Path], out: Path, *, suffix: str = ".png", overwrite: bool = False) -> list[Job]:
    """Say for every picture under some paths where its translation goes.

    A single file goes to `out` itself when that is named like a picture; everything else goes into the folder `out`,
    where the tree of each given folder is mirrored. Targets already there count as done, so that a job cut off goes on.

    Raises:
        ConfigError: the suffix is not that of a picture.
        ImageError: a path does not exist, or a folder holds no pictures.
        OutputError: a translation would land on one of the inputs.
    """
    if len(paths) == 1 and not paths[0].is_dir() and out.suffix.lower() in SUFFIXES:
        if not paths[0].exists():
            raise ImageError(f"{paths[0]}: no such file or folder; give the path of a picture")
        pairs = [(paths[0], out)]
        overwrite = True  # the user named this very file
    else:
        if suffix.lower() not in SUFFIXES - {".ppm.bz2"}:
            raise ConfigError(f"suffix '{suffix}' is not that of a picture; type --suffix .png, .jpg, .webp or .tif")
        if out.is_file():
            raise OutputError(f"{out}: is a file; give a folder with --out for several pictures")
        pairs = [pair for path in paths for pair in _mirror(path, out, suffix, several=len(paths) > 1)]
    pairs = _without_clashes(pairs, suffix)
    inputs = {source.resolve() for source, _ in pairs}
    clash = next((target for _, target in pairs if target.resolve() in inputs), None)
    if clash is not None:
        raise OutputError(f"{clash}: is one of the inputs and is never overwritten; give another --out")
    return [Job(source, target, done=target.exists() and not overwrite) for source, target in pairs]


def _mirror(path: Path, out: Path, suffix: str, *, several: bool) -> list[tuple[Path, Path]]:
    if path.is_file():
        return [(path, out / f"{path.stem}{suffix}")]
    if not path.is_dir():
        raise ImageError(f"{path}: no such file or folder; give the path of a picture")
    inside = out.resolve()
    found = sorted(file for file in path.rglob("*") if file.is_file() and is_picture(file))
    found = [
        file for file in found if not file.resolve().is_relative_to(inside) or path.resolve().is_relative_to(inside)
    ]
    if not found:
        raise ImageError(f"{path}: no pictures in this folder; expected {', '.join(sorted(SUFFIXES)[:6])} …")
    top = out / path.name if several else out
    return [(file, top / file.relative_to(path).with_suffix(suffix)) for file in found]


def _without_clashes(pairs: list[tuple[Path, Path]], suffix: str) -> list[tuple[Path, Path]]:
    """Keep pictures apart that would share a name: the later one keeps its whole name, a third gets a number."""
    taken: set[Path] = set()
    kept = []
    for source, target in pairs:
        number = 1
        while target in taken:
            target = target.with_name(f"{source.name}{'' if number == 1 else f'-{number}'}{suffix}")
            number += 1
        taken.add(target)
        kept.append((source, target))
    return kept


def run(
    jobs: Sequence[Job], translator: Translator, direction: Direction | None, resolution: Resolution = "trained"
) -> Iterator[tuple[Job, FacesketchError | None]]:
    """Translate what is not done yet, and yield each job with what went wrong, if anything did."""
    for job in jobs:
        try:
            if not job.done:
                result = translator.translate([open_image(job.source)], direction, resolution=resolution)[0]
                save_image(result, job.target)
        except ImageError as error:
            yield job, error
        else:
            yield job, None
