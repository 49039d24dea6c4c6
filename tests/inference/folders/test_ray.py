"""The same job on a Ray cluster: the same plan, the same pictures, the same words about what is bad."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.errors import CheckpointError, ImageError, MissingExtraError, OutputError, ResourceError
from facesketch.inference.folders import ray_runner
from facesketch.inference.folders.pipeline import Limits
from facesketch.inference.folders.plan import Job, plan
from facesketch.inference.folders.ray_runner import Worker
from facesketch.inference.model import Model, Request

PENCIL = {"path": "pencil", "device": "cpu"}
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'facesketch[bulk]'"
)


@pytest.mark.parametrize(
    ("nodes", "device", "workers", "processors"),
    [
        ([{"CPU": 2.0}], "cpu", 1, 2),
        ([{"CPU": 16.0}], "auto", 4, 4),
        ([{"CPU": 8.0}, {"CPU": 6.0}, {"memory": 1.0}], "auto", 3, 4),
        ([{"CPU": 3.0}, {"CPU": 8.0}], "auto", 3, 3),
        ([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}], "cuda", 3, 1),
        ([{}], "auto", 1, 4),
    ],
)
def test_a_cluster_gets_as_many_workers_as_it_has_room_for(
    nodes: list[dict[str, float]], device: str, workers: int, processors: int
) -> None:
    alive = [{"Alive": True, "Resources": each} for each in nodes]
    crew = ray_runner._crew([*alive, {"Alive": False, "Resources": {"CPU": 64.0}}], device)
    assert crew == (workers, processors, int(device == "cuda"))


def test_a_cluster_without_a_gpu_is_not_waited_for() -> None:
    with pytest.raises(ResourceError, match="no machine of the Ray cluster has a GPU"):
        ray_runner._crew([{"Alive": True, "Resources": {"CPU": 8.0}}], "cuda")


def test_a_worker_tells_what_became_of_each_job(
    tmp_path: Path, model: Model, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_runner, "load", lambda: model)
    good = Job(draw(tmp_path / "a.png"), tmp_path / "out" / "a.png", False)
    (tmp_path / "b.png").write_text("text")
    bad = Job(tmp_path / "b.png", tmp_path / "out" / "b.png", False)
    told = pickle.loads(pickle.dumps(Worker({}, Request(), Limits()).translate([(7, good), (9, bad)])))
    errors = {number: error for number, error, _ in told}  # as Ray brings them from another process
    assert set(errors) == {7, 9}
    assert errors[7] is None
    assert isinstance(errors[9], ImageError)
    assert "b.png: not a picture" in str(errors[9])
    assert good.target.exists()


def test_a_worker_passes_on_what_concerns_all(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    blocked = draw(tmp_path / "file.png")
    job = Job(draw(tmp_path / "a.png"), blocked / "a.png", False)
    worker = Worker({}, Request(), Limits())
    worker._model = model
    ((number, error, _),) = worker.translate([(3, job)])
    assert number == 3
    assert isinstance(error, OutputError)
    ((number, error, _),) = Worker({"path": str(tmp_path / "none.onnx")}, Request(), Limits()).translate([(4, job)])
    assert number == 4
    assert isinstance(error, CheckpointError)


def test_paths_mean_the_same_in_a_worker_s_own_folder(
    tmp_path: Path, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(Path("in/a.png"))
    (job,) = plan([Path("in")], Path("out"), sheet=True)
    there = ray_runner._anywhere(job)
    assert (there.source, there.target) == (tmp_path / "in" / "a.png", tmp_path / "out" / "a.png")
    assert there.sheet == tmp_path / "out" / "a-sheet.png"
    Path("run").mkdir()
    assert ray_runner._loading_anywhere({"path": "run"}) == {"path": str(tmp_path / "run")}
    assert ray_runner._loading_anywhere(PENCIL) == PENCIL


def test_without_ray_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facesketch\[bulk\]'"):
        next(ray_runner.run([], PENCIL))


@needs_ray
@pytest.mark.slow
def test_a_local_cluster_does_the_same_and_goes_on(tmp_path: Path, draw: Callable[..., Path]) -> None:
    for number in range(20):
        draw(tmp_path / "in" / f"{number}.png", number, (40, 30))
    (tmp_path / "in" / "bad.png").write_text("text")

    def command(out: str, *words: str) -> Any:
        line = [sys.executable, "-m", "facesketch", "translate", "in", "--out", out, "--model", "pencil", "--sheet"]
        # this test must not use a cluster that others run on this machine
        rest = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        done = subprocess.run([*line, *words], cwd=tmp_path, capture_output=True, text=True, env=rest, check=False)
        return done.returncode, done.stderr.splitlines()

    code, said = command("local")
    assert command("ray", "--runner", "ray") == (code, [line.replace("in/", f"{tmp_path}/in/") for line in said])
    local, spread = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("local", "ray")
    )
    assert (len(local), spread) == (40, local)
    (tmp_path / "ray" / "3.png").unlink()
    (tmp_path / "ray" / "4.png").write_bytes(b"kept")
    assert command("ray", "--runner", "ray")[1][-1] == "1 translated, 19 already done, 1 left out"
    assert (tmp_path / "ray" / "3.png").read_bytes() == local["3.png"]
    assert (tmp_path / "ray" / "4.png").read_bytes() == b"kept"
