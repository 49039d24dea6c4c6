"""Set the contrast of a trained `portrait`, and print how much contrast its sketches lack.

    .venv/bin/python scripts/set_contrast.py RUN --data portraits --contrast 1.1 --out model.safetensors

For each style it prints the spread of grey in the artists' sketches divided by that in the model's own, for training
pairs and, where there are any, for test pairs. Above 1, the model's sketches lack contrast. The weights do not change.
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
"""Most pairs to measure per style and split."""


def lacking(translator: Translator, pairs: list[Pair], style: str) -> float:
    """Return the mean spread of grey in the artists' sketches, divided by that in ours."""
    ours = translator.translate([pair.photo.open() for pair in pairs], "photo2sketch", style=style)
    theirs = [np.asarray(pair.sketch.open().convert("L")) for pair in pairs]
    return float(np.mean([each.std() for each in theirs]) / np.mean([np.asarray(each).std() for each in ours]))


def main() -> None:
    """Measure without contrast, and write the weights with the given one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--contrast", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    method, config = load_method(arguments.run, "last")
    assert isinstance(method, Portrait), "only portrait has a contrast"
    assert method.options.contrast == 1.0, "the run already has a contrast"
    translator, pairs = load(arguments.run, weights="last"), index(arguments.data).pairs
    for style in method.styles:
        for side in ("train", "test"):
            chosen = [each for each in pairs if (each.attributes.get("style"), each.split) == (style, side)][:MOST]
            if chosen:
                print(f"{style} {side}: {lacking(translator, chosen, style):.2f} of {len(chosen)}")
    changed = config.model_copy(update={"method": config.method.model_copy(update={"contrast": arguments.contrast})})
    save_weights(arguments.out, method, changed, {"contrast of": arguments.run.name})


if __name__ == "__main__":
    main()
