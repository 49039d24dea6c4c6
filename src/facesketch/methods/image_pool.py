"""The buffer of generated pictures that CycleGAN's discriminators learn from (Shrivastava et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class ImagePool:
    """Keeps up to `capacity` generated pictures and hands out old ones half of the time.

    The coin comes from torch's global random state, which a resumed training restores.
    """

    def __init__(self, capacity: int = 50) -> None:
        self.capacity = capacity
        self.images: list[Tensor] = []

    def exchange(self, fresh: Tensor) -> Tensor:
        """Return a batch of the same shape: each picture is the fresh one or, once the pool is full, by a coin, an
        old one.

        Args:
            fresh: (N, C, H, W), without a graph.
        """
        return torch.stack([self._exchange_one(image) for image in fresh]) if self.capacity else fresh

    def _exchange_one(self, image: Tensor) -> Tensor:
        if len(self.images) < self.capacity:
            self.images.append(image.clone())
            return image
        if torch.rand(()).item() < 0.5:
            return image
        place = int(torch.randint(self.capacity, ()).item())
        old, self.images[place] = self.images[place], image.clone()
        return old

    def extra_state(self) -> list[Tensor]:
        """Return the pictures kept, oldest place first."""
        return list(self.images)

    def load_extra_state(self, images: Sequence[Tensor], device: torch.device) -> None:
        """Take back what `extra_state` returned."""
        self.images = [image.to(device) for image in images]
