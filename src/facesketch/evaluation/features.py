"""A set of pictures as the metrics take them, with features that are computed once, when they are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facesketch.errors import DataError, ImageError, some
from facesketch.faces.sface import SFace
from facesketch.images.io import to_array
from facesketch.methods.networks.backbones import VGG16Features, load_trunk
from facesketch.metrics.base import grey
from facesketch.metrics.descriptors import hog, raw_pixels
from facesketch.metrics.perceptual import features
from facesketch.metrics.retrieval import Array
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate

Size = tuple[int, int]


class FeatureExtractors:
    """The networks that extract features, each loaded when it is first asked for; on the CPU where there is no CUDA."""

    def __init__(self, device: torch.device) -> None:
        self.device = device if device.type == "cuda" else torch.device("cpu")  # others have no float64

    @cached_property
    def vgg(self) -> VGG16Features:
        """VGG16's trunk.

        Raises:
            MissingExtraError: the weights were not fetched.
            CheckpointError: the file is damaged or not theirs.
        """
        return load_trunk(VGG16Features(), locate("vgg16")).to(self.device)

    @cached_property
    def embedding(self) -> SFace:
        """SFace, with YuNet, which finds the faces; raises as `vgg` does."""
        return SFace(locate("sface"), shipped.YUNET)


class PictureSet:
    """Pictures of any sizes and modes, with one channel (Pillow's luma) or three.

    `faceless` has the indices of pictures in which no face was found; it is complete once `faces` was asked for.
    """

    def __init__(self, pictures: Sequence[Image.Image], channels: int, extractors: FeatureExtractors) -> None:
        self.channels, self._extractors = channels, extractors
        self.sizes: list[Size] = [picture.size for picture in pictures]
        self.faceless: set[int] = set()
        self._rows: dict[str, Array] = {}
        groups: dict[Size, list[int]] = defaultdict(list)
        for place, size in enumerate(self.sizes):
            groups[size].append(place)
        self._groups = list(groups.values())
        self._stacks = [
            torch.from_numpy(np.stack([to_array(pictures[place], channels) for place in places])).permute(0, 3, 1, 2)
            for places in self._groups
        ]

    def compare(self, truth: PictureSet, compute: Callable[[Tensor, Tensor], Tensor]) -> Array:
        """Return (N,) values of a metric that takes two batches of one size, (n, C, H, W) in 0..255."""
        device = self._extractors.device
        pairs = zip(self._stacks, truth._stacks, strict=True)
        return self._gathered([compute(one.to(device), other.to(device)).cpu().numpy() for one, other in pairs])

    def _gathered(self, parts: Sequence[Array]) -> Array:
        """Return the rows of the groups in the order of the pictures."""
        found = np.empty((len(self.sizes), *parts[0].shape[1:]))
        for places, rows in zip(self._groups, parts, strict=True):
            found[places] = rows
        return found

    @property
    def _stack(self) -> Tensor:
        if len(self._stacks) > 1:
            sizes = [f"{width}x{height}" for width, height in sorted(set(self.sizes))]
            raise DataError(f"pictures of {some(sizes)}", "expected one size, so type: facesketch faces align")
        return self._stacks[0]

    @property
    def grey(self) -> Array:
        """(N, H, W) grey, 0 to 255."""
        return np.asarray(grey(self._stack)[:, 0].numpy(), dtype=np.float64)

    @cached_property
    def vgg(self) -> Array:
        """(N, 512) VGG16 features."""
        return self._gathered([features(stack, self._extractors.vgg) for stack in self._stacks])

    @property
    def faces(self) -> Array:
        """(N, 128) unit SFace embeddings, or zeros for a picture without a face.

        Raises:
            ImageError: no picture has a face.
        """
        if not self._faces.any():
            raise ImageError("no face was found in any picture", "expected faces, or aligned pictures of 200x250")
        return self._faces

    @cached_property
    def _faces(self) -> Array:
        found = np.zeros((len(self.sizes), 128))
        for places, stack in zip(self._groups, self._stacks, strict=True):
            for place, image in zip(places, stack, strict=True):
                picture = image.expand(3, -1, -1).permute(1, 2, 0).numpy()
                try:
                    found[place] = self._extractors.embedding.describe([picture])[0]
                except ImageError:
                    self.faceless.add(place)
        return found

    def searchable(self, descriptor: str) -> Array:
        """Return the rows to search by: `raw pixels`, `HOG` or `SFace`."""
        if descriptor not in self._rows:
            describe = hog if descriptor == "HOG" else raw_pixels
            self._rows[descriptor] = self.faces if descriptor == "SFace" else describe(self._stack)
        return self._rows[descriptor]
