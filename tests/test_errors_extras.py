"""A plain installation and each extra do their work where no package of another extra is installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import facesketch
from facesketch.errors import EXTRAS, MissingExtraError
from facesketch.images.io import open_image

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ALONE = """
import contextlib, io, json, sys
blocked, commands = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(blocked))  # they fail to import, as what is not installed does
from facesketch.cli.main import main
for words in commands:
    code, said = 0, io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            main(words)
    except SystemExit as ended:
        code = ended.code or 0
    print(json.dumps([code, said.getvalue()]))
"""
SERVER = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
from facesketch.cli.main import main
main(["serve", "--port", "0"])
"""


def _needed(name: str, extra: str) -> list[Requirement]:
    """Return what a distribution requires, with one of its extras or, for an empty word, without."""
    if name == "facesketch":
        return [Requirement(each) for each in PROJECT["optional-dependencies"].get(extra, PROJECT["dependencies"])]
    try:
        found = [Requirement(each) for each in requires(name) or []]
    except PackageNotFoundError:  # an extra that is not installed here
        return []
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": extra})]


def _brought(extra: str) -> set[str]:
    """Return every distribution that the package brings, with an extra or, for an empty word, without."""
    seen: set[tuple[str, str]] = set()
    waiting = {("facesketch", ""), ("facesketch", extra)}
    while waiting:
        name, part = waiting.pop()
        seen.add((name, part))
        for each in _needed(name, part):
            inner = {(canonicalize_name(each.name), part) for part in ("", *each.extras)}
            waiting |= inner - seen
    return {name for name, _ in seen}


@cache
def _provided() -> dict[str, list[str]]:
    """Return which distributions bring each module that can be imported here."""
    return {module: [*names] for module, names in packages_distributions().items()}


def _absent(extra: str = "") -> list[str]:
    """Return the modules that can be imported here, and could not where an extra alone is installed."""
    brought = _brought(extra)
    return sorted(
        module for module, names in _provided().items() if not brought & {canonicalize_name(name) for name in names}
    )


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., list[tuple[int, str]]]:
    """Return what runs commands where an extra alone is installed, and gives each one's exit code and standard error.

    They run one after the other in one process, in an empty folder.
    """

    def run(extra: str, *commands: str) -> list[tuple[int, str]]:
        asked = json.dumps([_absent(extra), [line.split() for line in commands]])
        done = subprocess.run(
            [sys.executable, "-c", ALONE, asked], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines() if re.match(r"\[\d+, \"", line)]
        assert len(answers) == len(commands), done.stdout + done.stderr
        return [(code, said) for code, said in answers]

    return run


def test_what_is_told_to_install_is_what_the_extra_brings() -> None:
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"]) - {"faces", "all"}
    provided = _provided()
    for extra, modules in EXTRAS.items():
        for module in modules:
            names = {canonicalize_name(name) for name in provided.get(module, [module])}
            assert names & (_brought(extra) - _brought("")), f"{module} does not come with {extra}"


def test_all_is_every_extra() -> None:
    assert _brought("all") == set().union(*(_brought(extra) for extra in EXTRAS))


def test_a_plain_installation_translates_and_looks_at_data(
    alone: Callable[..., list[tuple[int, str]]], tmp_path: Path
) -> None:
    assert {"torch", "matplotlib", "lancedb", "fastapi", "scipy"} <= set(_absent())
    photo = "pairs/photos/face-0001.png"
    answers = alone(
        "",
        "data sample pairs --pairs 3 --size 64",
        "data check pairs",
        "methods",
        "methods pix2pix --json",
        "models list",
        f"translate {photo} --direction photo2sketch --out sketch.png",
        f"translate {photo} --model pencil --out pencil.png --sheet",
        "translate pairs/sketches --direction sketch2photo --out photos --no-align",
        "faces align pairs --out aligned",
        "doctor",
    )
    assert [code for code, _ in answers] == [0] * 10, answers
    assert open_image(tmp_path / "sketch.png").mode == "L"
    assert open_image(tmp_path / "pencil.png").size == (64, 64)
    assert len(list((tmp_path / "photos").iterdir())) == 3
    assert len(list((tmp_path / "aligned").rglob("face-*.png"))) == 6


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    """Return the folder of a training of one step."""
    out = tmp_path_factory.mktemp("extras") / "run"
    return facesketch.train("dense-ae", out, data=faces, steps=1, size=32, hidden=4, quiet=True)


