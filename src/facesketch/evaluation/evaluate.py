"""Measure a model, or pictures that any program made, on one side of a split, beside the baselines of that side."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import torch
from PIL import Image

from facesketch.checkpoints.header import BEST, WEIGHTS, read_header
from facesketch.config import DIRECTIONS, DataConfig, Direction
from facesketch.data.index import index
from facesketch.data.layouts.tree import stem_of
from facesketch.data.overwriting import forbid_overwriting
from facesketch.data.pairs import SIDES, Side
from facesketch.data.split import split as divide
from facesketch.data.twins import twin_warnings
from facesketch.devices import pick_device
from facesketch.errors import ConfigError, DataError, ImageError, count, require_known, require_seed, some
from facesketch.evaluation.baselines import TITLES, baselines, open_pairs
from facesketch.evaluation.evaluator import Evaluator, Measurement, require_metrics, require_some
from facesketch.evaluation.protocols import count_warnings, recognise, require_protocol
from facesketch.evaluation.results import Baseline, Estimate, ModelInfo, Results
from facesketch.files import require_name
from facesketch.images.io import is_picture, open_image, save_image
from facesketch.inference.translator import Translator, Weights, load
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import build, family

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what comes now)."""
_FEW_SUBJECTS = 10
_BATCH = 8


def evaluate(
    model: str | Path | Translator | None,
    data: str | Path,
    *,
    direction: Direction | None = None,
    split: Side = "test",
    protocol: str | None = None,
    images: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    out: str | Path | None = None,
    pictures: str | Path | None = None,
    name: str | None = None,
    seed: int = 0,
    weights: Weights = "best",
    device: str = "auto",
    progress: Progress | None = None,
) -> Results:
    """Measure a model and the baselines on the test pairs of a folder.

    To measure many models on the same pairs, make one `Evaluation` and call its `of` for each model.

    Examples:
        >>> import facesketch
        >>> results = facesketch.evaluate("pencil", "pairs", metrics=["ssim", "rank"])
        >>> ssim = results.metrics["ssim"]
        >>> ssim.low <= ssim.value <= ssim.high
        True
        >>> ssim.value > results.baselines["copy"].metrics["ssim"].value
        True

    Args:
        model: a run folder, a model file, the name of a method that needs no training, or what
            `facesketch.inference.translator.load` returns; None with `images`.
        data: the folder of pairs; a photo and its sketch must be of the same size.
        direction: needed with `images`, and for a model that serves both directions.
        split: which pairs to measure on.
        protocol: the split's name in papers: `cuhk`, `cufs`, `cufsf`, `fs2k` or `own`; None recognises `cuhk`. You get
            a warning if the counts differ from the protocol's.
        images: a folder of pictures to measure instead of a model, named by the pairs' stems.
        metrics: some of `facesketch.evaluation.evaluator.NAMES`; None for all that apply.
        out: a `.json` file for the results; a CSV file with one row per picture is written beside it.
        pictures: a folder for the translated pictures, as PNG under their stems.
        name: what to call the results; None for the name of the run folder, the file or the folder of images.
        seed: the seed of the bootstrap, at least 0.
        weights: which weights of a run folder.
        device: where to compute: `auto`, `cpu`, `cuda` or `mps`.
        progress: called before each step.

    Raises:
        ConfigError: a metric, protocol or direction is unknown, the model does not serve the direction, no metric can
            be measured, or `out` or `pictures` would overwrite the data.
        DataError: this side has no pairs, a photo and its sketch differ in size, or `images` lacks pictures.
        ImageError: a picture cannot be read.
        CheckpointError: the model is missing, damaged or not a facesketch model.
        OutputError: a place cannot be written.
    """
    data = Path(data)
    images, out, pictures = (None if path is None else Path(path) for path in (images, out, pictures))
    if (model is None) == (images is None):
        seen = "neither a model nor pictures" if model is None else f"a model ({model}) and `images` {images}"
        raise ConfigError(seen, "give a run folder, a model file or 'pencil', or else `images` FOLDER")
    require_seed(seed)
    if out is not None:
        require_name(out)
    if images is not None:
        if direction is None:
            raise ConfigError("`images` needs a direction", "give `direction` photo2sketch or sketch2photo")
        if pictures is not None:
            raise ConfigError("`pictures` keeps what a model translates", "leave it out with `images`")
    translator = load(model, weights=weights, device=device) if isinstance(model, str | Path) else model
    direction = direction if translator is None else translator.choose(direction)
    assert direction is not None, "`images` has one"
    learned = None if translator is None else translator.config.data  # a run's folder is kept resolved
    layout = learned.layout if learned is not None and learned.folder == data.resolve() else "auto"
    if out is not None:
        forbid_overwriting(data, [out, out.with_suffix(".csv")], layout=layout)
        if out.suffix.lower() != ".json":
            hint = f"give a name that ends in .json, such as {out.with_suffix('.json')}"
            raise ConfigError(f"`out` {out}: not the name of a JSON file", hint)
    evaluation = Evaluation(
        data,
        direction=direction,
        split=split,
        metrics=metrics,
        protocol=protocol,
        seed=seed,
        validation=None if learned is None else learned.validation,
        layout=layout,
        device=pick_device(device),
        progress=progress,
    )
    if translator is not None:
        results = evaluation.of(translator, name=name, pictures=pictures)
    else:
        assert images is not None, "one of both was given"
        results = evaluation.of_images(images, name=name)
    if out is not None:
        results.save(out)
    return results


