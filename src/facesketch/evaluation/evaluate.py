"""Measure a model, or pictures that any program made, on one side of a split, beside the baselines of that side."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import torch
from PIL import Image

from facesketch.checkpoints.header import BEST, WEIGHTS, model_file, read_header
from facesketch.config import Direction
from facesketch.data.layouts.tree import stem_of
from facesketch.data.overwriting import forbid_overwriting
from facesketch.data.pairs import Side
from facesketch.errors import ConfigError, DataError, ImageError, nearest
from facesketch.evaluation.baselines import TITLES, Baselines, Progress
from facesketch.evaluation.baselines import baselines as measure_baselines
from facesketch.evaluation.evaluator import Measurement, require_some
from facesketch.evaluation.results import Baseline, Estimate, ModelInfo, Results
from facesketch.evaluation.task import Task
from facesketch.images.io import is_picture, open_image, save_image
from facesketch.inference.translator import Translator
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import build, family

PROTOCOLS: dict[str, tuple[int, int]] = {
    "cuhk": (88, 100),
    "cufs": (268, 338),
    "cufsf": (250, 944),
    "fs2k": (1058, 1046),
}
"""Training and test pairs of the splits that have a name; validation pairs count as training ones."""
OWN = "own"
_CUHK_STEM = re.compile(r"[fm][12]?-\d{3}-\d{2}(-sz1)?")
_FEW_SUBJECTS = 10
_BATCH = 8
_EXAMPLES = 3


@dataclass(frozen=True)
class _Candidate:
    """Pictures to be measured, and where they come from."""

    name: str
    model: ModelInfo
    pictures: Sequence[Image.Image]
    seconds: float


def evaluate_model(
    translator: Translator,
    data: Path,
    *,
    direction: Direction | None = None,
    split: Side = "test",
    protocol: str | None = None,
    baselines: Baselines | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    name: str | None = None,
    weights: Literal["best", "last"] = "best",
    pictures: Path | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Results:
    """Translate one side of a split with a model and measure every result against the true picture.

    A photo and its sketch must have one size; pairs may differ from each other. Results are measured at that size.

    Args:
        translator: the model, as `facesketch.load` returns it.
        data: the folder of pairs.
        direction: needed only for a model that serves both.
        split: which side; the others' pictures are not opened, except that baselines learn from training ones.
        protocol: the split's name in print, a key of `PROTOCOLS` or `own`; None recognises `cuhk`.
        baselines: those that `baselines.baselines` measured on this side, to measure them once for many models.
        metrics: some of `facesketch.evaluation.evaluator.NAMES`; None for all. With `baselines`, theirs.
        seed: of the bootstrap. With `baselines`, theirs.
        name: what to call the model; None for the run folder's name.
        weights: which weights of a run folder the translator was loaded with.
        pictures: a folder for the translated pictures, as PNG under their stems.
        device: where pictures are compared. With `baselines`, theirs.
        progress: told of each step.

    Raises:
        ConfigError: a direction the model does not serve, an unknown metric or protocol, metrics that are all left out,
            baselines of other pictures, or a folder for pictures that holds some of the data's.
        DataError: no pairs on this side, or pictures of unlike sizes.
        ImageError: a picture cannot be read.
    """
    way = translator.choose(direction)
    require_protocol(protocol)
    forbid_overwriting(data, pictures=pictures)
    share = translator.config.data.validation
    baselines = _ready(
        baselines, data, way, split, metrics, seed=seed, validation=share, device=device, progress=progress
    )
    started = time.perf_counter()
    results = _translate(translator, baselines.task, progress)
    seconds = time.perf_counter() - started
    candidate = _Candidate(name or _name(translator.name), model_info(translator, weights), results, seconds)
    measured = _measure(candidate, baselines, metrics, protocol, progress)
    if pictures is not None:
        for stem, picture in zip(baselines.task.stems, results, strict=True):
            save_image(picture, pictures / f"{file_name(stem)}.png")
    return measured


def evaluate_images(
    images: Path,
    data: Path,
    *,
    direction: Direction,
    split: Side = "test",
    protocol: str | None = None,
    baselines: Baselines | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    name: str | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Results:
    """Measure pictures that any program made, found by their stems under a folder.

    Args:
        images: the folder of translated pictures; others in it are passed over.
        data: the folder of pairs.
        direction: which way the pictures were translated.
        split: which side of the split they are of.
        protocol: as in `evaluate_model`.
        baselines: as in `evaluate_model`.
        metrics: as in `evaluate_model`.
        seed: as in `evaluate_model`.
        name: what to call them; None for the folder's name.
        device: as in `evaluate_model`.
        progress: told of each step.

    Raises:
        ConfigError: an unknown metric or protocol, metrics that are all left out, or baselines of other pictures.
        DataError: a picture is missing, two answer to one stem, or one has another size than the true one.
        ImageError: a picture cannot be read.
    """
    require_protocol(protocol)
    baselines = _ready(baselines, data, direction, split, metrics, seed=seed, device=device, progress=progress)
    pictures = read_images(Path(images), baselines.task)
    model = ModelInfo(method="images", path=str(images))
    candidate = _Candidate(name or Path(images).resolve().name, model, pictures, 0.0)
    return _measure(candidate, baselines, metrics, protocol, progress)


def require_protocol(protocol: str | None) -> None:
    """Check that a protocol has a name that is known, or none.

    Raises:
        ConfigError: it has another.
    """
    if protocol is not None and protocol not in (*PROTOCOLS, OWN):
        known = ", ".join((*PROTOCOLS, OWN))
        raise ConfigError(f"unknown protocol '{protocol}'", nearest(protocol, PROTOCOLS, "known: " + known))


def _ready(
    given: Baselines | None,
    data: Path,
    direction: Direction,
    split: Side,
    metrics: Sequence[str] | None,
    **settings: Any,
) -> Baselines:
    """Return the given baselines once they are known to be of these pictures; measure them when none are given.

    Raises:
        ConfigError: they are of other pictures, lack a metric, or can measure none of those that were asked for.
    """
    if given is None:
        found = measure_baselines(data, direction=direction, split=split, metrics=metrics, **settings)
        require_some(metrics, found.yardstick.names, found.yardstick.left_out)
        return found
    task, yardstick = given.task, given.yardstick
    have, want = (task.folder.resolve(), task.direction, task.split), (Path(data).resolve(), direction, split)
    if have != want:
        seen = " ".join(map(str, have))
        raise ConfigError(f"baselines of {seen}", f"expected those of {' '.join(map(str, want))}, so measure them anew")
    if metrics is not None and not set(metrics) <= {*yardstick.names, *yardstick.left_out}:
        raise ConfigError(f"baselines in {', '.join(yardstick.names)}", f"expected {', '.join(metrics)} among them")
    return given


def _translate(translator: Translator, task: Task, progress: Progress | None) -> list[Image.Image]:
    results: list[Image.Image] = []
    for start in range(0, len(task.inputs), _BATCH):
        if progress is not None:
            progress(start, len(task.inputs), "translating")
        results += translator.translate(task.inputs[start : start + _BATCH], task.direction)
    return results


def read_images(folder: Path, task: Task) -> list[Image.Image]:
    """Return the pictures under a folder that bear the task's stems, in order.

    Raises:
        DataError: a picture is missing, two answer to one stem, or one has another size than the true one.
        ImageError: the folder is missing, or a picture cannot be read.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder", "give the folder of translated pictures with `images`")
    files: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file()):
        files.setdefault(stem_of(PurePosixPath(path.name)), []).append(path)
    keys = {stem: stem_of(PurePosixPath(f"{file_name(stem)}.png")) for stem in task.stems}
    missing = [stem for stem, key in keys.items() if key not in files]
    if missing:
        such = ", ".join(missing[:_EXAMPLES]) + (", …" if len(missing) > _EXAMPLES else "")
        raise DataError(
            f"{folder}: {len(missing)} of {len(keys)} {task.split} pictures are missing ({such})",
            "expected one picture per stem, such as f-039-01.png",
        )
    for stem, key in keys.items():
        if len(files[key]) > 1:
            raise DataError(
                f"{folder}: {files[key][0].name} and {files[key][1].name} both answer to '{stem}'", "keep one"
            )
    pictures = [open_image(files[key][0]) for key in keys.values()]
    for path, picture, truth in zip((files[key][0] for key in keys.values()), pictures, task.truth, strict=True):
        if picture.size != truth.size:
            sizes = f"{picture.width}x{picture.height}, the true picture {truth.width}x{truth.height}"
            raise DataError(f"{path}: {sizes}", "expected one size, so cut the padding off or scale it back")
    return pictures


