"""Write the mean of the last weights of two runs, from which `--start-from` can start.

    .venv/bin/python scripts/mean_weights.py RUN RUN --out mean.safetensors

Two runs that start from the same weights end in the same valley of the loss, and their mean is often lower than both
(Wortsman et al. 2022). The header of the new file has the settings of the first run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from facesketch.checkpoints.checkpoint import load_method, save_weights


def main() -> None:
    """Read both runs and write their mean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs=2)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    (first, config), (second, other) = (load_method(run, "last") for run in arguments.runs)
    if config.method.name != other.method.name:
        raise SystemExit(f"{config.method.name} and {other.method.name}: expected two runs of one method")
    theirs = second.state_dict()
    mean = {
        # batch norm counts its batches in whole numbers
        name: torch.lerp(ours, theirs[name], 0.5) if ours.is_floating_point() else ours
        for name, ours in first.state_dict().items()
    }
    first.load_state_dict(mean)
    save_weights(arguments.out, first, config, {"mean": [run.name for run in arguments.runs]})


if __name__ == "__main__":
    main()
