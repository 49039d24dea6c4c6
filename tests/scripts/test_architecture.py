"""docs/architecture.md lists every file of the package."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType


def test_list_of_files_is_up_to_date(script: Callable[[str], ModuleType]) -> None:
    architecture = script("architecture")
    text = architecture.PAGE.read_text(encoding="utf-8")
    assert architecture.page(text) == text, "run: python scripts/architecture.py"


def test_outdated_list_is_rewritten(script: Callable[[str], ModuleType]) -> None:
    architecture = script("architecture")
    text = architecture.PAGE.read_text(encoding="utf-8")
    assert architecture.page(text.replace("`pix2pix.py`", "`pix2pixel.py`")) == text
