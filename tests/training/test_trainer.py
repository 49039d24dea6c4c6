"""The loop: which pairs it sees, which epoch it calls best, and what its settings do to the weights."""

from __future__ import annotations

import inspect
import itertools
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from facesketch import train
from facesketch.checkpoints.checkpoint import load_method, save_weights
from facesketch.checkpoints.header import read_header
from facesketch.cli import train as cli_train
from facesketch.cli.main import main
from facesketch.config import RunConfig, configure
from facesketch.data.datasets import PairDataset, epoch_keys
from facesketch.data.pairs import Source
from facesketch.errors import CheckpointError, ConfigError, DataError, OutputError
from facesketch.inference.translator import load
from facesketch.methods.dense_ae import DenseAE
from facesketch.training import state, trainer
from facesketch.training.log import read_log
from facesketch.training.state import load_state, save_state
from facesketch.training.trainer import resume

SMALL: dict[str, Any] = {
    **{"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "samples": 0},
    **{"device": "cpu", "precision": "fp32", "quiet": True},
}
MAGENTA, GREEN = (255, 0, 255), (0, 255, 0)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path_factory.mktemp("trainer") / "pairs")


def _weights(run: Path, name: str = "weights") -> dict[str, Tensor]:
    return safetensors.torch.load_file(run / f"{name}.safetensors")


