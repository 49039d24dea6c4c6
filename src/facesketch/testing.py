"""What every method, metric and embedder must do, as classes of tests that pytest runs on yours.

Subclass one of them in a test file, and name what to test:

    from facesketch.testing import MethodContract

    class TestMyMethod(MethodContract):
        name = "my-method"
        options = {"width": 4}

The methods of the package pass the same tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file

from facesketch.config import Direction, Domain, RunConfig, configure
from facesketch.data.datasets import Batch
from facesketch.data.synthetic.draw import draw_pair, write_sample
from facesketch.images.fit import Placement
from facesketch.inference.engines.torch_engine import TorchEngine
from facesketch.inference.translator import Translator, load
from facesketch.methods.base import Method
from facesketch.methods.registry import build, family, resolve
from facesketch.search.embedding.embedders import embedder_named
from facesketch.training.state import load_state
from facesketch.training.trainer import resume, train

if TYPE_CHECKING:
    from facesketch.metrics.base import Metric

_SIZES = [(37, 53), (64, 41), (32, 32), (9, 130)]


class MethodContract:
    """The contract of a method that learns.

    Examples:
        >>> from facesketch.testing import MethodContract
        >>> class TestPix2Pix(MethodContract):
        ...     name = "pix2pix"
        ...     options = {"width": 4}
        >>> TestPix2Pix().test_result_has_the_size_of_the_input()

    Attributes:
        name: the method's name in `facesketch.list_methods()`.
        options: options that make it small, so that its tests take seconds.
        size: the side of the training pictures.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    size: ClassVar[int] = 32

    def test_result_has_the_size_of_the_input(self) -> None:
        """Pictures of any size, grey or in colour, come out in their size and the target's channels."""
        for direction in self._directions():
            for channels in ((3, 1), (1, 3)):
                settings = self._config(direction, photo_channels=channels[0], sketch_channels=channels[1])
                translator = Translator(TorchEngine(build(settings), settings))
                for served in translator.directions:
                    mode = "L" if channels[served == "photo2sketch"] == 1 else "RGB"
                    for size in _SIZES:
                        for given in ("L", "RGB"):
                            result = translator(_noise(size).convert(given), served)
                            assert (result.size, result.mode) == (size, mode)

    def test_translation_is_deterministic_and_in_range(self) -> None:
        """The same pictures give the same results in [-1, 1], alone and in a batch, whatever the weights."""
        for direction in self._directions():
            for wild in (False, True):
                settings = self._config(direction)
                torch.manual_seed(5)
                method = build(settings).eval()
                if wild:
                    for parameter in method.parameters():
                        torch.nn.init.normal_(parameter, std=3.0)
                batch = _batch(settings, method, 3)
                for served in method.translates:
                    images = batch.facing(served).source
                    before = torch.get_rng_state()
                    with torch.inference_mode():
                        result = method.translate(images, served)
                        assert torch.equal(result, method.translate(images, served))
                        alone = torch.cat([method.translate(image[None], served) for image in images])
                    assert torch.equal(torch.get_rng_state(), before), "translating draws random numbers"
                    assert result.dtype == torch.float32
                    assert -1.0 <= float(result.min()) <= float(result.max()) <= 1.0
                    torch.testing.assert_close(result, alone, rtol=1e-3, atol=1e-3)

    def test_phase_moves_only_the_parameters_of_its_optimiser(self) -> None:
        """Each parameter has one optimiser, and the gradients of a phase reach those of its own."""
        for direction in self._directions():
            settings = self._config(direction)
            method = build(settings).train()
            optimisers = method.optimisers(1e-3)
            held = {key: {id(p) for group in o.param_groups for p in group["params"]} for key, o in optimisers.items()}
            everything = sorted(id(parameter) for parameter in method.parameters())
            assert sorted(one for some in held.values() for one in some) == everything
            seen = []
            for phase in method.training_step(_batch(settings, method)):
                seen.append(phase.name)
                assert phase.loss.ndim == 0
                phase.loss.backward()
                reached = {id(p) for p in method.parameters() if p.grad is not None}
                assert reached == held[phase.name], f"{phase.name}: gradients reach parameters of another optimiser"
                assert all(p.requires_grad for p in method.parameters()), "parameters that a loss froze stay frozen"
                method.zero_grad(set_to_none=True)
            assert seen == list(dict.fromkeys(seen))
            assert set(seen) == set(optimisers)

    def test_all_channel_counts_train(self) -> None:
        """Grey and colour, on either side, give finite losses and results of the target's channels."""
        for direction in self._directions():
            for photo, sketch in ((1, 1), (1, 3), (3, 3)):
                settings = self._config(direction, photo_channels=photo, sketch_channels=sketch)
                method = build(settings).train()
                batch = _batch(settings, method)
                for phase in method.training_step(batch):
                    assert math.isfinite(float(phase.loss.detach()))
                for served in method.eval().translates:
                    facing = batch.facing(served)
                    assert method.translate(facing.source, served).shape == facing.target.shape

    def test_resumed_run_equals_the_longer_run(self, tmp_path: Path) -> None:
        """A run that ends, and then resumes, has exactly the weights of the longer run, and keeps their average."""
        settings = self._settings() | {"data": _pairs(tmp_path), "batch_size": 4, "average": 0.9, "quiet": True}
        whole = train(self.name, tmp_path / "whole", epochs=2, **settings)
        run = train(self.name, tmp_path / "run", epochs=1, **settings)
        resume(run, epochs=2, quiet=True)
        for file in ("weights.safetensors", "config.toml"):
            assert (run / file).read_bytes() == (whole / file).read_bytes(), f"{file} differs"
        best, expected = (load_file(each / "best.safetensors") for each in (run, whole))  # headers name the length
        assert best.keys() == expected.keys()
        assert all(np.array_equal(best[name], expected[name]) for name in expected), "best.safetensors differs"
        if not family(self.name).exemplars:
            state, kept = load_state(run), load_file(run / "weights.safetensors")
            assert state is not None
            assert all(np.array_equal(kept[name], state["averaged"][f"module.{name}"]) for name in kept)
            assert any(not np.array_equal(kept[name], state["method"][name]) for name in kept), "not averaged"

    def test_model_file_alone_translates(self, tmp_path: Path) -> None:
        """A model file, moved elsewhere, gives what its run gives; so does its ONNX file, where there is one."""
        settings = self._settings() | {"data": _pairs(tmp_path), "steps": 1, "quiet": True}
        run = train(self.name, tmp_path / "run", **settings)
        copy = (run / "best.safetensors").rename(tmp_path / "model.safetensors")
        translator = load(copy)
        picture = _noise((37, 53))
        drawn = {served: np.asarray(translator(picture, served)).astype(int) for served in translator.directions}
        assert all(pixels.shape[:2] == (53, 37) for pixels in drawn.values())
        if family(self.name).exemplars or find_spec("onnx") is None or find_spec("onnxscript") is None:
            return
        from facesketch.inference.export.export import export

        for made in export(copy, tmp_path / "model.onnx"):
            exported = np.asarray(load(made.path)(picture, made.direction))
            assert np.abs(exported - drawn[made.direction]).max() <= 2

    def _directions(self) -> tuple[Direction, ...]:
        kind = family(self.name)
        return kind.directions[:1] if kind.both_ways else kind.directions

    def _settings(self) -> dict[str, Any]:
        small = {"size": self.size, "batch_size": 2, "device": "cpu", "precision": "fp32", "samples": 0}
        return small | dict(self.options)

    def _config(self, direction: Direction, **changes: Any) -> RunConfig:
        return resolve(configure(self.name, self._settings() | {"direction": direction} | changes))


