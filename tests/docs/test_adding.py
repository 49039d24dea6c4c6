"""The package of docs/adding-a-method.md, installed as it stands, passes the contract tests and works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-method.md"
FILES = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(words: list[str], folder: Path, installed: Path) -> str:
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_package_is_found_and_passes_its_tests(tmp_path: Path) -> None:
    package, installed = tmp_path / "package", tmp_path / "installed"
    assert len(FILES) == 5
    for name, text in FILES:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    info = installed / "my_sketches-1.0.dist-info"  # what pip writes
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-sketches\nVersion: 1.0\n")
    groups = re.findall(r'^\[project\.entry-points\."(.+)"\]\n(.+)$', dict(FILES)["pyproject.toml"], re.MULTILINE)
    points = "".join(f"[{group}]\n{point.replace(chr(34), '')}\n" for group, point in groups)
    (info / "entry_points.txt").write_text(points)
    (package / "my_sketches").rename(installed / "my_sketches")
    python = [sys.executable, "-m"]
    said = run([*python, "pytest", "-q", "-p", "no:cacheprovider", "tests"], package, installed)
    assert "10 passed" in said
    assert "my-method" in run([*python, "facesketch", "methods"], package, installed)
    run([*python, "facesketch", "data", "sample", "pairs", "--pairs", "9", "--size", "128"], package, installed)
    measured = ["evaluate", "pencil", "--data", "pairs", "--metrics", "mean-error"]
    assert "mean error" in run([*python, "facesketch", *measured], package, installed)
    index = ["search", "index", "pairs/photos", "--gallery", "gallery", "--embedder", "thumbnail"]
    run([*python, "facesketch", *index], package, installed)
    query = ["search", "query", "pairs/sketches/face-0001.png", "--gallery", "gallery"]
    assert "face-0001" in run([*python, "facesketch", *query], package, installed)
