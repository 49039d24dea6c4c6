"""The files that run facesketch elsewhere agree with each other; `.ci/container` does what the Dockerfile says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from facesketch.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))


def test_the_image_runs_as_another_user_with_a_health_check_and_without_pytorch() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    extras = re.search(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert extras is not None
    assert set(extras[1].split(",")) == {"serve", "search"}


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists()
            assert f"!{name}" in let_in


def test_the_commands_are_understood() -> None:
    commands = [json.loads(each) for each in re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)]
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["facesketch"]
    unit = (ROOT / "deploy" / "facesketch.service").read_text(encoding="utf-8")
    commands += [service["command"], shlex.split(re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)[0])]
    assert len(commands) == 3
    for program, *words in commands:
        assert Path(program).name == "facesketch"
        app.parse_args(words, exit_on_error=False, print_error=False)
    assert {each.partition(":")[2] for each in service["volumes"]} == {"/galleries", "/models"}
    assert re.search(r"FACESKETCH_MODELS=/models\b", DOCKERFILE)


def test_the_docs_show_the_unit_as_it_is() -> None:
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    assert '--8<-- "deploy/facesketch.service"' in page


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "facesketch.service").read_text(encoding="utf-8")
    (tmp_path / "facesketch.service").write_text(unit.replace("/opt/facesketch/bin/facesketch", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "facesketch.service")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_files_of_the_host_are_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
