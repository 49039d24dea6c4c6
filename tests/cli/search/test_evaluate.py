"""`facesketch search evaluate` with the embedder that needs no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.search.answer import LEAD
from facesketch.search.evaluation.results import SearchResults

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluated") / "search"


def test_evaluate_prints_every_number_and_writes_both_files(command: Run, faces: Path, out: Path) -> None:
    answer = command(
        *("search", "evaluate", "--data", faces, "--split", "all", "--embedder", "hog"),
        *("--distractors", "synthetic:3", "--out", out, "--quiet"),
    )
    assert answer.code == 0, answer.err
    found = SearchResults.load(out / "search.json")
    assert (out / "search.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == ["search.json", "search.png"]
    said = " ".join(answer.out.split())
    assert found.stems_hash in said
    assert found.fingerprint in said
    assert "protocol own, all split: 12 sketches of 12 people" in said
    assert "guessing finds 8.33 % first" in said
    assert "12 people among 3 synthetic faces" in said
    assert "training people among the probes" in said
    assert LEAD in said
    for gallery in found.galleries.values():
        for route in (*gallery.routes.values(), *gallery.baselines.values()):
            first = f"{route.title} {100 * route.rank['1'].value:.1f} %"
            assert first in said
    assert f"written: {out / 'search.json'} and search.png" in answer.out
    assert answer.err == ""


def test_routes_are_chosen_by_name(command: Run, faces: Path, tmp_path: Path) -> None:
    words = ("search", "evaluate", "--data", faces, "--split", "all", "--embedder", "hog", "--out", tmp_path, "--quiet")
    assert command(*words, "--routes", "fused", "direct").code == 0
    assert list(SearchResults.load(tmp_path / "search.json").galleries["alone"].routes) == ["direct", "fused"]


def test_people_are_grouped_by_a_column(command: Run, faces: Path, tmp_path: Path) -> None:
    words = ("search", "evaluate", "--data", faces, "--split", "all", "--embedder", "hog", "--out", tmp_path, "--quiet")
    answer = command(*words, "--group-by", "light", "--routes", "direct")
    assert answer.code == 0, answer.err
    groups = SearchResults.load(tmp_path / "search.json").galleries["alone"].routes["direct"].groups["light"]
    assert set(groups) == {"left", "right"}
    said = " ".join(answer.out.split())
    assert "direct, light sketches rank-1 ↑ false alarms, 10 % of all ↓" in said
    assert f"left {groups['left'].sketches} {100 * groups['left'].first.value:.1f} %" in said


def test_bad_options_are_refused_before_a_model_is_loaded(refused: Run, faces: Path, tmp_path: Path) -> None:
    def said(*words: object) -> str:
        return str(refused("search", "evaluate", "--data", faces, "--split", "all", *words))

    (tmp_path / "file").write_text("in the way")
    assert "is a file; give a folder" in said("--out", tmp_path / "file")
    assert "expected at least 0" in said("--seed", -1)
    assert "expected a number of faces" in said("--distractors", "synthetic:few")
    assert "no such folder; give a folder of photos" in said("--distractors", tmp_path / "nowhere")
    assert "unknown protocol" in said("--protocol", "mine")
    assert "sideways" in said("--routes", "sideways")
    assert "--group-by gender: no column of that name; known: beard" in said("--group-by", "gender")
    assert "no such folder" in str(refused("search", "evaluate", "--data", tmp_path / "nowhere"))
    assert "pencil: a method without a model file" in said("--photo2sketch", "pencil", "--routes", "to-sketch")


def test_fit_on_no_part_is_refused(faces: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    for parts in ("", ","):
        line = refused("search", "fit", "--data", faces, "--out", tmp_path / "map.safetensors", "--parts", parts)
        assert line.startswith("--parts is empty")