class Evaluation:
    """One side of a split in one direction, on which you can measure any number of models and the baselines.

    Pictures are opened once, and every model shares them and the baselines. A photo and its sketch must be of the same
    size, at which results are measured; pairs may differ from each other.

    Examples:
        >>> from facesketch.evaluation.evaluate import Evaluation
        >>> from facesketch.inference.translator import load
        >>> evaluation = Evaluation("pairs", direction="photo2sketch", metrics=["ssim"])
        >>> [evaluation.of(load(name)).name for name in ("pencil", "photo2sketch")]
        ['pencil', 'photo2sketch.onnx']

    Args:
        data: the folder of pairs.
        direction: what is translated into what.
        split: which side; of the others, only training pictures are opened, for the baselines.
        metrics, protocol, seed, device, progress: as in `evaluate`.
        validation: share of the training subjects that validate, if the data names none.
        layout: how the folder is laid out, as in `facesketch.data.index.index`.

    Attributes:
        pairs: the pairs of this side, sorted by stem.
        stems: their stems, in order.
        subjects: who each shows.
        references: the pairs that baselines learn from: training and validation when testing, else training alone.
        inputs: the pictures to translate.
        truth: the pictures that should come out.

    Raises:
        ConfigError: an unknown metric, protocol or direction, or metrics that are all left out.
        DataError: no pairs, none on this side, or a photo and its sketch differ in size.
        ImageError: a picture cannot be read.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        direction: Direction,
        split: Side = "test",
        metrics: Sequence[str] | None = None,
        protocol: str | None = None,
        seed: int = 0,
        validation: float | None = None,
        layout: str = "auto",
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        require_known(direction, DIRECTIONS, "direction")
        require_known(split, SIDES, "split")
        require_protocol(protocol)
        require_metrics(metrics or ())
        self.data, self.direction, self.split, self.metrics = Path(data), direction, split, metrics
        self._seed, self._device, self._layout = seed, device, layout
        self._progress: Progress = progress or (lambda done, total, what: None)
        share = DataConfig().validation if validation is None else validation
        parts = divide(index(self.data, layout).pairs, validation=share)
        self.pairs = parts.side(split)
        if not self.pairs:
            raise DataError(f"{data}: no {split} pairs", f"type: facesketch data check {data}")
        self.stems = tuple(pair.stem for pair in self.pairs)
        self.subjects = tuple(pair.subject for pair in self.pairs)
        self.references = (*parts.train, *parts.validation) if split == "test" else parts.train
        self.counts = (len(parts.train) + len(parts.validation), len(parts.test))
        self.stems_hash = parts.hash(split)
        self._twin_warnings = [] if split == "train" else twin_warnings(parts)
        self.protocol = protocol or recognise((pair.stem for pair in (*self.pairs, *self.references)), self.counts)
        self.without_baselines: dict[str, str] = {}
        self.inputs, self.truth = open_pairs(self.pairs, direction)
        trios = zip(self.pairs, self.inputs, self.truth, strict=True)
        odd = [(pair.stem, one.size, other.size) for pair, one, other in trios if one.size != other.size]
        if odd:  # a resized truth would no longer be the artist's
            stem, *sizes = odd[0]
            photo, sketch = sizes if direction == "photo2sketch" else sizes[::-1]
            seen = f"{stem}: photo {photo[0]}x{photo[1]}, sketch {sketch[0]}x{sketch[1]}"
            seen += f" (and {len(odd) - 1} more pairs)" if len(odd) > 1 else ""
            raise DataError(seen, "expected one size, so align them first; type: facesketch faces align")
        if metrics:
            require_some(metrics, self.evaluator.names, self.evaluator.left_out)

    @cached_property
    def evaluator(self) -> Evaluator:
        """What measures pictures against the true ones."""
        return Evaluator(
            self.truth, self.subjects, self.direction, metrics=self.metrics, seed=self._seed, device=self._device
        )

    @cached_property
    def baselines(self) -> dict[str, Measurement]:
        """The results of each baseline, by its name; `without_baselines` then says why others are missing."""
        found, self.without_baselines = baselines(self.inputs, self.subjects, self.direction, self.references)
        return {name: self._measure(f"baseline {name}", pictures) for name, pictures in found.items()}

    def of(
        self,
        translator: Translator,
        *,
        name: str | None = None,
        pictures: str | Path | None = None,
    ) -> Results:
        """Translate the inputs with a model, and measure every result. Arguments are as in `evaluate`.

        Raises:
            ConfigError: the model does not serve the direction, metrics that are all left out, or a folder for
                pictures that holds some of the data's.
        """
        translator.choose(self.direction)
        pictures = None if pictures is None else Path(pictures)
        forbid_overwriting(self.data, pictures=pictures, layout=self._layout)
        started, made = time.perf_counter(), list[Image.Image]()
        for start in range(0, len(self.inputs), _BATCH):
            self._progress(start, len(self.inputs), "translating")
            made += translator.translate(self.inputs[start : start + _BATCH], self.direction)
        seconds = time.perf_counter() - started
        place = Path(translator.name).resolve()
        name = name or (place.parent.name if place.name in {BEST, WEIGHTS} else place.name.removesuffix(".safetensors"))
        results = self._results(name, model_info(translator), made, seconds)
        if pictures is not None:
            for stem, picture in zip(self.stems, made, strict=True):
                save_image(picture, pictures / f"{file_name(stem)}.png")
        return results

    def of_images(self, folder: str | Path, *, name: str | None = None) -> Results:
        """Measure a folder of pictures that any program made. Files are found by the pairs' stems, others are ignored.

        Raises:
            ConfigError: metrics that are all left out.
            DataError: a picture is missing, two answer to one stem, or one has another size than the true one.
            ImageError: the folder is missing, or a picture cannot be read.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ImageError(f"{folder}: no such folder", "give the folder of translated pictures with `images`")
        files: dict[str, list[Path]] = {}
        for path in sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file()):
            files.setdefault(stem_of(PurePosixPath(path.name)), []).append(path)
        keys = {stem: stem_of(PurePosixPath(f"{file_name(stem)}.png")) for stem in self.stems}
        missing = [stem for stem, key in keys.items() if key not in files]
        if missing:
            seen = f"{folder}: {len(missing)} of {len(keys)} {self.split} pictures are missing ({some(missing)})"
            raise DataError(seen, "expected one picture per stem, such as f-039-01.png")
        for stem, key in keys.items():
            if len(files[key]) > 1:
                both = f"{files[key][0].name} and {files[key][1].name}"
                raise DataError(f"{folder}: {both} both match '{stem}'", "keep one")
        paths = [files[key][0] for key in keys.values()]
        pictures = [open_image(path) for path in paths]
        for path, picture, truth in zip(paths, pictures, self.truth, strict=True):
            if picture.size != truth.size:
                sizes = f"{picture.width}x{picture.height}, the true picture {truth.width}x{truth.height}"
                raise DataError(f"{path}: {sizes}", "expected one size, so cut the padding off or scale it back")
        model = ModelInfo(method="images", path=str(folder))
        return self._results(name or folder.resolve().name, model, pictures, 0.0)

    def _measure(self, what: str, pictures: Sequence[Image.Image]) -> Measurement:
        names = self.evaluator.names
        tell = self._progress
        return self.evaluator.measure(pictures, lambda each: tell(names.index(each), len(names), f"{what}: {each}"))

    def _results(self, name: str, model: ModelInfo, made: Sequence[Image.Image], seconds: float) -> Results:
        known, started = self.baselines, time.perf_counter()
        found = self._measure(name, made)
        left_out = self.evaluator.left_out | found.left_out
        require_some(self.metrics, {**found.metrics, **found.sets, **found.curves}, left_out)
        left_out |= {f"baseline {baseline}": why for baseline, why in self.without_baselines.items()}
        for baseline, measured in known.items():
            others = {metric: why for metric, why in measured.left_out.items() if metric not in left_out}
            left_out |= {f"{metric} of baseline {baseline}": why for metric, why in others.items()}
        fields, baselines = set(Estimate.model_fields), {}
        for baseline, measured in known.items():
            estimates = {each: Estimate(**value.model_dump(include=fields)) for each, value in measured.metrics.items()}
            baselines[baseline] = Baseline(title=TITLES[baseline], metrics=estimates, sets=measured.sets)
        curves = {curve.replace("cmc", "cmc-translated", 1): rates for curve, rates in found.curves.items()}
        curves |= {curve.replace("cmc", "cmc-direct", 1): rates for curve, rates in known["copy"].curves.items()}
        return Results(
            name=name,
            direction=self.direction,
            protocol=self.protocol,
            split=self.split,
            stems=self.stems,
            subjects=self.subjects,
            stems_hash=self.stems_hash,
            warnings=tuple(self._warnings(found)),
            model=model,
            metrics=found.metrics,
            sets=found.sets,
            curves=curves,
            baselines=baselines,
            left_out=left_out,
            seconds={"translate": round(seconds, 3), "measure": round(time.perf_counter() - started, 3)},
        )

    def _warnings(self, found: Measurement) -> list[str]:
        lines = count_warnings(self.protocol, self.counts)
        if self.split == "train":
            lines.append("the training split: a model may have learned these very pictures")
        subjects = self.evaluator.subject_count
        if subjects < _FEW_SUBJECTS:
            lines.append(f"only {count(subjects, 'subject')}: the intervals are too narrow to rely on")
        for which, places in {"translated": found.faceless, "true": self.evaluator.faceless}.items():
            if places:
                pictures = count(len(places), f"{which} picture")
                lines.append(f"no face found in {pictures}, such as {self.stems[places[0]]}: similarity 0 to everyone")
        return lines + self._twin_warnings


def file_name(stem: str) -> str:
    """Return what the picture of a pair is called, without its suffix."""
    return re.sub(r"[/\\:]", "-", stem)


def model_info(translator: Translator) -> ModelInfo:
    """Return what is known of a loaded model: its settings, its size, and its weights' hash if they are in a file."""
    config, file, parameters = translator.config, translator.file, 0
    if family(config.method.name).learned:
        with torch.device("meta"):
            parameters = count_parameters(build(config, fresh=False))
    epoch = read_header(file).notes.get("epoch") if file else None
    return ModelInfo(
        method=config.method.name,
        options=config.method.options,
        seed=config.train.seed if file else None,
        epochs=config.train.epochs if file else None,
        best_epoch=epoch if isinstance(epoch, int) else None,
        size=translator.preprocessing.longest_side,
        parameters=parameters,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest() if file else None,
        path=translator.name,
    )
