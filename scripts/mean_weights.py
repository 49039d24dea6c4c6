"""Write the mean of two trainings' last weights, to train on from it with `--start-from`.

    .venv/bin/python scripts/mean_weights.py RUN RUN --out mean.safetensors

Two ends of trainings of one network that began from the same weights lie in one valley, and the middle between them is
often lower than both (Wortsman et al. 2022). The settings in the new file's header are those of the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from facesketch.checkpoints.checkpoint import load_method, save_weights


def main() -> None:
    """Read both, and write their mean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs=2)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    (first, config), (second, other) = (load_method(run, "last") for run in asked.runs)
    if config.method.name != other.method.name:
        raise SystemExit(f"{config.method.name} and {other.method.name}: expected two trainings of one method")
    theirs = second.state_dict()
    mean = {name: _between(ours, theirs[name]) for name, ours in first.state_dict().items()}
    first.load_state_dict(mean)
    save_weights(asked.out, first, config, {"mean": [run.name for run in asked.runs]})


def _between(ours: Tensor, theirs: Tensor) -> Tensor:
    return torch.lerp(ours, theirs, 0.5) if ours.is_floating_point() else ours  # a batch norm counts its batches


if __name__ == "__main__":
    main()
