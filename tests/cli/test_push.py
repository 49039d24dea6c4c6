"""`facesketch push`, and models by names such as `hub:OWNER/NAME`, with a server that speaks the hub's routes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hub import Hub, serving

import facesketch
from facesketch.checkpoints.header import read_header
from facesketch.evaluation.publish import card
from facesketch.images.io import open_image


@pytest.fixture
def hub() -> Iterator[type[Hub]]:
    """Return a hub without files, at the address `hub.address`."""

    with serving() as own:
        yield own


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    out = tmp_path_factory.mktemp("push") / "first"
    small = {"size": 32, "hidden": 4, "latent": 4, "device": "cpu", "quiet": True}
    return facesketch.train("dense-ae", out, data=faces, steps=1, log=["csv"], **small)


@pytest.fixture
def typed(hub: type[Hub], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a command whose hub is the local one."""

    def run(
        *words: object, token: str = "hf_right", address: str = "", offline: str = "0"
    ) -> subprocess.CompletedProcess[str]:
        own = {
            "HF_ENDPOINT": address or hub.address,
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": offline,
            "NO_PROXY": "127.0.0.1",
        }
        places = {
            "HF_HOME": str(tmp_path / "hf"),
            "FACESKETCH_MODELS": str(tmp_path / "models"),
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "facesketch", *map(str, words)]
        return subprocess.run(
            command, env={**os.environ, **own, **places}, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def test_a_model_is_pushed_fetched_and_used(
    typed: Callable[..., Any], hub: type[Hub], run: Path, faces: Path, tmp_path: Path
) -> None:
    results = tmp_path / "first.json"
    measured = facesketch.evaluate(run, faces, metrics=["ssim"], out=results)
    done = typed("push", run, "hub:anna/first", "--results", results)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/anna/first")
    assert set(hub.files) == {"model.safetensors", "README.md"}
    assert str(faces).encode() not in hub.files["model.safetensors"] + hub.files["README.md"]
    page = hub.files["README.md"].decode()
    assert f"{measured.metrics['ssim'].value:.4f}" in page
    assert page.startswith("---\nlibrary_name: facesketch\n")

    photo = next((faces / "photos").iterdir())
    done = typed("models", "fetch", "hub:anna/first")
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip().removeprefix("hub:anna/first: "))
    assert file.is_relative_to(tmp_path / "models")
    assert read_header(file).config.data.folder is None
    done = typed("translate", photo, "--model", "hub:anna/first", "--out", tmp_path / "sketch.png")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(open_image(tmp_path / "sketch.png"), facesketch.load(run)(photo))

    done = typed("models", "fetch", "hub:anna/first", address="http://127.0.0.1:9")
    assert (done.returncode, Path(done.stdout.strip().removeprefix("hub:anna/first: "))) == (0, file), done.stderr


def test_an_onnx_model_stays_without_a_network(typed: Callable[..., Any], hub: type[Hub]) -> None:
    hub.files["model.onnx"] = b"a model"
    kept = typed("models", "fetch", "hub:anna/first")
    assert kept.returncode == 0, kept.stderr
    assert typed("models", "fetch", "hub:anna/first", offline="1").stdout == kept.stdout


def test_what_the_hub_refuses_is_one_line(typed: Callable[..., Any], hub: type[Hub], run: Path) -> None:
    for words, said, options in (
        (("push", run, "hub:anna/first"), "hub:anna/first: ", {"token": "hf_wrong"}),
        (("models", "fetch", "hub:anna/second"), "hub:anna/second: no such model", {}),
        (("models", "fetch", "hub:anna/first"), "hub:anna/first: holds no model.safetensors or model.onnx", {}),
        (
            ("models", "fetch", "hub:anna/first"),
            "hub:anna/first: the hub does not answer",
            {"offline": "1"},  # at once, and not after the retries of 20 s
        ),
    ):
        done = typed(*words, **options)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert done.stderr.startswith(f"facesketch: {said}"), done.stderr
    assert hub.files == {}


@pytest.mark.parametrize("name", ["hub:first", "first", "hub:a/b/c", "hub:anna/first@main"])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(
    name: str, run: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("facesketch.weights.hub.told", told)
    assert name in refused("push", run, name)


def test_models_that_hold_pictures_are_refused(faces: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    run = facesketch.train(
        "lle", tmp_path / "run", data=faces, size=32, overlap=10, neighbours=3, device="cpu", quiet=True
    )
    assert "holds its training pictures" in refused("push", run, "hub:anna/first")


def test_results_of_another_method_are_refused(
    run: Path, faces: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    facesketch.evaluate("pencil", faces, metrics=["ssim"], out=tmp_path / "pencil.json")
    line = refused("push", run, "hub:anna/first", "--results", tmp_path / "pencil.json")
    assert "results of pencil" in line


def test_a_card_without_numbers_has_no_table(run: Path) -> None:
    page = card("hub:anna/first", read_header(run / "weights.safetensors"), None)
    assert "## Numbers" not in page
    assert "# first" in page.splitlines()
