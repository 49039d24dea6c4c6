"""What YuNet is, and what it is shown."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from facesketch.faces.yunet import found
from facesketch.weights import shipped


class _Network:
    """Remembers what it is shown, and sees nobody."""

    size = (0, 0)
    shown = np.zeros(0)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802  as OpenCV calls it
        self.size = size

    def detect(self, picture: np.ndarray) -> tuple[int, None]:
        self.shown = picture.copy()
        return 1, None


def test_the_file_is_the_published_one_and_has_its_licence_beside_it() -> None:
    digest = hashlib.sha256(shipped.YUNET.read_bytes()).hexdigest()
    assert digest == "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
    licence = shipped.YUNET.with_name("LICENSE-YuNet").read_text(encoding="utf-8")
    assert shipped.YUNET.name in licence
    for words in ("MIT License", "Copyright (c) 2020 Shiqi Yu <shiqi.yu@gmail.com>", "shall be included in all"):
        assert words in licence


@pytest.mark.parametrize(
    ("size", "shown"), [((8, 320), (64, 320)), ((300, 20), (300, 64)), ((5, 7), (64, 64)), ((380, 320), (380, 320))]
)
def test_thin_pictures_are_continued_with_black(size: tuple[int, int], shown: tuple[int, int]) -> None:
    network, picture = _Network(), np.full((*size, 3), 255, np.uint8)
    assert found(network, picture).shape == (0, 15)
    assert network.shown.shape == (*shown, 3)
    assert network.size == shown[::-1]
    assert (network.shown[: size[0], : size[1]] == picture).all()
    assert network.shown.sum() == picture.sum(dtype=int), "the rest is black"
