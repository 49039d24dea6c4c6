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
    """Upload a model and its card to the Hugging Face Hub, and print the address of its page.

    Type `hf auth login` first, or set HF_TOKEN. The uploaded file contains no path of your machine.

    Args:
        model: A run folder, or a .safetensors or .onnx file.
        name: The repository, as hub:OWNER/NAME; created if it does not exist.
        results: The file that `facesketch evaluate --out` wrote for this model; the card shows its numbers.
        private: Make the repository private if it is new.
    """
    from facesketch.evaluation.publish import push

    say(push(model, name, results=results, weights=weights, private=private))
