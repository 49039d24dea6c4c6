"""Any picture in, the same kind of thing out, in its own size and its own colours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from facesketch.config import DIRECTIONS, AugmentConfig, DataConfig, Direction, MethodConfig, RunConfig
from facesketch.data.datasets import Batch, PairDataset, batches, epoch_keys
from facesketch.data.pairs import Pair, Source
from facesketch.errors import CheckpointError, ConfigError, ImageError
from facesketch.images.io import encoded
from facesketch.images.tensors import to_image
from facesketch.inference.engines.torch_engine import TorchEngine
from facesketch.inference.translator import Translator, load
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import Family
from facesketch.training.trainer import train
from facesketch.weights import shipped


class Identity(Method):
    """A network that gives back what it gets, and remembers the size it got."""

    Options = Family

    def __init__(self, data: DataConfig, *, fixed: bool = False, multiple: int = 1) -> None:
        super().__init__(self.Options(), data, "photo2sketch")
        self.fixed, self.multiple = fixed, multiple
        self.seen: list[tuple[int, ...]] = []

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        yield from ()

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        self.seen.append(tuple(images.shape))
        return images

    def optimisers(self, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        return {}


def _translator(size: int = 64, channels: Any = 3, **shape: Any) -> tuple[Translator, Identity]:
    data = DataConfig(size=size, photo_channels=channels, sketch_channels=channels)
    method = Identity(data, **shape)
    return Translator(TorchEngine(method, RunConfig(method=MethodConfig(name="identity"), data=data))), method


def _noise(width: int, height: int, channels: int = 3) -> NDArray[np.uint8]:
    array = np.random.default_rng(width * height).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return array[:, :, 0] if channels == 1 else array


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 64), st.integers(1, 64), st.sampled_from([{}, {"multiple": 8}, {"multiple": 32}, {"fixed": True}])
)
def test_what_goes_through_unchanged_comes_out_unchanged(width: int, height: int, shape: dict[str, Any]) -> None:
    translator, _ = _translator(**shape)
    picture = Image.fromarray(_noise(width, height))
    assert np.array_equal(np.asarray(translator(picture)), np.asarray(picture))


@pytest.mark.parametrize("size", [(300, 200), (37, 530), (65, 64), (1000, 9), (1, 1)])
@pytest.mark.parametrize("shape", [{}, {"multiple": 16}, {"fixed": True}])
def test_larger_pictures_are_shrunk_and_come_back_large(size: tuple[int, int], shape: dict[str, Any]) -> None:
    translator, method = _translator(**shape)
    across, down = (200, 10) if size[0] > size[1] else (10, 200)  # of the shorter side a single pixel may be left
    ramps = np.add.outer(np.linspace(0, down, size[1]), np.linspace(0, across, size[0])).round().astype(np.uint8)
    result = translator(Image.fromarray(np.repeat(ramps[:, :, None], 3, 2)))
    assert result.size == size
    assert max(method.seen[0][-2:]) <= 64
    assert np.abs(np.asarray(result)[:, :, 0].astype(float) - ramps).mean() < 6


def test_at_native_resolution_the_pixels_are_the_picture_s_own() -> None:
    translator, method = _translator(multiple=16)
    picture = Image.fromarray(_noise(301, 207))
    assert np.array_equal(np.asarray(translator(picture, resolution="native")), np.asarray(picture))
    assert method.seen == [(1, 3, 208, 304)]
    fixed, _ = _translator(fixed=True)
    with pytest.raises(ConfigError, match="model: this network has a fixed size of 64; leave out `resolution` native"):
        fixed(picture, resolution="native")


def test_padding_is_mirrored_picture() -> None:
    class Peek(Identity):
        def translate(self, images: Tensor, direction: Direction) -> Tensor:
            self.frame_seen = to_image(images[0])
            return images

    data = DataConfig(size=32)
    method = Peek(data, fixed=True)
    Translator(TorchEngine(method, RunConfig(method=MethodConfig(name="peek"), data=data)))(
        Image.fromarray(_noise(20, 32))
    )
    frame, picture = np.asarray(method.frame_seen), _noise(20, 32)
    assert np.array_equal(frame[:, 6:26], picture)
    assert np.array_equal(frame[:, :6], picture[:, 5::-1])
    assert np.array_equal(frame[:, 26:], picture[:, :-7:-1])


@pytest.mark.parametrize("faces", [False, True])
def test_black_corners_are_filled_for_models_of_aligned_faces_alone(faces: bool) -> None:
    data = DataConfig(size=250, faces=faces)
    turned = Image.new("RGB", (200, 250), (90, 150, 210)).rotate(4)
    method = Identity(data)
    settings = RunConfig(method=MethodConfig(name="identity"), data=data)
    result = np.asarray(Translator(TorchEngine(method, settings)).translate([turned])[0])
    assert (result.min() > 80) == faces
    assert np.array_equal(result, np.asarray(turned)) != faces


# Kinds of pictures


def test_every_kind_comes_back_as_its_own_kind(tmp_path: Path) -> None:
    translator, _ = _translator()
    array = _noise(40, 30)
    path = tmp_path / "face.png"
    Image.fromarray(array).save(path)
    for given_ in (path, str(path), Image.fromarray(array)):
        result = translator(given_)
        assert isinstance(result, Image.Image)
        assert np.array_equal(np.asarray(result), array)
    content = translator(path.read_bytes())
    assert content.startswith(b"\x89PNG")
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(np.asarray(image), array)
    result = translator(array)
    assert result.dtype == np.uint8
    assert np.array_equal(result, array)
    for kind in (np.float32, np.float64):
        floats = (array / 255.0).astype(kind)
        assert translator(floats).dtype == kind
        translator(floats)[0, 0] = 0.5  # it is the caller's own
        np.testing.assert_allclose(translator(floats), floats, atol=1e-6)
    result[:] = 0


def test_grey_pictures_and_alpha() -> None:
    translator, _ = _translator(channels=1)
    grey = _noise(40, 30, 1)
    assert np.array_equal(translator(grey), grey)
    assert np.array_equal(translator(grey[:, :, None]), grey)
    clear = np.zeros((30, 40, 4), dtype=np.uint8)
    assert np.array_equal(translator(clear), np.full((30, 40), 255))


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((3, 40, 40), dtype=np.uint8), r"shape \(3, 40, 40\) is not a picture; expected \(H, W\)"),
        (np.zeros(40, dtype=np.uint8), "is not a picture"),
        (np.zeros((40, 40)) + 2.0, r"an array of float64 in \[2.0, 2.0\]; expected uint8, or floats in \[0, 1\]"),
        (np.full((40, 40), np.nan), "expected uint8, or floats"),
        (np.zeros((40, 40), dtype=np.int64), "an array of int64"),
        (np.zeros((0, 40), dtype=np.uint8), "is not a picture"),
        (np.zeros((40, 0, 3)), "is not a picture"),
        (b"no picture", "not a picture that can be read"),
        (b"", "the file is empty"),
        (7, "a int is not a picture; give a path, bytes, a PIL image or an array"),
        (None, "a NoneType is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(picture: Any, said: str) -> None:
    translator, _ = _translator()
    with pytest.raises(ImageError, match=said) as caught:
        translator(picture)
    assert len(str(caught.value).splitlines()) == 1


def _half_read(tmp_path: Path) -> Image.Image:
    buffer = io.BytesIO()
    Image.fromarray(_noise(200, 200)).save(buffer, "PNG")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[:5000])
    return Image.open(tmp_path / "half.png")


def test_a_pil_picture_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    translator, _ = _translator()
    with _half_read(tmp_path) as half, pytest.raises(ImageError, match="cut short"):
        translator(half)
    Image.fromarray(_noise(20, 20)).save(tmp_path / "whole.png")
    closed = Image.open(tmp_path / "whole.png")
    closed.close()
    with pytest.raises(ImageError, match=r"closed.*open it again"):
        translator(closed)
    read = Image.open(tmp_path / "whole.png")
    read.load()
    read.close()
    with pytest.raises(ImageError, match=r"closed.*open it again"):
        translator(read)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"resolution": "full"}, "trained, native"),
        ({"resolution": "nativ"}, "did you mean 'native'"),
        ({"direction": "photo_to_sketch"}, "did you mean 'photo2sketch'"),
        ({"direction": "sketch-photo"}, "did you mean 'sketch2photo'"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(options: dict[str, Any], said: str) -> None:
    translator, _ = _translator()
    with pytest.raises(ConfigError, match=said):
        translator(_noise(20, 20), **options)


def test_an_unknown_word_for_loading_is_refused_with_the_nearest() -> None:
    for wrong, near in (({"weights": "latest"}, "last"), ({"engine": "onnxx"}, "onnx"), ({"device": "cud"}, "cuda")):
        with pytest.raises(ConfigError, match=f"did you mean '{near}'"):
            load("photo2sketch", **wrong)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="did you mean 'photo2sketch'"):
        load("photo_to_sketch")


def test_the_pencil_draws_with_any_engine() -> None:
    picture = _noise(20, 20)
    assert np.array_equal(load("pencil", engine="onnx")(picture), load("pencil")(picture))


@pytest.mark.parametrize(
    ("settings", "near"),
    [({"direction": "photo_to_sketch"}, "photo2sketch"), ({"precision": "bf17"}, "bf16"), ({"epoch": 3}, "epochs")],
)
def test_an_unknown_word_for_training_is_refused_with_the_nearest(
    tmp_path: Path, settings: dict[str, Any], near: str
) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{near}'"):
        train("conv-ae", tmp_path / "run", **({"direction": "photo2sketch", "data": tmp_path} | settings))
    assert not (tmp_path / "run").exists()


def test_colours_go_from_file_to_batch_to_picture_as_they_are(tmp_path: Path) -> None:
    colours = {"red": (220, 30, 10), "green": (20, 200, 40), "blue": (5, 60, 230)}
    for name, colour in colours.items():
        Image.new("RGB", (48, 48), colour).save(tmp_path / f"{name}.png")
    pairs = [Pair(name, name, *[Source(tmp_path / f"{name}.png")] * 2) for name in colours]
    config = DataConfig(size=48, photo_channels=3, sketch_channels=3)
    data = PairDataset(pairs, config, AugmentConfig(light=0.0), frame=48)
    (batch,) = batches(data, epoch_keys(3, 3, 0), "photo2sketch")
    translator, _ = _translator(48)
    for stem, photo, sketch in zip(batch.photo_stems, batch.photo, batch.sketch, strict=True):
        for tensor in (photo, sketch):
            assert to_image(tensor).getpixel((20, 20)) == colours[stem]
        assert translator(tmp_path / f"{stem}.png").getpixel((20, 20)) == colours[stem]


def test_exif_is_turned_before_translating(tmp_path: Path) -> None:
    translator, _ = _translator()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_noise(40, 30)).save(tmp_path / "turned.png", exif=exif)
    assert translator(tmp_path / "turned.png").size == (30, 40)


# Models


def test_an_unknown_model_or_device_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("pencil").directions == ("photo2sketch",)
    for path in ("runs/none", "model.safetensors", "pix2pix", "pencl"):
        with pytest.raises(CheckpointError, match=f"{path}: no such model file"):
            load(path)
    with pytest.raises(ConfigError, match="device 'tpu'"):
        load("pencil", device="tpu")


def test_a_translator_puts_its_method_to_work_not_to_learn() -> None:
    method = Identity(DataConfig(size=32)).train()
    translator = Translator(TorchEngine(method, RunConfig(method=MethodConfig(name="identity"))))
    assert not method.training
    picture = translator(Image.fromarray(_noise(20, 20)))
    assert picture.size == (20, 20)


def test_png_bytes_are_a_png_of_the_picture() -> None:
    image = Image.fromarray(_noise(9, 5))
    with Image.open(io.BytesIO(encoded(image, "PNG"))) as again:
        assert (again.format, again.size) == ("PNG", (9, 5))
        assert np.array_equal(np.asarray(again), np.asarray(image))


def test_the_package_s_own_models_go_by_their_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8))
    for way in DIRECTIONS:
        assert np.array_equal(load(way)(picture), load(shipped.path(way))(picture))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo2sketch").mkdir()
    with pytest.raises(CheckpointError, match="photo2sketch"):  # a run of this name comes first
        load("photo2sketch")