def file_name(stem: str) -> str:
    """Return what the picture of a pair is called, without its suffix."""
    return re.sub(r"[/\\:]", "-", stem)


def _name(path: str) -> str:
    """Return what to call a model: its run folder, or the file when that lies elsewhere."""
    place = Path(path)
    return (
        place.resolve().parent.name
        if place.name in {BEST, WEIGHTS}
        else place.resolve().name.removesuffix(".safetensors")
    )


def model_info(translator: Translator, weights: Literal["best", "last"] = "best") -> ModelInfo:
    """Return what is known of a loaded model: its settings, its size, and its weights' hash where they lie in a file.

    Args:
        translator: the loaded model; its `name` is the path it was loaded from.
        weights: which weights of a run folder it was loaded with.
    """
    config, path = translator.config, Path(translator.name)
    parameters = 0
    if family(config.method.name).learned:
        with torch.device("meta"):
            parameters = count_parameters(build(config, fresh=False))
    file = model_file(path, weights) if path.exists() else None
    epoch = read_header(file).notes.get("epoch") if file else None
    return ModelInfo(
        method=config.method.name,
        options=config.method.options,
        seed=config.train.seed if file else None,
        epochs=config.train.epochs if file else None,
        best_epoch=epoch if isinstance(epoch, int) else None,
        size=config.data.size,
        parameters=parameters,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest() if file else None,
        path=translator.name,
    )


