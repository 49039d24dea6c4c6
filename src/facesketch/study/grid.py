"""The study's grid as a list of cells: families, losses, latents, epochs, both directions, at three sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facesketch.config import DIRECTIONS, Direction, RunConfig, configure
from facesketch.errors import ConfigError, nearest
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import resolve


@dataclass(frozen=True)
class Preset:
    """How large and how long a study is.

    Attributes:
        size: pixels of the frame.
        epochs: per method, or per variant of it, if not its own; several for pix2pix, which the study compares at
            different lengths.
        options: settings and options of a method beside the grid's own.
        about: one line for people.
        limit: most training pairs; 0 for all.
        metrics: what is measured; empty for everything that applies.
        seeds: by method, how often each cell is trained, if not once.
    """

    size: int
    epochs: dict[str, tuple[int, ...]]
    options: dict[str, dict[str, Any]]
    about: str
    limit: int = 0
    metrics: tuple[str, ...] = ()
    seeds: dict[str, int] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        size=64,
        epochs={
            "dense-ae": (60,),
            "conv-ae": (80,),
            "conv-vae": (80,),
            "pix2pix": (4, 8, 20),
            "cyclegan": (20,),
            "sparse-ae": (40,),
            "conv-ae-ssim": (30,),
            "conv-ae-noise": (30,),
            "cogan": (24,),
            "unit": (6,),
        },
        options={
            "dense-ae": {"batch_size": 8},
            "conv-ae": {"batch_size": 8},
            "conv-vae": {"batch_size": 8},
            "pix2pix": {"width": 32},
            "cyclegan": {"width": 16, "blocks": 4},
            "sparse-ae": {"batch_size": 8},
            "cogan": {"width": 128, "batch_size": 8},
            "unit": {"width": 16, "blocks": 1, "learning_rate": 1e-3},
        },
        about="minutes on a laptop: 64 pixels, narrow GANs, at most 24 pairs, enough to see that everything works",
        limit=24,
        metrics=("psnr", "ssim", "fsim", "fsimc", "scoot", "rank"),
    ),
    "standard": Preset(
        size=128,
        epochs={
            "dense-ae": (120,),
            "conv-ae": (120,),
            "conv-vae": (120,),
            "pix2pix": (10, 20, 40),
            "cyclegan": (12,),
            "sparse-ae": (240,),
            "cogan": (120,),
            "unit": (12,),
        },
        options={
            "pix2pix": {"width": 32},
            "cyclegan": {"width": 32, "blocks": 6},
            "cogan": {"width": 256},
            "unit": {"width": 32, "blocks": 2},
        },
        about="an hour or two without a GPU: 128 pixels, GANs of half width, two fifths of the study's epochs or less",
    ),
    "study": Preset(
        size=256,
        epochs={
            "dense-ae": (500,),
            "conv-ae": (500,),
            "conv-vae": (500,),
            "pix2pix": (20, 40, 100),
            "cyclegan": (20,),  # the study's claim is that few are enough, and its epochs cost the most of all
            "sparse-ae": (500,),
            "cogan": (500,),
            "unit": (100,),
        },
        options={},
        about="the study's own sizes and epochs, autoencoders from three seeds: hours on a GPU, days without",
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
    def results(self) -> dict[Direction, str]:
        """Return the name of each direction's result."""
        if self.direction is not None:
            return {self.direction: self.name}
        return {direction: f"{self.name}.{direction}" for direction in FAMILIES[self.method].directions}

    def config(self, data: Path) -> RunConfig:
        """Return the resolved settings of its training."""
        settings = self.settings | {"folder": data} | ({"direction": self.direction} if self.direction else {})
        return resolve(configure(self.method, settings))


Variants = dict[str, tuple[tuple[str, dict[str, Any]], ...]]

