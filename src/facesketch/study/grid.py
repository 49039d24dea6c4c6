"""The study's grid as a list of cells: families, losses, latents, epochs, both directions, at three sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facesketch.config import DIRECTIONS, Direction, RunConfig, configure
from facesketch.errors import ConfigError, nearest, require_known
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import resolve

IN_WORDS: dict[Direction, str] = {"photo2sketch": "photo to sketch", "sketch2photo": "sketch to photo"}
_SHORT = {"conv-ae": "CAE", "conv-vae": "CVAE", "lle": "LLE", "mrf": "MRF"}


@dataclass(frozen=True)
class Preset:
    """How large and how long a study is."""

    size: int
    """Pixels of the frame."""
    settings: dict[str, dict[str, Any]]
    """Of a method, or of one of its variants. Several `epochs` are several lengths, which are compared."""
    limit: int = 0
    """Most training pairs; 0 for all."""
    metrics: tuple[str, ...] = ()
    """What is measured; empty for everything that applies."""
    seeds: dict[str, int] = field(default_factory=dict)
    """By method, how often each cell is trained, if not once."""


PRESETS: dict[str, Preset] = {
    # minutes on a laptop: narrow GANs and few pairs, enough to see that everything works
    "quick": Preset(
        size=64,
        settings={
            "dense-ae": {"epochs": 60, "batch_size": 8},
            "conv-ae": {"epochs": 80, "batch_size": 8},
            "conv-ae-ssim": {"epochs": 30},
            "conv-ae-noise": {"epochs": 30},
            "conv-vae": {"epochs": 80, "batch_size": 8},
            "pix2pix": {"epochs": (4, 8, 20), "width": 32},
            "cyclegan": {"epochs": 20, "width": 16, "blocks": 4},
            "sparse-ae": {"epochs": 40, "batch_size": 8},
            "cogan": {"epochs": 24, "width": 128, "batch_size": 8},
            "unit": {"epochs": 6, "width": 16, "blocks": 1, "learning_rate": 1e-3},
        },
        limit=24,
        metrics=("psnr", "ssim", "fsim", "fsimc", "scoot", "rank"),
    ),
    # an hour or two without a GPU: GANs of half width, and at most two fifths of the study's epochs
    "standard": Preset(
        size=128,
        settings={
            "dense-ae": {"epochs": 120},
            "conv-ae": {"epochs": 120},
            "conv-vae": {"epochs": 120},
            "pix2pix": {"epochs": (10, 20, 40), "width": 32},
            "cyclegan": {"epochs": 12, "width": 32, "blocks": 6},
            "sparse-ae": {"epochs": 240},
            "cogan": {"epochs": 120, "width": 256},
            "unit": {"epochs": 12, "width": 32, "blocks": 2},
        },
    ),
    # the study's own sizes and epochs: hours on a GPU, days without
    "study": Preset(
        size=256,
        settings={
            "dense-ae": {"epochs": 500},
            "conv-ae": {"epochs": 500},
            "conv-vae": {"epochs": 500},
            "pix2pix": {"epochs": (20, 40, 100)},
            "cyclegan": {"epochs": 20},  # the study claims that few are enough, and they cost the most of all
            "sparse-ae": {"epochs": 500},
            "cogan": {"epochs": 500},
            "unit": {"epochs": 100},
        },
        seeds={"dense-ae": 3, "conv-ae": 3, "conv-vae": 3, "sparse-ae": 3},
    ),
}


@dataclass(frozen=True)
class Cell:
    """One training of the grid, or a method that needs none.

    Attributes:
        name: unique in the study, and the name of its run folder.
        method: which family.
        direction: what it learns; None for one training that serves both.
        settings: flat settings and options, as `facesketch train` takes them.
        extends: a shorter cell of the same settings, whose run is copied and made longer.
        built: whether the study built it; False for what its text only names.
    """

    name: str
    method: str
    direction: Direction | None
    settings: dict[str, Any] = field(default_factory=dict)
    extends: str | None = None
    built: bool = True

    @property
    def learned(self) -> bool:
        """Tell whether there is anything to train."""
        return FAMILIES[self.method].learned

    @property
    def seed(self) -> int:
        """The seed it is trained from."""
        return int(self.settings.get("seed", 0))

    @property
    def family(self) -> str:
        """The name of its family in tables, charts and sheets."""
        return _SHORT.get(self.method, FAMILIES[self.method].title)

    @property
    def label(self) -> str:
        """Its name in tables, charts and sheets: its family, and what sets it apart within that."""
        settings, parts = self.settings, []
        if self.method != "dense-ae" and "loss" in settings:
            parts.append(str(settings["loss"]).upper())
        parts += [f"{name} {settings[name]}" for name in ("latent", "noise") if name in settings]
        if "epochs" in settings and self.name.partition(".")[0] not in VARIANTS | NAMED:  # the name holds a length
            parts.append(f"{settings['epochs']} epochs")
        return f"{self.family} ({', '.join(parts)})" if parts else self.family

    @property
    def results(self) -> dict[Direction, str]:
        """The name of each direction's result."""
        if self.direction is not None:
            return {self.direction: self.name}
        return {direction: f"{self.name}.{direction}" for direction in FAMILIES[self.method].directions}

    def config(self, data: Path) -> RunConfig:
        """Return the resolved settings of its training."""
        settings = self.settings | {"folder": data} | ({"direction": self.direction} if self.direction else {})
        return resolve(configure(self.method, settings))


