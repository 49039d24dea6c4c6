"""Pictures as float tensors in [-1, 1], and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facesketch.images.io import LUMA


def to_tensor(array: NDArray[np.uint8]) -> Tensor:
    """Return an (H, W, C) or (N, H, W, C) uint8 array as float32 channels-first in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, -3)))
    return tensor.to(torch.float32).div_(127.5).sub_(1.0)


def to_image(tensor: Tensor) -> Image.Image:
    """Return a (C, H, W) tensor in [-1, 1] as an `L` (C = 1) or `RGB` (C = 3) picture, rounded, clipped."""
    array = tensor.detach().to("cpu", torch.float32).add(1.0).mul(127.5).round_().clamp_(0, 255).to(torch.uint8).numpy()
    return Image.fromarray(array[0] if array.shape[0] == 1 else np.ascontiguousarray(np.moveaxis(array, 0, -1)))


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Return (N, C, H, W) pictures with 1 channel (ITU-R 601 luma) or 3 (repeated), in the range they came in."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    return (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
