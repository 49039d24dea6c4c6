"""The file of a resumable state: written beside the old one, so that one of the two is always whole."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facesketch.checkpoints.header import FORMAT
from facesketch.errors import CheckpointError
from facesketch.files import atomic

STATE, COMING, PREVIOUS = "state.ckpt", "state.next.ckpt", "state.previous.ckpt"


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a resumable state, keeping the one before it as `state.previous.ckpt`."""
    current, coming = folder / STATE, folder / COMING
    if current.exists():  # whole, so that two states on the disk are enough
        (folder / PREVIOUS).unlink(missing_ok=True)
    with atomic(coming) as file:
        torch.save({"format": FORMAT, **state}, file)
    if current.exists():
        current.replace(folder / PREVIOUS)
    coming.replace(current)


def load_state(folder: Path) -> dict[str, Any] | None:
    """Return the last resumable state of a run, on the CPU, or None when none was written yet.

    A state that was being put in place when the process was killed is completed first.

    Raises:
        CheckpointError: the file is torn or foreign; the line names the whole one before it.
    """
    current, coming, previous = folder / STATE, folder / COMING, folder / PREVIOUS
    path = next((path for path in (current, coming, previous) if path.exists()), None)
    if path is None:
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not compare checksums
            torn = archive.testzip()
        state = None if torn else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a torn or foreign file makes the reader raise
        raise _damaged(path, previous) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _damaged(path, previous)
    return state


def _damaged(path: Path, previous: Path) -> CheckpointError:
    seen = f"{path}: torn or not a training state of facesketch"
    if path != previous and previous.exists():
        return CheckpointError(seen, f"the one before it is whole; to go on from there type: mv {previous} {path}")
    return CheckpointError(seen, "start again with another `out`")
