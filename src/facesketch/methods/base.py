"""What a method is: its networks, and the training step and translation that each one defines.

`training_step` is a generator that yields one `Phase` at a time, so that a method reads like its paper. The trainer
computes the gradients of each phase's loss and steps that phase's optimiser before it asks for the next one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import ENDS, DataConfig, Direction, RunConfig
from facesketch.data.datasets import Batch, PairDataset
from facesketch.data.pairs import Pair
from facesketch.errors import ConfigError
from facesketch.faces.colours import NUMBERS, Part
from facesketch.methods.families import Family


@dataclass(frozen=True)
class Phase:
    """One part of a training step.

    Examples:
        >>> from facesketch.methods.base import Phase
        >>> import torch
        >>> Phase.weighted("generator", adversarial=(1, torch.tensor(0.5)), l1=(100, torch.tensor(0.25))).loss
        tensor(25.5000)

    Attributes:
        name: a key of `Method.phases`, which names the networks that this loss moves.
        loss: a scalar with a graph.
        logged: further scalars for the log.
    """

    name: str
    loss: Tensor
    logged: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def weighted(cls, name: str, **parts: tuple[float, Tensor]) -> Phase:
        """Return a phase whose loss is a sum of weighted parts, each of which is logged without its weight."""
        loss = torch.stack([weight * part for weight, part in parts.values()]).sum()
        return cls(name, loss, {part: value.detach() for part, (_, value) in parts.items()})


class Method(nn.Module):
    """The networks and losses of one family of models.

    `METHODS` in the registry names the class. A subclass names its `Options`, sets `multiple`, `fixed` and `phases`,
    and implements `training_step` and `translate`. A method that learns both directions at once ignores `direction`.
    """

    Options: ClassVar[type[Family]]
    """Its options, and what is known of its family."""
    options: Any
    fixed: bool = False
    """Translates pictures of exactly `frame` square and no other."""
    halves: bool = False
    """Its layers halve the side down to a few pixels, so that the frame is a power of two, and at least 32."""
    multiple: int = 1
    """Both sides of a picture must be multiples of this."""
    styles: tuple[str, ...] = ()
    """The styles that the model draws in, the default first; empty for a method without styles."""
    phases: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The names of the networks that each phase of a training step moves."""
    colours: tuple[Part, ...] = ()
    """What the model takes the colour of as a hint."""

    def __init__(self, options: Family, data: DataConfig, direction: Direction) -> None:
        super().__init__()
        self.options, self.data, self.direction = options, data, direction

    @staticmethod
    def needs(options: Any) -> tuple[str, ...]:
        """Name the third-party weights (`facesketch models`) that training reads, but not translating."""
        return ()

    @classmethod
    def check_pairs(cls, config: RunConfig, pairs: Sequence[Pair]) -> None:
        """Raise a ConfigError where the pairs are not such as these settings can learn from."""

    @property
    def translates(self) -> tuple[Direction, ...]:
        """The directions that this trained model serves."""
        return self.Options.directions if self.Options.both_ways else (self.direction,)

    @property
    def frame(self) -> int:
        """Side of the square that training pictures are padded to."""
        if self.halves:
            return max(32, 1 << (self.data.size - 1).bit_length())
        return -(-self.data.size // self.multiple) * self.multiple

    @property
    def source_channels(self) -> int:
        """Channels of what goes in."""
        return self.data.channels(ENDS[self.direction][0])

    @property
    def target_channels(self) -> int:
        """Channels of what comes out."""
        return self.data.channels(ENDS[self.direction][1])

    @abstractmethod
    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Yield the phases of one step, each with a loss whose graph is still whole."""

    @abstractmethod
    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate pictures.

        Args:
            images: (N, C, H, W) in [-1, 1], sides multiples of `multiple` (`frame` square when `fixed`).
            direction: one of `translates`.

        Returns:
            (N, C', H, W) in [-1, 1].
        """

    def reproduce(self, batch: Batch) -> Tensor:
        """Translate the sources of pairs, to be compared with their targets."""
        return self.translate(batch.source, batch.direction)

    def draw(self, images: Tensor, style: Tensor) -> Tensor:
        """Translate each picture in its own mixture of `styles` and with its own `colours`: (N, S + T).

        For methods that have styles or take colours; `Preprocessing.conditions` makes the weights.
        """
        raise NotImplementedError(f"{type(self).__name__} has no styles")

    @property
    def conditions(self) -> int:
        """Return S + T, how many numbers `draw` takes for a picture; 0 without styles and colours."""
        return max(len(self.styles), 1) + NUMBERS * len(self.colours) if self.styles or self.colours else 0

    def memorise(self, pairs: PairDataset) -> None:
        """Take in what is not learned step by step; called once, before a training's first step."""

    def load_exported(self, weights: Mapping[str, Tensor], config: RunConfig) -> None:
        """Start from the weights of an exported model, by their names in that method, and its settings.

        Raises:
            ConfigError: an export of this method does not keep enough.
        """
        name = config.method.name
        raise ConfigError(f"an exported {name} keeps only what it needs to translate", "start from its run folder")

    def optimisers(self, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        """Return one Adam per phase, with the betas of `defaults`, fused where the device has it."""
        found: dict[str, torch.optim.Optimizer] = {}
        for phase, networks in self.phases.items():
            parameters = [each for network in networks for each in getattr(self, network).parameters()]
            fused = all(parameter.device.type in {"cpu", "cuda"} for parameter in parameters)
            betas = self.Options.defaults.betas
            found[phase] = torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=fused)
        return found

    def extra_state(self) -> dict[str, Any]:
        """Return what a resumed training needs beside weights and optimisers: tensors, numbers, lists of them."""
        return {}

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `extra_state` returned."""


def check_patches(frame: int, size: int) -> None:
    """Refuse a frame in which a patch discriminator is left with a single pixel.

    Raises:
        ConfigError: the frame is smaller than 32.
    """
    if frame < 32:
        raise ConfigError(f"size = {size}: the patch discriminator needs at least 32 pixels", "type `size` 32")