class MetricContract:
    """The contract of a metric that compares a picture with the true one.

    Examples:
        >>> from facesketch.metrics.fidelity import ssim
        >>> from facesketch.testing import MetricContract
        >>> class TestSsim(MetricContract):
        ...     metric = ssim
        >>> TestSsim().test_equal_pictures_are_the_most_alike()

    Attributes:
        metric: what `facesketch.metrics.base.metric` made.
    """

    metric: ClassVar[Metric]

    def test_one_number_per_picture(self) -> None:
        """There is one finite value per picture, the same alone and in a batch."""
        result, truth = self._pictures(1), self._pictures(2)
        values = self.metric(result, truth)
        assert values.shape == (len(truth),)
        assert torch.isfinite(values).all()
        alone = [self.metric(*each) for each in zip(result.split(1), truth.split(1), strict=True)]
        torch.testing.assert_close(values, torch.cat(alone), rtol=1e-4, atol=1e-5)

    def test_equal_pictures_are_the_most_alike(self) -> None:
        """No picture is more like the true one than the true one itself."""
        truth = self._pictures(2)
        assert (self.metric(truth, truth) >= self.metric(self._pictures(1), truth)).all()

    def _pictures(self, seed: int) -> torch.Tensor:
        """Return (3, C, S, S) photos of drawn faces, of the least size or larger."""
        side, chance = max(64, self.metric.smallest), np.random.default_rng(seed)
        photos = [draw_pair(chance, side)[0].convert("RGB" if self.metric.colour else "L") for _ in range(3)]
        arrays = [np.asarray(photo, np.float32).reshape(side, side, -1).transpose(2, 0, 1) for photo in photos]
        return torch.from_numpy(np.stack(arrays))


class EmbedderContract:
    """The contract of an embedder.

    Examples:
        >>> from facesketch.testing import EmbedderContract
        >>> class TestHog(EmbedderContract):
        ...     name = "hog"
        >>> TestHog().test_rows_are_unit_vectors()

    Attributes:
        name: the embedder's name.
    """

    name: ClassVar[str]

    def test_rows_are_unit_vectors(self) -> None:
        """Each face becomes one row of length 1, the same alone and among others."""
        embedder, chance = embedder_named(self.name), np.random.default_rng(0)
        pairs = [draw_pair(chance, 250) for _ in range(3)]
        sides: dict[Domain, list[Image.Image]] = {
            "photo": [photo.resize((200, 250)) for photo, _ in pairs],
            "sketch": [sketch.resize((200, 250)) for _, sketch in pairs],
        }
        for domain, faces in sides.items():
            rows = embedder.describe(faces, domain)
            assert rows.dtype == np.float32
            assert rows.shape == (3, embedder.dimension)
            assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
            assert np.allclose(embedder.describe(faces[:1], domain), rows[:1], atol=1e-4)

    def test_galleries_can_tell_it_from_others(self) -> None:
        """Its name has no hyphen, and its id begins with the name and a hyphen."""
        embedder = embedder_named(self.name)
        assert embedder.name == self.name
        assert "-" not in embedder.name
        assert embedder.id.startswith(f"{embedder.name}-")


def _noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def _batch(config: RunConfig, method: Method, count: int = 2) -> Batch:
    side, stems = method.frame, tuple(str(number) for number in range(count))
    photo = torch.rand(count, config.data.photo_channels, side, side) * 2 - 1
    sketch = torch.rand(count, config.data.sketch_channels, side, side) * 2 - 1
    place = Placement((side, side), (side, side), (0, 0))
    return Batch(photo, sketch, stems, stems, (place,) * count, config.direction)


def _pairs(folder: Path) -> Path:
    write_sample(folder / "pairs", pairs=12, size=64, seed=0)
    return folder / "pairs"
