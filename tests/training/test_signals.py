"""An interrupt waits for the end of a step, and the resumed run continues as if nothing had happened."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from facesketch import train
from facesketch.errors import ConfigError
from facesketch.training import trainer
from facesketch.training.signals import held_back
from facesketch.training.trainer import resume

SMALL: dict[str, Any] = {
    **{"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "samples": 0},
    **{"device": "cpu", "precision": "fp32", "quiet": True},
}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have interrupts raise, even if tests run in a shell's background, which ignores them."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("interruptible")
def test_the_first_interrupt_is_held_back_and_the_second_is_not() -> None:
    seen = []

    def block() -> None:
        with held_back() as stopped:
            seen.append(stopped())
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(stopped())
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            seen.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert seen == [0, signal.SIGINT, "after the second"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_a_signal_that_nobody_asked_for_takes_effect_at_the_end() -> None:
    after = []

    def block() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            after.append("the rest of the block")

    with pytest.raises(SystemExit) as ended:
        block()
    assert (ended.value.code, after) == (143, ["the rest of the block"])


@pytest.mark.usefixtures("interruptible")
def test_what_is_ignored_stays_ignored_and_other_threads_have_no_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped() == 0
    seen = []

    def elsewhere() -> None:
        with held_back() as stopped:
            seen.append(stopped())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [0]


@pytest.fixture
def pairs(tmp_path: Path, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path / "pairs")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    """Return a run that was not stopped; its pairs lie beside it."""
    folder = tmp_path_factory.mktemp("signals")
    return train("dense-ae", folder / "whole", data=arrange(folder / "pairs"), epochs=2, **SMALL)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stopped_training_goes_on_as_if_it_had_not_been(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[BaseException], after: int
) -> None:
    pairs = whole.parent / "pairs"
    asked = []

    @contextmanager
    def signalled(*, when: bool) -> Iterator[Callable[[], int]]:
        assert when
        yield lambda: (asked.append(0), number if len(asked) == after else 0)[1]

    monkeypatch.setattr(trainer, "held_back", signalled)
    run = tmp_path / "run"
    with pytest.raises(error) as ended:
        train("dense-ae", run, data=pairs, epochs=2, **SMALL)
    if error is KeyboardInterrupt:
        assert str(ended.value) == f"stopped after step {after} of 4; go on with `resume` {run}"
    monkeypatch.undo()
    resume(run, quiet=True)
    weights, expected = (safetensors.torch.load_file(each / "weights.safetensors") for each in (run, whole))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_run_cannot_be_made_shorter(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=2, **SMALL)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for longer, said in (({"steps": 3}, "`steps` 3: .* 4 steps"), ({"epochs": 1}, "`epochs` 1: .* 2 epochs")):
        with pytest.raises(ConfigError, match=f"{said}; give more, or none"):
            resume(run, quiet=True, **longer)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(("other", "advice"), [("", "leave out `styles`"), ("ann", "type `styles` ann,bob")])
def test_styles_that_are_not_to_be_learned_are_reported_before_anything_is_written(
    pairs: Path, tmp_path: Path, other: str, advice: str
) -> None:
    head, *lines = (pairs / "pairs.csv").read_text().splitlines()
    styled = [f"{line},{'bob' if number % 2 else other}" for number, line in enumerate(lines)]
    (pairs / "pairs.csv").write_text("\n".join([f"{head},style", *styled]) + "\n")
    small = {"size": 32, "width": 4, "blocks": 1, "perceptual": "none", "steps": 1, "quiet": True}
    with pytest.raises(ConfigError, match=f"not all are among `styles` bob; {advice}$"):
        train("portrait", tmp_path / "run", data=pairs, styles="bob", **small)
    assert not (tmp_path / "run").exists()


def test_sets_to_balance_must_be_named(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`balance` draws evenly from sets, but no pair names one; add a column set"):
        train("dense-ae", tmp_path / "run", data=pairs, balance=True, epochs=1, **SMALL)
    assert not (tmp_path / "run").exists()