def _apart(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def _epochs(run: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(run / "log.jsonl") if line["event"] == "epoch"]


# Who is seen


def _paint(folder: Path, side: str, colour: tuple[int, int, int]) -> None:
    for path in folder.rglob(f"{side}-*.png"):
        Image.new("RGB", (64, 64), colour).save(path)


def _holds(data: PairDataset, colour: tuple[int, int, int]) -> bool:
    return any(bool((array == colour).all(axis=-1).any()) for array in (data.photos.array, data.sketches.array))


@pytest.mark.parametrize("method", ["dense-ae", "cyclegan"])
def test_training_and_validation_see_only_their_own_pairs(
    method: str, arrange: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = arrange(tmp_path / "pairs")
    _paint(folder, "test", MAGENTA)
    _paint(folder, "validation", GREEN)
    made: list[PairDataset] = []
    opened: list[str] = []
    real = Source.open

    class Spied(PairDataset):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    def spy(source: Source, **options: Any) -> Image.Image:
        opened.append(source.path.name)
        return real(source, **options)

    monkeypatch.setattr(state, "PairDataset", Spied)
    monkeypatch.setattr(Source, "open", spy)
    narrow = {"hidden": 4} if method == "dense-ae" else {"width": 2, "blocks": 1}
    small = {key: value for key, value in SMALL.items() if key not in {"hidden", "latent"}}
    train(method, tmp_path / "run", data=folder, epochs=1, sketch_channels=3, **small, **narrow)
    training, validation = made
    assert (len(training), len(validation)) == (8, 2)
    assert not _holds(training, MAGENTA)
    assert not _holds(training, GREEN)
    assert not _holds(validation, MAGENTA)
    assert _holds(validation, GREEN), "the marks are there to be seen"
    assert len(opened) == 2 * (8 + 2), "every picture is decoded once"
    assert not [name for name in opened if name.startswith("test")]


def test_training_does_not_need_the_test_pictures(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    whole = train("dense-ae", tmp_path / "whole", data=folder, epochs=2, **SMALL)
    for path in folder.rglob("test-*.png"):
        path.write_bytes(b"")
    blind = train("dense-ae", tmp_path / "blind", data=folder, epochs=2, **SMALL)
    for name in ("weights.safetensors", "best.safetensors", "environment.json"):
        assert (whole / name).read_bytes() == (blind / name).read_bytes()


def test_validation_changes_no_weight(arrange: Callable[..., Path], tmp_path: Path) -> None:
    runs = []
    for name, validation in (("with", 2), ("without", 0)):
        folder = arrange(tmp_path / name, validation=validation)
        small = {key: value for key, value in SMALL.items() if key not in {"hidden"}} | {"validation": 0.0}
        runs.append(train("conv-vae", tmp_path / f"run-{name}", data=folder, epochs=2, **small))
    assert _apart(*(_weights(run) for run in runs)) == 0.0, "its noise must not come out of the training's"


# Best and last


@pytest.mark.parametrize(("best_by", "pick"), [("ssim", max), ("mae", min), ("loss", min)])
def test_best_is_the_epoch_that_validates_best(
    best_by: str, pick: Callable[..., float], pairs: Path, tmp_path: Path
) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=8, learning_rate=0.05, best_by=best_by, **SMALL)
    epochs = _epochs(run)
    figures = [epoch["validation"][best_by] for epoch in epochs]
    winner = figures.index(pick(figures))
    assert winner != len(epochs) - 1, "a run in which the last epoch is not the best"
    running = [number == figures.index(pick(figures[: number + 1])) for number in range(len(figures))]
    assert [epoch["best"] for epoch in epochs] == running
    notes = read_header(run / "best.safetensors").notes
    assert notes["epoch"] == winner + 1
    assert notes["validation"][best_by] == figures[winner]
    assert read_header(run / "weights.safetensors").notes["epoch"] == 8
    assert epochs[0]["why"] == f"first validation: {best_by} {figures[0]:.4f}"
    best = figures[0]
    for epoch, value in zip(epochs[1:], figures[1:], strict=True):
        verdict = "better than" if epoch["best"] else "not better than"
        assert epoch["why"] == f"{best_by} {value:.4f} is {verdict} {best:.4f}"
        best = pick(best, value)


def test_the_validation_figures_are_those_of_the_translations(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=2, **SMALL)
    translator = load(run, weights="last")
    errors = []
    for photo in sorted((pairs / "photos").glob("validation-*.png")):
        small = Image.open(photo).resize((32, 32), Image.Resampling.BICUBIC, reducing_gap=3.0)
        truth = Image.open(pairs / "sketches" / photo.name).convert("L")
        truth = truth.resize((32, 32), Image.Resampling.BICUBIC, reducing_gap=3.0)
        result = np.asarray(translator(small)).astype(float)
        errors.append(np.abs(result - np.asarray(truth)).mean() / 255)
    assert _epochs(run)[-1]["validation"]["mae"] == pytest.approx(np.mean(errors), abs=1e-3)


def test_without_validation_the_last_is_taken_and_the_log_says_so(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs", validation=0)
    run = train("dense-ae", tmp_path / "run", data=folder, epochs=2, validation=0.0, **SMALL)
    assert [epoch["why"] for epoch in _epochs(run)] == [
        "no validation pairs, so the last weights are the ones to use"
    ] * 2
    assert [epoch["best"] for epoch in _epochs(run)] == [False, False]
    assert not (run / "best.safetensors").exists()
    picture = next((folder / "photos").glob("*.png"))
    best, last = (np.asarray(load(run, weights=each)(picture)) for each in ("best", "last"))
    assert np.array_equal(best, last)


def test_a_run_of_steps_ends_in_mid_epoch(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, steps=3, **SMALL)
    lines = read_log(run / "log.jsonl")
    assert [line["step"] for line in lines if line["event"] == "step"] == [1, 2, 3]
    assert [line["step"] for line in lines if line["event"] == "epoch"] == [2, 3]
    assert lines[-1]["event"] == "end"
    losses = [line["losses"]["autoencoder"] for line in lines if line["event"] == "step"]
    means = [epoch["train"]["autoencoder"] for epoch in _epochs(run)]
    assert means == pytest.approx([(losses[0] + losses[1]) / 2, losses[2]], rel=1e-5)


# What settings do


def test_accumulated_batches_are_one_larger_batch(pairs: Path, tmp_path: Path) -> None:
    small = {key: value for key, value in SMALL.items() if key != "batch_size"}
    whole = train("dense-ae", tmp_path / "whole", data=pairs, epochs=2, batch_size=4, **small)
    parts = train("dense-ae", tmp_path / "parts", data=pairs, epochs=2, batch_size=2, accumulate=2, **small)
    assert _apart(_weights(whole), _weights(parts)) < 1e-4
    steps = [[line for line in read_log(run / "log.jsonl") if line["event"] == "step"] for run in (whole, parts)]
    assert len(steps[0]) == len(steps[1]) == 4
    for one, other in zip(*steps, strict=True):
        assert one["losses"] == pytest.approx(other["losses"], rel=1e-4)


def test_gradients_are_clipped_to_their_largest_norm(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []

    class Noting(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            gradients = [each.grad.reshape(-1) for group in self.param_groups for each in group["params"]]
            norms.append(float(torch.cat(gradients).norm()))
            return super().step(closure)

    def optimisers(self: DenseAE, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        return {"autoencoder": Noting(self.parameters(), learning_rate)}

    monkeypatch.setattr(DenseAE, "optimisers", optimisers)
    train("dense-ae", tmp_path / "free", data=pairs, steps=2, **SMALL)
    least = min(norms)
    train("dense-ae", tmp_path / "clipped", data=pairs, steps=2, clip=least / 2, **SMALL)
    assert norms[2:] == pytest.approx([least / 2] * 2, rel=1e-3)  # torch divides by the norm plus 1e-6


def test_the_schedule_reaches_the_weights(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    class Noting(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            seen.extend(group["lr"] for group in self.param_groups)
            return super().step(closure)

    def optimisers(self: DenseAE, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        halves = list(self.parameters())[::2], list(self.parameters())[1::2]
        return {"autoencoder": Noting([{"params": half} for half in halves], learning_rate)}

    monkeypatch.setattr(DenseAE, "optimisers", optimisers)
    train("dense-ae", tmp_path / "run", data=pairs, epochs=4, schedule="linear", learning_rate=1e-3, **SMALL)
    falls = [1e-3] * 5 + [0.75e-3, 0.5e-3, 0.25e-3]
    assert seen == pytest.approx([rate for rate in falls for _ in range(2)]), "every group of every optimiser"


def test_constant_never_falls() -> None:
    assert [trainer.factor("constant", step, 10) for step in range(10)] == [1.0] * 10


@pytest.mark.parametrize("total", [1, 2, 7, 1000])
def test_linear_is_flat_for_half_then_falls_and_wastes_no_step(total: int) -> None:
    falls = [trainer.factor("linear", step, total) for step in range(total + 1)]
    assert falls == sorted(falls, reverse=True)
    assert falls[: total // 2 + 1] == [1.0] * (total // 2 + 1)
    assert falls[-2] > falls[-1] == 0.0


@pytest.mark.parametrize("longer", [{"epochs": 0}, {"epochs": 3, "steps": 3}, {"rounds": 3}])
def test_an_unknown_length_is_refused(pairs: Path, tmp_path: Path, longer: dict[str, int]) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)
    before = (run / "config.toml").read_bytes()
    with pytest.raises(ConfigError, match=next(iter(longer))):
        resume(run, quiet=True, **longer)
    assert (run / "config.toml").read_bytes() == before


def test_a_training_that_diverges_stops_and_says_so(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"^step \d: \w+ is (nan|inf), so .*; begin again with .* below 1e\+30$"):
        train("dense-ae", tmp_path / "losses", data=pairs, epochs=4, learning_rate=1e30, **SMALL)
    assert not (tmp_path / "losses" / "best.safetensors").exists()
    monkeypatch.setattr(trainer, "validate", lambda method, batches: {"loss": 1.0, "ssim": math.nan})
    with pytest.raises(ConfigError, match=r"^step 2: ssim is nan, so the training has diverged"):
        train("dense-ae", tmp_path / "pictures", data=pairs, epochs=4, **SMALL)


def test_workers_prepare_the_same_batches(pairs: Path, tmp_path: Path) -> None:
    alone = train("dense-ae", tmp_path / "alone", data=pairs, epochs=1, **SMALL)
    helped = train("dense-ae", tmp_path / "helped", data=pairs, epochs=1, workers=1, **SMALL)
    assert _apart(_weights(alone), _weights(helped)) == 0.0


def test_progress_changes_no_weight(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {key: value for key, value in SMALL.items() if key not in {"hidden", "quiet"}}
    quiet = train("conv-vae", tmp_path / "quiet", data=pairs, epochs=1, quiet=True, **small)
    assert capsys.readouterr() == ("", "")
    loud = train("conv-vae", tmp_path / "loud", data=pairs, epochs=1, **small)
    said = capsys.readouterr()
    assert said.out == ""
    assert "conv-vae photo2sketch, " in said.err
    assert "8 pairs to train on, 2 to validate on, 2 to test on" in said.err
    assert "2 steps on cpu in fp32" in said.err
    assert _apart(_weights(quiet), _weights(loud)) == 0.0


def test_bf16_trains_and_keeps_full_weights(pairs: Path, tmp_path: Path) -> None:
    exact = {name: value for name, value in SMALL.items() if name not in {"hidden", "latent"}}
    run = train("conv-ae", tmp_path / "run", data=pairs, epochs=2, **exact | {"precision": "bf16"})
    assert all(tensor.dtype != torch.bfloat16 for tensor in _weights(run).values())
    assert all(math.isfinite(epoch["train"]["autoencoder"]) for epoch in _epochs(run))
    assert json.loads((run / "environment.json").read_text())["precision"] == "bf16-mixed"
    other = train("conv-ae", tmp_path / "exact", data=pairs, epochs=2, **exact)
    assert 0.0 < _apart(_weights(run), _weights(other)) < 0.05


def test_complete_settings_train_too(pairs: Path, tmp_path: Path) -> None:
    config = configure("dense-ae", {"folder": pairs, "epochs": 1, **{k: v for k, v in SMALL.items() if k != "quiet"}})
    assert isinstance(config, RunConfig)
    given = train(config, tmp_path / "given", quiet=True)
    named = train("dense-ae", str(tmp_path / "named"), data=str(pairs), epochs=1, **SMALL)
    assert (given / "weights.safetensors").read_bytes() == (named / "weights.safetensors").read_bytes()


# What is refused


def test_a_folder_with_a_run_is_refused(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match="already holds a run; go on with `resume`"):
        train("conv-ae", run, data=pairs, epochs=1, size=32)
    (run / "state.ckpt").rename(run / "state.next.ckpt")  # where a kill between two renames leaves it
    with pytest.raises(ConfigError, match="already holds a run"):
        train("dense-ae", run, data=pairs, epochs=1, **SMALL)
    (run / "state.next.ckpt").rename(run / "state.ckpt")
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_what_a_failed_start_left_does_not_matter(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.toml").write_text("direction = 'sketch2photo'")
    (out / "environment.json").write_text('{"data": "other", "split": {}}')
    (out / "log.jsonl").write_text('{"event": "step", "step": 1, "epoch": 0, "losses": {}}\n')
    train("dense-ae", out, data=pairs, epochs=1, **SMALL)
    assert [line["event"] for line in read_log(out / "log.jsonl")] == ["step", "step", "epoch", "end"]
    assert json.loads((out / "environment.json").read_text())["pairs"]["train"] == 8


def test_nothing_is_left_behind_where_nothing_can_be_learned(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for data, said in ((tmp_path / "missing", "missing"), (tmp_path / "empty", "no pairs"), (None, "`data`")):
        with pytest.raises((DataError, ConfigError), match=said):
            train("dense-ae", tmp_path / "run", data=data, epochs=1, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_an_unwritable_place_is_reported_at_once(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        train("dense-ae", tmp_path / "taken" / "run", data=pairs, epochs=1, **SMALL)
    with pytest.raises(OutputError, match="is a file"):
        train("dense-ae", tmp_path / "taken", data=pairs, epochs=1, **SMALL)


def test_only_a_run_is_resumed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.toml in it, so not a run"):
        resume(tmp_path)


def test_pictures_that_changed_are_noticed(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    run = train("dense-ae", tmp_path / "run", data=folder, epochs=1, **SMALL)
    _paint(folder, "train", GREEN)
    before = (run / "weights.safetensors").read_bytes()
    with pytest.raises(DataError, match=r"the pictures or their split have changed since .* began"):
        resume(run, quiet=True, epochs=2)
    assert (run / "weights.safetensors").read_bytes() == before


def test_more_processes_than_pairs_have_no_step_to_take() -> None:
    assert epoch_keys(2, 4, 0, world=3) == []


def test_a_lost_state_is_put_back_in_place(pairs: Path, tmp_path: Path) -> None:
    whole = train("dense-ae", tmp_path / "whole", data=pairs, epochs=3, **SMALL)
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)
    (run / "state.ckpt").rename(run / "state.next.ckpt")
    kept = load_state(run)
    assert kept is not None
    assert kept["position"]["epoch"] == 1
    resume(run, quiet=True, epochs=3)
    assert _apart(_weights(run), _weights(whole)) == 0.0
    assert not (run / "state.next.ckpt").exists()


def test_a_best_model_loads_with_its_settings(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, direction="sketch2photo", **SMALL)
    method, config = load_method(run)
    assert not method.training
    assert method.translates == ("sketch2photo",)
    assert config.data.folder == pairs


def test_last_weights_are_written_by_the_clock_however_often_states_are(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def noted(path: Path, *rest: Any) -> None:
        written.extend([rest[2]["step"]] * (path.name == "weights.safetensors"))
        save_weights(path, *rest)

    ticks = (float(second) for second in itertools.count())
    monkeypatch.setattr(trainer, "save_weights", noted)
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    train("dense-ae", tmp_path / "run", data=pairs, epochs=24, checkpoint_seconds=30, **SMALL)
    assert len(written) >= 3, "a long run has weights to try long before its end"
    assert written[-1] == max(step["step"] for step in _epochs(tmp_path / "run"))


def test_states_that_take_long_to_write_are_written_seldom(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, kept = 0.0, 0

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    def slow(*state: Any) -> None:
        nonlocal now, kept
        now, kept = now + 1000, kept + 1
        save_state(*state)

    monkeypatch.setattr(time, "monotonic", clock)
    monkeypatch.setattr("facesketch.training.state.save_state", slow)
    train("dense-ae", tmp_path / "run", data=pairs, epochs=6, checkpoint_seconds=5, **SMALL)
    assert kept == 2, "the first tells how long one takes, the last ends the run"


def test_function_and_verb_have_the_same_defaults(pairs: Path, tmp_path: Path) -> None:
    train("dense-ae", tmp_path / "function", data=pairs, steps=1, size=32)
    words = ["--data", str(pairs), "--out", str(tmp_path / "verb"), "--steps", "1", "--size", "32"]
    main(["train", "dense-ae", *words])
    texts = [(tmp_path / name / "config.toml").read_text() for name in ("function", "verb")]
    assert texts[0] == texts[1]
    verb = inspect.signature(cli_train.train).parameters
    for function in (train, resume):
        for name, parameter in inspect.signature(function).parameters.items():
            if name in verb and parameter.default is not parameter.empty:
                assert parameter.default == verb[name].default
