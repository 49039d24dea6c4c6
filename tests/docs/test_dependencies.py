"""The table of dependencies in docs/architecture.md names what pyproject.toml does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_names_every_dependency_with_its_extra() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Dependencies")[2].partition("\n## ")[0]
    named = {
        (package.strip(), extra)
        for packages, extra in re.findall(r"^\| ([\w, -]+?)(?: \(extra `(\w+)`\))? \|", table, flags=re.MULTILINE)
        for package in packages.split(",")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {("", line) for line in project["dependencies"]}
    wanted |= {(extra, line) for extra, lines in project["optional-dependencies"].items() for line in lines}
    required = {(canonicalize_name(Requirement(line).name), extra) for extra, line in wanted}
    assert named - {("package", "")} == {pair for pair in required if pair[0] != "facesketch"}
