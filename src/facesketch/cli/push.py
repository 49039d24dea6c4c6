"""`facesketch push`: share a model on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from facesketch.cli.console import Weights, say


def push(
    model: Path,
    name: str,
    /,
    *,
    results: Path | None = None,
    weights: Weights = "best",
    private: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Upload a model with its card to the Hugging Face Hub, and print the address of its page.

    Type `hf auth login` first, or set HF_TOKEN. The file names no path of this machine.

    Args:
        model: A run folder, or a .safetensors or .onnx file.
        name: Where to, as hub:OWNER/NAME; made if it is not there.
        results: What `facesketch evaluate --out` wrote of this model; its numbers stand in the card.
        private: Make a new repository private.
    """
    from facesketch.evaluation.publish import push

    say(push(model, name, results=results, weights=weights, private=private))
