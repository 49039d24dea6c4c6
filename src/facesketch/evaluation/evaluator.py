"""Every metric of a set of translated pictures against the true ones, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from PIL import Image

from facesketch.config import Direction
from facesketch.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    ImageError,
    MissingExtraError,
    count,
    require_known,
)
from facesketch.evaluation.features import FeatureExtractors, PictureSet
from facesketch.evaluation.results import Measure
from facesketch.methods.networks.lpips import Net, PerceptualDistance
from facesketch.metrics.base import Compute, Metric
from facesketch.metrics.bootstrap import Bootstrap, Interval
from facesketch.metrics.distribution import frechet, kernel_distance
from facesketch.metrics.fidelity import FIDELITY
from facesketch.metrics.nlda import nlda
from facesketch.metrics.perceptual import lpips
from facesketch.metrics.retrieval import Array, cmc, cosine_distances, match_ranks
from facesketch.plugins import added, load
from facesketch.weights.catalogue import locate

PSNR_CEILING = 100.0
"""What equal pictures count as, because a mean of infinite decibels says nothing."""
RANKS = (1, 5, 10)
NLDA_LEAST = 20
"""With fewer subjects, half of them are too few to learn from."""
_NLDA_TRAIN = {338: 150, 944: 300}  # what the field trains on, of the CUFS and the CUFSF test subjects
_DECIMALS = 7
_TIE = 9

LPIPS: dict[str, tuple[Net, str]] = {"lpips-alex": ("alex", "alexnet"), "lpips-vgg": ("vgg", "vgg16")}
SETS = {"frechet-vgg16": (frechet, "Fréchet, VGG16"), "kernel-vgg16": (kernel_distance, "kernel, VGG16")}
DESCRIPTORS = {"rank": "raw pixels", "rank-hog": "HOG", "rank-sface": "SFace"}
NAMES: tuple[str, ...] = (*FIDELITY, *LPIPS, "identity", *SETS, *DESCRIPTORS, "nlda")
"""All metrics of the package; a `rank` gives three rates and a curve, `nlda` gives two rates."""
Tell = Callable[[str], None]


def pairwise() -> dict[str, Metric]:
    """Return the metrics that compare a picture with the true one, those that other packages add last.

    Raises:
        ConfigError: one of them cannot be imported, or is no `Metric`.
    """
    theirs = {name: load("metric", name, path) for name, path in added("metrics", NAMES).items()}
    for name, found in theirs.items():
        if not isinstance(found, Metric):
            hint = "make it one with `facesketch.metrics.base.metric`"
            raise ConfigError(f"metric '{name}': {added('metrics', NAMES)[name]} is no metric", hint)
    return FIDELITY | theirs


@dataclass
class Measurement:
    """What an evaluator measures on one set of pictures."""

    metrics: dict[str, Measure] = field(default_factory=dict)
    """By name, one value per picture."""
    sets: dict[str, Measure] = field(default_factory=dict)
    """By name, numbers of all pictures together."""
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Cumulative match curves by route: `cmc`, `cmc-hog`, `cmc-sface`."""
    left_out: dict[str, str] = field(default_factory=dict)
    """What could not be measured on these pictures, with the reason."""
    faceless: tuple[int, ...] = ()
    """Indices of the pictures in which no face was found."""