Variants = dict[str, tuple[str, dict[str, Any]]]

VARIANTS: Variants = {
    "dense-ae": ("dense-ae", {}),
    **{f"conv-ae-{loss}": ("conv-ae", {"loss": loss}) for loss in ("mse", "mae", "bce")},
    **{f"conv-vae-{latent}": ("conv-vae", {"latent": latent}) for latent in (2, 4, 12)},
    "pix2pix": ("pix2pix", {}),
    "cyclegan": ("cyclegan", {}),
}
"""What the study varies within a family: by name, the method and its options."""

NAMED: Variants = {
    "sparse-ae": ("sparse-ae", {}),
    "conv-ae-ssim": ("conv-ae", {"loss": "ssim"}),
    "conv-ae-noise": ("conv-ae", {"loss": "mse", "noise": 0.1}),
    **{method: (method, {}) for method in ("cogan", "unit", "lle", "mrf")},
}
"""What the study's text names and the study did not build, in the same form; its claims say nothing of these."""


def plan(preset: str, *, only: Sequence[str] = (), seeds: int | None = None) -> list[Cell]:
    """Return the cells of a study, each after the shorter one that it extends.

    Arguments are those of `facesketch.study.run`.

    Raises:
        ConfigError: an unknown preset, fewer seeds than 1, or an `only` that matches nothing.
    """
    require_known(preset, PRESETS, "unknown preset")
    if seeds is not None and seeds < 1:
        raise ConfigError(f"`seeds` {seeds}", "expected 1 or more")
    own = PRESETS[preset].seeds
    cells = [
        cell
        for seed in range(seeds or max(own.values(), default=1))
        for variant in VARIANTS | NAMED
        for cell in _cells(PRESETS[preset], variant, seed)
        if seed < (seeds or own.get(cell.method, 1))
    ]
    cells += [Cell("pencil", "pencil", "photo2sketch")]

    def matches(cell: Cell, part: str) -> bool:
        return part in {cell.method, cell.direction} or cell.name.startswith(part)

    for part in only:
        if not any(matches(cell, part) for cell in cells):
            methods = dict.fromkeys(cell.method for cell in cells)
            names = [*methods, *(cell.name for cell in cells)]
            raise ConfigError(f"`only` {part}: no such cell", nearest(part, names, f"known: {', '.join(methods)}"))
    wanted = {cell.name for cell in cells if not only or any(matches(cell, part) for part in only)}
    for cell in reversed(cells):  # with the shorter runs that they extend
        if cell.name in wanted and cell.extends:
            wanted.add(cell.extends)
    return [cell for cell in cells if cell.name in wanted]


def _cells(preset: Preset, variant: str, seed: int) -> Iterator[Cell]:
    method, options = (VARIANTS | NAMED)[variant]
    settings = {"epochs": FAMILIES[method].defaults.epochs, "size": preset.size, "seed": seed}
    settings |= {"limit": preset.limit} if preset.limit else {}
    settings |= preset.settings.get(method, {}) | preset.settings.get(variant, {}) | options
    lengths = (settings["epochs"],) if isinstance(settings["epochs"], int) else settings["epochs"]
    directions: tuple[Direction | None, ...] = (None,) if FAMILIES[method].both_ways else DIRECTIONS
    for direction in directions:
        shorter = None
        for epochs in lengths:
            length = f"-{epochs}" if len(lengths) > 1 else ""
            name = f"{variant}{length}{f'.{direction}' if direction else ''}{f'.seed{seed}' if seed else ''}"
            own = settings | {"epochs": epochs, "sample_every": max(1, epochs // 4)}
            yield Cell(name, method, direction, own, extends=shorter, built=variant in VARIANTS)
            shorter = name


def seedless(name: str) -> str:
    """Return a cell's or result's name without its seed."""
    return re.sub(r"\.seed\d+", "", name)
