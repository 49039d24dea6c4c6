"""`facesketch search learn`: learn from pairs how a person's sketch and photo meet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from facesketch.cli.search.evaluate import Stages
from facesketch.errors import ConfigError


def learn(
    *,
    data: Path,
    out: Path,
    parts: str = "hog,sface",
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Learn from pairs how sketch and photo of one person meet, for --embedder of index and evaluate.

    Test people are left out, and pairs in which a picture shows no face. Some minutes for a thousand pairs.

    Parameters
    ----------
    data
        The folder of pairs.
    out
        The file to write, NAME.safetensors.
    parts
        What to compare faces by: hog, sface, or both with a comma; sface needs its weights.
    quiet
        Show no progress.
    """
    if out.suffix != ".safetensors" or out.is_dir():
        raise ConfigError(f"--out {out}: expected a file to write whose name ends in .safetensors")
    names = [name.strip() for name in parts.split(",") if name.strip()]
    if not names:
        raise ConfigError("--parts names none", "give hog, sface, or both with a comma between")
    from facesketch.search.embedding.learn import learn as learn_map

    with Stages(quiet) as progress:
        learned, left_out = learn_map(data, names, progress=lambda done, total: progress(done, total, "describe pairs"))
    learned.write(out)
    if left_out:
        print(f"left out for want of a face: {len(left_out)} pairs, the first {left_out[0]}")  # noqa: T201
    print(f"{out}: maps to {learned.dimension} numbers; type: facesketch search evaluate --data DIR --embedder {out}")  # noqa: T201
