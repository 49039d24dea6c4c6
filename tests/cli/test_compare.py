from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cyclopts
import numpy as np
import pytest

from facesketch.cli.compare import compare
from facesketch.errors import ConfigError, DataError
from facesketch.evaluation.results import Results, paired_difference

app = cyclopts.App()
app.command(compare)

STEMS = tuple(f"p{number:02d}" for number in range(30))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def call(*tokens: str | Path) -> None:
    app(["compare", *map(str, tokens)], result_action="return_value", exit_on_error=False, print_error=False)


def write(path: Path, gain: float = 0.0, seed: int = 0, **changes: Any) -> Path:
    """Write results whose SSIM and whose LPIPS, where less is better, are `gain` higher than the plain ones."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (2, len(STEMS)))
    values = np.stack([np.linspace(0.3, 0.7, len(STEMS))] * 2) + gain + (noise if seed else 0)
    metrics = {
        name: {"title": title, "better": better, "mean": row.mean(), "low": 0, "high": 1, "values": row.tolist()}
        for (name, title, better), row in zip(
            (("ssim", "SSIM", "higher"), ("lpips-alex", "LPIPS (alex)", "lower")), values, strict=True
        )
    }
    fields: dict[str, Any] = {
        "name": path.stem,
        "direction": "photo2sketch",
        "protocol": "own",
        "split": "test",
        "stems": STEMS,
        "subjects": STEMS,
        "stems_hash": "12ab",
        "model": {"method": "pencil", "path": "pencil"},
        "metrics": metrics,
    }
    Results.model_validate(fields | changes).save(path)
    return path


def test_it_says_who_wins_and_by_how_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write(tmp_path / "one.json", seed=1), write(tmp_path / "other.json", gain=0.1)
    call(one, other)
    shown = capsys.readouterr().out
    found = paired_difference(Results.load(one), Results.load(other), "ssim")
    rows = {line.split()[0]: line for line in shown.splitlines() if "↑" in line or "↓" in line}
    assert "one against other" in shown
    assert f"other is better by {abs(found.value):.3f}" in rows["SSIM"]
    assert "one is better by 0." in rows["LPIPS"]
    assert f"[{found.low:+.3f}, {found.high:+.3f}]" in rows["SSIM"]
    assert "12ab" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_equal_results_show_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(write(tmp_path / "one.json"), write(tmp_path / "other.json"))
    shown = capsys.readouterr().out
    assert shown.count("no difference shown") == 2
    assert "is better" not in shown


@pytest.mark.parametrize(("count", "expected"), [(2, 1), (3, 3), (4, 6), (5, 4)])
def test_up_to_four_are_all_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, expected: int
) -> None:
    call(*(write(tmp_path / f"r{number}.json", gain=number / 10) for number in range(count)), "--json")
    value = json.loads(capsys.readouterr().out)
    pairs = [(each["first"], each["second"]) for each in value["comparisons"]]
    assert len(set(pairs)) == expected
    if count == 5:
        assert {first for first, _ in pairs} == {"r0"}
    ssim = value["comparisons"][0]["metrics"]["ssim"]
    assert ssim["value"] == pytest.approx(-0.1)
    assert (ssim["low"], ssim["high"]) == pytest.approx((-0.1, -0.1))
    assert ssim["verdict"] == "second is better"
    assert value["comparisons"][0]["metrics"]["lpips-alex"]["verdict"] == "first is better"


def test_equal_names_are_told_apart_by_their_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write(tmp_path / "1.json", name="run"), write(tmp_path / "2.json", name="run")
    call(one, other, "--json")
    found = json.loads(capsys.readouterr().out)["comparisons"][0]
    assert (found["first"], found["second"]) == (str(one), str(other))


def test_other_pictures_and_lone_results_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json")
    with pytest.raises(ConfigError, match="1 results; expected two or more"):
        call(one)
    renamed = write(tmp_path / "renamed.json", stems=("x", *STEMS[1:]))
    with pytest.raises(DataError, match="expected the same pictures"):
        call(one, renamed)
    with pytest.raises(DataError, match="expected one direction"):
        call(one, write(tmp_path / "back.json", direction="sketch2photo"))
    with pytest.raises(ConfigError, match="no metric in common"):
        call(one, write(tmp_path / "none.json", metrics={}))
    with pytest.raises(ConfigError, match="seed = -1"):
        call(one, one, "--seed", "-1")
    (tmp_path / "foreign.json").write_text("{}")
    with pytest.raises(DataError, match="format is None"):
        call(one, tmp_path / "foreign.json")


def test_comparing_needs_no_torch(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json")
    code = (
        "import sys; from pathlib import Path; from facesketch.cli.compare import compare; "
        f"compare([Path({str(one)!r})] * 2, json=True); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
