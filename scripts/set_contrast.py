"""Give a trained `portrait` another contrast, and say how much its sketches of people it never met lack.

    .venv/bin/python scripts/set_contrast.py RUN --data portraits --contrast 1.1 --out model.safetensors

For each style it prints the spread of grey in the artists' sketches over that in the model's own, without contrast,
once for training pairs and once for test pairs where there are any; what is above 1 is missing. Weights stay as they
are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facesketch.checkpoints.checkpoint import load_method, save_weights
from facesketch.data.index import index
from facesketch.data.pairs import Pair
from facesketch.inference.translator import Translator, load
from facesketch.methods.portrait import Portrait

MOST = 100
"""Pairs of a style and a side that are measured."""


def lacking(translator: Translator, pairs: list[Pair], style: str) -> float:
    """Return the mean spread of the artists' sketches over that of ours."""
    ours = translator.translate([pair.photo.open() for pair in pairs], "photo2sketch", style=style)
    theirs = [np.asarray(pair.sketch.open().convert("L")) for pair in pairs]
    return float(np.mean([each.std() for each in theirs]) / np.mean([np.asarray(each).std() for each in ours]))


def main() -> None:
    """Measure with no contrast, and write the weights with the one asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--contrast", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    method, config = load_method(asked.run, "last")
    assert isinstance(method, Portrait), "only portrait has a contrast"
    assert method.settings.contrast == 1.0, "it has one already"
    translator, everybody = load(asked.run, weights="last"), index(asked.data).pairs
    for style in method.styles:
        for side in ("train", "test"):
            chosen = [each for each in everybody if (each.attributes.get("style"), each.split) == (style, side)][:MOST]
            if chosen:
                print(f"{style} {side}: {lacking(translator, chosen, style):.2f} of {len(chosen)}")
    changed = config.model_copy(update={"method": config.method.model_copy(update={"contrast": asked.contrast})})
    save_weights(asked.out, method, changed, {"contrast of": asked.run.name})


if __name__ == "__main__":
    main()
