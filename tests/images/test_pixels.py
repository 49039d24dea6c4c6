"""Pixels survive the way to tensors and back, into a frame and out again, and to the disk."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tests.raw_pictures import names, noise

from facesketch.errors import ImageError, OutputError
from facesketch.images.fit import fit
from facesketch.images.io import open_image, save_image, to_array
from facesketch.images.tensors import to_image, to_tensor, with_channels

_RED = (200, 30, 10)


# To tensors and back


def test_a_red_picture_stays_red() -> None:
    red = Image.new("RGB", (16, 12), _RED)
    tensor = to_tensor(to_array(red, 3))
    assert tensor.shape == (3, 12, 16)
    assert tensor[0].min() > 0.5 > -0.7 > tensor[1:].max()
    assert to_image(tensor).getpixel((3, 3)) == _RED


@pytest.mark.parametrize("channels", [1, 3])
def test_all_values_come_back_exactly(channels: int) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(channels, axis=2)
    tensor = to_tensor(values)
    assert (float(tensor.min()), float(tensor.max()), tensor.dtype) == (-1.0, 1.0, torch.float32)
    assert (to_array(to_image(tensor), channels) == values).all()
    assert (to_tensor(values[None])[0] == tensor).all()


def test_what_leaves_the_range_is_clipped_and_the_rest_is_rounded() -> None:
    tensor = torch.tensor([[[-7.0, -1.0, 0.0, 0.9999, 1.0, 7.0]]], dtype=torch.float64)
    assert np.asarray(to_image(tensor))[0].tolist() == [0, 0, 128, 255, 255, 255]
    assert np.asarray(to_image(tensor.bfloat16().requires_grad_()))[0].tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_may_be_changed_in_memory_without_a_warning(channels: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = to_array(Image.new("RGB", (9, 9), _RED), channels)
        to_tensor(array)
    array[:] = 0


def test_with_channels_agrees_with_pillow() -> None:
    photo = noise(20, 16)
    colour = to_tensor(to_array(photo, 3))[None]
    grey = with_channels(colour, 1)
    assert grey.shape == (1, 1, 16, 20)
    assert (grey[0] - to_tensor(to_array(photo, 1))).abs().max() <= 1 / 127.5
    assert (with_channels(grey, 3) == grey).all()
    assert with_channels(grey, 3).shape == (1, 3, 16, 20)
    assert with_channels(colour, 3) is colour


# Into a frame and out again

_SIDE = st.integers(8, 300)


@given(
    width=_SIDE, height=_SIDE, longest=st.none() | _SIDE, multiple=st.integers(1, 64), channels=st.sampled_from([1, 3])
)
@settings(deadline=None)
def test_fit_pads_by_mirroring_and_cut_undoes_it(
    width: int, height: int, longest: int | None, multiple: int, channels: int
) -> None:
    image = noise(width, height, channels)
    content, bare = fit(image, channels, longest=longest)
    frame, placement = fit(image, channels, longest=longest, multiple=multiple)

    assert bare.content == placement.content == content.shape[1::-1]
    assert placement.original == (width, height)
    scale = min(1.0, (longest or 300) / max(width, height))
    for was, now in zip((width, height), placement.content, strict=True):
        assert abs(now - was * scale) <= 0.5 + 1e-9 or now == 1, "stretched"
    if scale == 1.0:
        assert (content == to_array(image, channels)).all()

    assert all(side % multiple == 0 for side in frame.shape[:2])
    assert all(0 <= padded - own < multiple for padded, own in zip(frame.shape[:2], content.shape[:2], strict=True))
    assert (placement.cut(to_tensor(frame)) == to_tensor(content)).all()
    assert (placement.cut(frame.transpose(2, 0, 1)) == content.transpose(2, 0, 1)).all(), "arrays are cut like tensors"
    assert np.isin(frame, content).all(), "padding holds new values"
    _assert_mirrored(frame, placement.offset[0], placement.content[0])
    _assert_mirrored(frame.swapaxes(0, 1), placement.offset[1], placement.content[1])


def _assert_mirrored(frame: NDArray[np.uint8], start: int, own: int) -> None:
    """Check the columns before `start` and after `start + own` against those beside them, last to first."""
    end, before = start + own, min(start, own)
    after = min(frame.shape[1] - end, own)
    assert (frame[:, start - before : start] == frame[:, start : start + before][:, ::-1]).all()
    assert (frame[:, end : end + after] == frame[:, end - after : end][:, ::-1]).all()


@given(width=_SIDE, height=_SIDE, side=st.integers(32, 256))
@settings(deadline=None, max_examples=50)
def test_a_given_frame_holds_the_picture_in_its_middle(width: int, height: int, side: int) -> None:
    frame, placement = fit(noise(width, height), 3, longest=side, frame=(side, side))
    assert frame.shape == (side, side, 3)
    for offset, own in zip(placement.offset, placement.content, strict=True):
        assert 0 <= (side - own) - 2 * offset <= 1
    assert placement.cut(to_tensor(frame)).shape == (3, placement.content[1], placement.content[0])


def test_a_shrunk_picture_shows_the_same() -> None:
    across, down = np.meshgrid(np.linspace(0, 255, 200), np.linspace(0, 255, 120))
    ramps = Image.fromarray(np.stack([across, down, np.full_like(across, 9)], axis=2).round().astype(np.uint8))
    content, _ = fit(ramps, 3, longest=50)
    across, down = np.meshgrid(np.linspace(2, 253, 50), np.linspace(3, 252, 30))
    assert np.abs(content - np.stack([across, down, np.full_like(across, 9)], axis=2)).max() < 4


def test_a_frame_that_is_too_small_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="the frame must hold the picture"):
        fit(noise(40, 30), 3, longest=None, frame=(40, 29))


# Saving


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".PNG"])
def test_what_is_saved_without_loss_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "made" / f"out{suffix}"
    save_image(noise(20, 16), path)
    assert (np.asarray(open_image(path)) == np.asarray(noise(20, 16))).all()
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_quality_decides_the_size(tmp_path: Path, suffix: str) -> None:
    for quality in (20, 95):
        save_image(noise(64, 64), tmp_path / f"{quality}{suffix}", quality=quality)
    assert (tmp_path / f"20{suffix}").stat().st_size < (tmp_path / f"95{suffix}").stat().st_size / 2


@pytest.mark.parametrize("name", ["out.txt", "out", "out.pdf", "out.ppm.bz2", "out.svg"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match=r"cannot write a '.*' picture; name it \.png"):
        save_image(noise(9, 9), tmp_path / name)
    assert names(tmp_path) == []


def test_a_format_that_cannot_hold_the_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"out\.jpg: JPEG cannot hold this picture .*; name it \.png"):
        save_image(Image.new("RGBA", (9, 9)), tmp_path / "out.jpg")
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_full_disk_leaves_the_older_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / f"out{suffix}"
    save_image(Image.new("L", (9, 9), 40), path)
    older = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full; free some space"):
        save_image(noise(64, 64), path)
    assert path.read_bytes() == older
    assert names(tmp_path) == [path.name]


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match=r"out\.png: cannot be written"):
        save_image(noise(9, 9), tmp_path / "taken" / "out.png")
    assert names(tmp_path) == ["taken"]
