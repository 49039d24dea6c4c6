"""What every test may ask for: the shared research data when it is there, and quiet, repeatable torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _shared_folder() -> Path | None:
    named = os.environ.get("FACESKETCH_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of research data and weights, or skip."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("no research data: set FACESKETCH_SHARED to its folder")
    return folder
