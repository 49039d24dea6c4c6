"""`facesketch search fit`: fit a map to your own pairs, for `--embedder`."""

from __future__ import annotations

import shlex
from pathlib import Path

from facesketch.cli.console import Bar, Quiet, comma_list, say
from facesketch.errors import ConfigError, count


def fit(
    *,
    data: Path,
    out: Path,
    parts: str = "hog,sface",
    quiet: Quiet = False,
) -> None:
    """Fit a map to your own pairs, to use as --embedder of index, query and evaluate.

    Test people are left out, and so are pairs in which a picture shows no face. A thousand pairs take some minutes.

    Parameters
    ----------
    data
        The folder of pairs.
    out
        The file to write, NAME.safetensors.
    parts
        The embedders to fit the map on: hog, sface, or both as hog,sface; sface needs its weights.
    """
    if out.suffix != ".safetensors" or out.is_dir():
        raise ConfigError(f"--out {out}", "expected a file name that ends in .safetensors")
    names = comma_list("--parts", parts)
    from facesketch.search.embedding.fit import fit as fit_map

    with Bar("describing pairs", quiet=quiet) as progress:
        fitted, left_out = fit_map(data, names, progress=progress)
    fitted.write(out)
    if left_out:
        say(f"left out, no face found: {count(len(left_out), 'pair')}, the first {left_out[0]}")
    use = f"facesketch search evaluate --data DIR --embedder {shlex.quote(str(out))}"
    say(f"{out}: maps to {fitted.dimension} numbers; type: {use}")