def _measure(
    candidate: _Candidate,
    baselines: Baselines,
    metrics: Sequence[str] | None,
    protocol: str | None,
    progress: Progress | None,
) -> Results:
    task, yardstick, started = baselines.task, baselines.yardstick, time.perf_counter()

    def tell(metric: str) -> None:
        if progress is not None:
            progress(yardstick.names.index(metric), len(yardstick.names), f"{candidate.name}: {metric}")

    found = yardstick.measure(candidate.pictures, tell)
    require_some(metrics, {**found.metrics, **found.sets, **found.curves}, yardstick.left_out | found.left_out)
    protocol = protocol or recognise(task)
    curves = {name.replace("cmc", "cmc-translated", 1): curve for name, curve in found.curves.items()}
    direct = baselines.found["copy"].curves
    return Results(
        name=candidate.name,
        direction=task.direction,
        protocol=protocol,
        split=task.split,
        stems=task.stems,
        subjects=task.subjects,
        stems_hash=task.stems_hash,
        warnings=tuple(_warnings(task, protocol, baselines, found)),
        model=candidate.model,
        metrics=found.metrics,
        sets=found.sets,
        curves=curves | {name.replace("cmc", "cmc-direct", 1): curve for name, curve in direct.items()},
        baselines={name: _baseline(name, each) for name, each in baselines.found.items()},
        left_out=_left_out(baselines, found),
        seconds={"translate": round(candidate.seconds, 3), "measure": round(time.perf_counter() - started, 3)},
    )


def recognise(task: Task) -> str:
    """Return `cuhk` for 88 and 100 pairs named as CUHK's are, otherwise `own`."""
    return recognise_stems([pair.stem for pair in (*task.pairs, *task.references)], task.counts)


def recognise_stems(stems: Sequence[str], counts: tuple[int, int]) -> str:
    """Return the same for the stems of all pairs, and the counts of training and test pairs."""
    return "cuhk" if counts == PROTOCOLS["cuhk"] and all(map(_CUHK_STEM.fullmatch, stems)) else OWN


def _warnings(task: Task, protocol: str, baselines: Baselines, found: Measurement) -> list[str]:
    lines = []
    expected = PROTOCOLS.get(protocol, task.counts)
    if expected != task.counts:
        lines.append(f"{protocol} expects {expected[0]}/{expected[1]}, found {task.counts[0]}/{task.counts[1]}")
    if task.split == "train":
        lines.append("the training split: a model may have learned these very pictures")
    subjects = baselines.yardstick.subject_count
    if subjects < _FEW_SUBJECTS:
        people = f"{subjects} subject{'s' if subjects > 1 else ''}"
        lines.append(f"only {people}: the intervals are too narrow to rely on")
    kinds = {"translated": found.faceless, "true": baselines.yardstick.faceless}
    for kind, places in kinds.items():
        if places:
            pictures = f"{len(places)} {kind} picture{'s' if len(places) > 1 else ''}"
            lines.append(f"no face found in {pictures}, such as {task.stems[places[0]]}: likeness 0 to everybody")
    return lines


def _baseline(name: str, found: Measurement) -> Baseline:
    fields = set(Estimate.model_fields)
    metrics = {metric: Estimate(**measure.model_dump(include=fields)) for metric, measure in found.metrics.items()}
    return Baseline(title=TITLES[name], metrics=metrics, sets=found.sets)


def _left_out(baselines: Baselines, found: Measurement) -> dict[str, str]:
    """Return all that was not measured: metrics, baselines, and metrics of single baselines."""
    lines = (
        baselines.yardstick.left_out
        | found.left_out
        | {f"baseline {name}": why for name, why in baselines.left_out.items()}
    )
    for baseline, measured in baselines.found.items():
        lines |= {f"{name} of baseline {baseline}": why for name, why in measured.left_out.items() if name not in lines}
    return lines