def test_what_is_missing_is_reported_in_one_line_before_anything_is_written(
    alone: Callable[..., list[tuple[int, str]]], tmp_path: Path, faces: Path, run_folder: Path
) -> None:
    photo = faces / "photos" / "face-0001.png"
    asked = {
        f"train pix2pix --data {faces} --out run": "train",
        f"train --resume {run_folder}": "train",
        f"evaluate {run_folder} --data {faces} --out results.json": "train",
        f"study {faces} --out study": "train",
        f"report {tmp_path}": "train",
        f"translate {photo} --model {run_folder} --out sketch.png": "train",
        f"search evaluate --data {faces} --out search": "train",
        "models fetch vgg16": "train",
        f"export {run_folder} --out model.onnx": "export",
        f"search index {photo} --gallery gallery": "search",
        f"search query {photo} --gallery gallery": "search",
        "serve": "serve",
        f"push {run_folder} hub:anna/first": "hub",
        f"translate {photo} --model hub:anna/first --out sketch.png": "hub",
        f"translate {faces / 'photos'} --out sketches --no-align --runner ray": "bulk",
    }
    for (line, extra), (code, said) in zip(asked.items(), alone("", *asked), strict=True):
        assert code == 2, (line, said)
        assert said.startswith("facesketch: ")
        assert said.endswith(f"; type: pip install 'facesketch[{extra}]'\n")
        assert said.count("\n") == 1, (line, said)
    assert list(tmp_path.iterdir()) == []


def test_python_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"training needs torch, .*pip install 'facesketch\[train\]'"):
        _ = facesketch.train


def test_with_search_alone_a_gallery_is_made_and_searched(
    alone: Callable[..., list[tuple[int, str]]], tmp_path: Path, faces: Path
) -> None:
    (index, query) = alone(
        "search",
        f"search index {faces / 'photos'} --gallery gallery",
        f"search query {faces / 'sketches' / 'face-0001.png'} --gallery gallery --sheet hits.png --json hits.json",
    )
    assert (index[0], query[0]) == (0, 0), (index, query)
    assert json.loads((tmp_path / "hits.json").read_text())["hits"]
    assert open_image(tmp_path / "hits.png").width > 100


def test_with_train_alone_one_trains_and_measures(
    alone: Callable[..., list[tuple[int, str]]], tmp_path: Path, faces: Path
) -> None:
    answers = alone(
        "train",
        f"train dense-ae --data {faces} --out run --size 32 --steps 2 --hidden 4",
        f"evaluate run --data {faces} --metrics ssim --out results.json",
    )
    assert [code for code, _ in answers] == [0, 0], answers
    assert json.loads((tmp_path / "results.json").read_text())["metrics"]["ssim"]


def test_with_export_alone_a_run_is_exported(
    alone: Callable[..., list[tuple[int, str]]], tmp_path: Path, run_folder: Path
) -> None:
    ((code, said),) = alone("export", f"export {run_folder} --out model.onnx")
    assert code == 0, said
    assert facesketch.load(tmp_path / "model.onnx").directions == ("photo2sketch",)


def test_with_serve_alone_the_page_draws(tmp_path: Path, faces: Path) -> None:
    command = [sys.executable, "-c", SERVER, json.dumps(_absent("serve"))]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            found = re.search(r"http://\S+", line)
            assert found, line + server.stderr.read()
            address, photo = found[0].rstrip("/"), (faces / "photos" / "face-0001.png").read_bytes()
            answer = httpx.post(f"{address}/v1/translate", files={"file": photo}, timeout=60)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
        finally:
            server.terminate()
            server.wait(30)
