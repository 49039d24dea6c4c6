"""`facesketch push`: share a model on the Hugging Face Hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def push(
    model: Path,
    name: str,
    /,
    *,
    results: Path | None = None,
    weights: Literal["best", "last"] = "best",
    private: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Upload a model with its card to the Hugging Face Hub, and print the address of its page.

    Type `hf auth login` first, or set HF_TOKEN. The file names no path of this machine.

    Parameters
    ----------
    model
        A run folder, or a .safetensors or .onnx file.
    name
        Where to, as hub:OWNER/NAME; made if it is not there.
    results
        What `facesketch evaluate --out` wrote of this model; its numbers stand in the card.
    weights
        Which of a run's weights: the best on its validation pairs, or the last.
    private
        Make a new repository private.
    """
    from facesketch.evaluation.publish import push

    sys.stdout.write(push(model, name, results=results, weights=weights, private=private) + "\n")
