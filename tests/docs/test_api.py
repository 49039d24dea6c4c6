"""docs/api.md shows all that is public, and every name on it has an example, which tests/test_examples.py runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import facesketch

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^::: (\S+)$", PAGE, flags=re.MULTILINE)


def test_the_page_shows_everything_public() -> None:
    public = {f"facesketch.{name}" for name in facesketch.__all__ if not name.startswith("__")}
    assert public - {"facesketch.study"} <= set(NAMES)
    assert "facesketch.study.run" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_name_has_an_example(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    text = getattr(importlib.import_module(module), attribute).__doc__
    assert re.search(r"^ +Examples:\n +>>> ", text, flags=re.MULTILINE), "the page shows an example as a section"