class Evaluator:
    """Measures any number of picture sets against the true pictures of a split, whose features it computes once.

    Sketches are compared in grey, photos in colour if the true ones have colour and the metric looks at it.

    Args:
        truth: the true pictures, each of any size.
        subjects: who each shows.
        direction: photos (`sketch2photo`) or sketches (`photo2sketch`) are the true ones.
        metrics: which to measure, of `NAMES` and of what other packages add; None for all that apply.
        seed: of the bootstrap and of NLDA's divisions.

    Attributes:
        names: what is measured, in the order of `NAMES`.
        left_out: what is not, and how to get it.

    Raises:
        ConfigError: a metric that does not exist.
    """

    def __init__(
        self,
        truth: Sequence[Image.Image],
        subjects: Sequence[str],
        direction: Direction,
        *,
        metrics: Sequence[str] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.direction, self.seed = direction, seed
        self.left_out: dict[str, str] = {}
        self._subjects, self._bootstrap = list(subjects), Bootstrap(subjects, seed=seed)
        self._extractors = FeatureExtractors(torch.device(device))
        colour = direction == "sketch2photo" and any(_has_colour(picture) for picture in truth)
        self._truth = PictureSet(truth, 3 if colour else 1, self._extractors)
        self._lpips: dict[str, Compute] = {}
        self._pairwise = pairwise()
        require_metrics(metrics or ())
        wanted = [name for name in (*NAMES, *added("metrics", NAMES)) if metrics is None or name in metrics]
        if "fsimc" in wanted and not colour:
            wanted.remove("fsimc")
            if metrics is not None:
                self.left_out["fsimc"] = "the true pictures are grey; fsim is the same measure for them"
        self.names = tuple(name for name in wanted if self._prepare(name))

    @property
    def faceless(self) -> tuple[int, ...]:
        """The indices of the true pictures in which a metric looked for a face and found none."""
        return tuple(sorted(self._truth.faceless))

    @property
    def subject_count(self) -> int:
        """How many people the true pictures show."""
        return self._bootstrap.count

    def measure(self, results: Sequence[Image.Image], tell: Tell = lambda name: None) -> Measurement:
        """Measure pictures, one per true one, in the same order and each of its size.

        `tell` is called with each metric's name before it is measured.
        """
        assert [each.size for each in results] == self._truth.sizes, "sizes are checked where stems are known"
        pictures, found = PictureSet(results, self._truth.channels, self._extractors), Measurement()
        for name in self.names:
            tell(name)
            try:
                self._measure(name, pictures, found)
            except (DataError, ImageError) as error:
                found.left_out[name] = str(error)
        found.faceless = tuple(sorted(pictures.faceless))
        return found

    def _prepare(self, name: str) -> bool:
        """Load what a metric needs; if that is missing, note why in `left_out` and return False."""
        try:
            if name in LPIPS:
                net, trunk = LPIPS[name]
                network = PerceptualDistance(net).load(locate(trunk), locate(name)).to(self._extractors.device)
                self._lpips[name] = partial(lpips, network)
            elif name in SETS:
                _ = self._extractors.vgg
            elif name in {"identity", "rank-sface"}:
                _ = self._extractors.embedding
        except (MissingExtraError, CheckpointError) as error:
            self.left_out[name] = str(error)
        if name == "nlda" and self.subject_count < NLDA_LEAST:
            self.left_out[name] = (
                f"{count(self.subject_count, 'subject')}; half of at least {NLDA_LEAST} are needed to learn from"
            )
        width, height = map(min, zip(*self._truth.sizes, strict=True))
        smallest = self._pairwise[name].smallest if name in self._pairwise else 1
        if min(width, height) < smallest:
            self.left_out[name] = f"{width}x{height} pictures; it needs at least {smallest}x{smallest}: use larger ones"
        return name not in self.left_out

    def _measure(self, name: str, pictures: PictureSet, found: Measurement) -> None:
        truth, mean = self._truth, self._bootstrap.mean

        def each(title: str, better: str, values: Array) -> None:
            values = values.round(_DECIMALS)
            found.metrics[name] = _measured(title, better, mean(values), values.tolist())

        if name in self._pairwise:
            metric = self._pairwise[name]
            ceiling = PSNR_CEILING if name == "psnr" else np.inf
            each(metric.title, "higher", np.minimum(pictures.compare(truth, metric), ceiling))
        elif name in LPIPS:
            each(f"LPIPS ({LPIPS[name][0]})", "lower", pictures.compare(truth, self._lpips[name]))
        elif name == "identity":
            each("identity, SFace cosine", "higher", (pictures.faces * truth.faces).sum(axis=1))
        elif name in SETS:
            distance, title = SETS[name]
            x, y = pictures.vgg, truth.vgg
            ends = self._bootstrap.around(distance(x, y), lambda rows: distance(x[rows], y[rows]))
            if distance is frechet:
                ends = ends.model_copy(update={"low": max(0.0, ends.low)})
            found.sets[name] = _measured(title, "lower", ends)
        elif name in DESCRIPTORS:  # each person's photo is found from the sketch, whichever of them was translated
            ours, theirs = pictures.searchable(DESCRIPTORS[name]), truth.searchable(DESCRIPTORS[name])
            probes, gallery = (theirs, ours) if self.direction == "photo2sketch" else (ours, theirs)
            distances = cosine_distances(probes, gallery).round(_TIE)  # equal pictures must tie, whatever the rounding
            mark = name.removeprefix("rank")
            curve = cmc(distances, self._subjects, self._subjects)
            found.curves[f"cmc{mark}"] = tuple(curve.round(_DECIMALS).tolist())
            places = match_ranks(distances, self._subjects, self._subjects)
            for k in RANKS:
                if k < self.subject_count:
                    found.sets[f"rank-{k}{mark}"] = _measured(
                        f"rank-{k}, {DESCRIPTORS[name]}", "higher", mean(places <= k)
                    )
        else:
            found.sets |= self._nlda(pictures)

    def _nlda(self, pictures: PictureSet) -> dict[str, Measure]:
        """Return rank-1 by null-space LDA, one picture per subject, with the interval over random divisions."""
        _, first = np.unique(np.asarray(self._subjects), return_index=True)
        people = len(first)
        train = _NLDA_TRAIN.get(people, people // 2)
        rates = nlda(self._truth.grey[first], pictures.grey[first], train=train, seed=self.seed)
        note = f"{train} of {people} train" if people in _NLDA_TRAIN else f"half ({train}) train"
        found = {}
        for name, title, repeats in (
            ("nlda", "best", rates[:, rates.mean(axis=0).argmax()]),
            ("nlda-full", "full", rates[:, -1]),
        ):
            low, high = np.percentile(repeats, [2.5, 97.5])
            interval = Interval(value=repeats.mean(), low=low, high=high)
            found[name] = _measured(f"NLDA {title}, {note}", "higher", interval)
        return found


def require_metrics(metrics: Sequence[str]) -> None:
    """Raise a ConfigError, with the nearest name, if a metric does not exist."""
    known = (*NAMES, *added("metrics", NAMES))
    for name in metrics:
        require_known(name, known, "unknown metric")


def require_some(metrics: Sequence[str] | None, measured: Collection[str], left_out: Mapping[str, str]) -> None:
    """Raise a ConfigError, with the reasons, if all of the metrics that were asked for by name are left out."""
    if not metrics or measured:
        return
    reasons: dict[str, list[str]] = {}
    for name in dict.fromkeys(metrics):
        reasons.setdefault(left_out.get(name, "not measured"), []).append(name)
    said = "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
    raise ConfigError("nothing to measure, as every metric asked for is left out", said)


def _has_colour(picture: Image.Image) -> bool:
    if picture.mode != "RGB":
        return False
    array = np.asarray(picture)
    return bool((array[..., 0] != array[..., 1]).any() or (array[..., 1] != array[..., 2]).any())


def _measured(title: str, better: str, ends: Interval, values: Sequence[float] = ()) -> Measure:
    rounded = {name: round(end, _DECIMALS) for name, end in ends}
    return Measure.model_validate({"title": title, "better": better, "values": values} | rounded)
