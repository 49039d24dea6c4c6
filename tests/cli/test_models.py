"""`facesketch models`: the table and fetching, without the network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from facesketch.cli.models import app
from facesketch.errors import ConfigError, MissingExtraError
from facesketch.weights import download
from facesketch.weights.catalogue import WEIGHTS, Progress


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder."""
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


def _run(*tokens: str) -> None:
    app(tokens, result_action="return_value")


def _rows(text: str) -> dict[str, str]:
    return {line.split()[0]: line for line in text.splitlines() if line.split()[0] in WEIGHTS}


def test_the_table_says_what_is_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / WEIGHTS["sface"].file).write_bytes(b"damaged")
    download.fetch("lpips-alex")
    _run("list")
    shown = capsys.readouterr().out
    rows = _rows(shown)
    assert list(rows) == list(WEIGHTS)
    assert re.search(r"SFace.* Apache-2\.0 +10\.7 MB +damaged +face_recognition", rows["sface"])
    assert re.search(r"BSD-3-Clause +553\.4 MB +no ", rows["vgg16"])
    assert re.search(r"6\.0 kB +yes +lpips_alex_heads\.safetensors", rows["lpips-alex"])
    assert re.search(r"yes +in torchmetrics", rows["lpips-vgg"])
    assert f"cache folder: {folder}" in shown


def test_fetch_says_where_each_file_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run("fetch", "lpips-alex", "lpips-vgg", "lpips-alex")
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"lpips-alex: {folder / 'lpips_alex_heads.safetensors'}",
        f"lpips-vgg: {folder / 'lpips_vgg_heads.safetensors'}",
    ]
    assert err == ""


def test_all_fetches_every_entry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def fetch(name: str, *, progress: Progress) -> Path:
        asked.append(name)
        return Path(name)

    monkeypatch.setattr(download, "fetch", fetch)
    _run("fetch", "--all")
    assert asked == list(WEIGHTS)


@pytest.mark.parametrize("tokens", [("fetch",), ("fetch", "sface", "--all"), ("fetch", "lpips-vgg", "sfase")])
def test_a_wish_that_is_unclear_fetches_nothing(tokens: tuple[str, ...], folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"--all|did you mean 'sface'"):
        _run(*tokens)
    assert list(folder.iterdir()) == []


def test_an_address_without_a_server_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(WEIGHTS, "sface", replace(WEIGHTS["sface"], address="http://127.0.0.1:9/sface.onnx"))
    with pytest.raises(MissingExtraError, match="facesketch models fetch sface"):
        _run("fetch", "sface")