VARIANTS: Variants = {
    "dense-ae": (("", {}),),
    "conv-ae": (("-mse", {"loss": "mse"}), ("-mae", {"loss": "mae"}), ("-bce", {"loss": "bce"})),
    "conv-vae": (("-2", {"latent": 2}), ("-4", {"latent": 4}), ("-12", {"latent": 12})),
    "pix2pix": (("", {}),),
    "cyclegan": (("", {}),),
}
"""What the study varies within a family; each variant is a name's ending and its options."""

NAMED: Variants = {
    "sparse-ae": (("", {}),),
    "conv-ae": (("-ssim", {"loss": "ssim"}), ("-noise", {"loss": "mse", "noise": 0.1})),
    "cogan": (("", {}),),
    "unit": (("", {}),),
    "lle": (("", {}),),
    "mrf": (("", {}),),
}
"""What the study's text names and the study did not build, in the same form; its claims say nothing of these."""


def plan(preset: str, *, only: Sequence[str] = (), seeds: int | None = None) -> list[Cell]:
    """Return the cells of a study, those that others are made longer from first.

    Args:
        preset: a key of `PRESETS`.
        only: methods, cells or beginnings of cell names; all when empty.
        seeds: how often each cell is trained, with seeds from 0 up; None for the preset's number.

    Raises:
        ConfigError: an unknown preset, fewer seeds than 1, or an `only` that matches nothing.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset '{preset}'", nearest(preset, PRESETS, "known: " + ", ".join(PRESETS)))
    if seeds is not None and seeds < 1:
        raise ConfigError(f"`seeds` {seeds}", "expected 1 or more")
    own = PRESETS[preset].seeds
    cells = [
        cell
        for seed in range(seeds or max(own.values(), default=1))
        for variants, built in ((VARIANTS, True), (NAMED, False))
        for cell in _grid(PRESETS[preset], variants, seed, built=built)
        if seed < (seeds or own.get(cell.method, 1))
    ]
    cells += [Cell("pencil", "pencil", "photo2sketch")]
    unknown = [part for part in only if not any(_matches(cell, part) for cell in cells)]
    if unknown:
        names = [*FAMILIES, *(cell.name for cell in cells)]
        raise ConfigError(
            f"`only` {unknown[0]}: no such cell", nearest(unknown[0], names, "known: " + ", ".join(FAMILIES))
        )
    return _with_shorter([cell for cell in cells if not only or any(_matches(cell, part) for part in only)], cells)


def _matches(cell: Cell, part: str) -> bool:
    return part in {cell.method, cell.name, cell.direction} or cell.name.startswith(part)


def _with_shorter(chosen: list[Cell], cells: list[Cell]) -> list[Cell]:
    """Add the shorter runs that chosen cells are made longer from."""
    wanted = {cell.name for cell in chosen}
    for cell in reversed(cells):
        if cell.name in wanted and cell.extends:
            wanted.add(cell.extends)
    return [cell for cell in cells if cell.name in wanted]


def _grid(preset: Preset, families: Variants, seed: int, *, built: bool) -> Iterator[Cell]:
    tail = f".seed{seed}" if seed else ""
    for method, variants in families.items():
        directions: tuple[Direction | None, ...] = (None,) if FAMILIES[method].both_ways else DIRECTIONS
        own = (FAMILIES[method].defaults.epochs,)
        for ending, options in variants:
            lengths = preset.epochs.get(f"{method}{ending}", preset.epochs.get(method, own))
            for direction in directions:
                shorter = None
                for epochs in lengths:
                    length = f"-{epochs}" if len(lengths) > 1 else ""
                    name = f"{method}{ending}{length}{f'.{direction}' if direction else ''}{tail}"
                    settings = {
                        "size": preset.size,
                        "epochs": epochs,
                        "seed": seed,
                        "sample_every": max(1, epochs // 4),
                    }
                    settings |= {"limit": preset.limit} if preset.limit else {}
                    settings |= preset.options.get(method, {}) | options
                    yield Cell(name, method, direction, settings, extends=shorter, built=built)
                    shorter = name
