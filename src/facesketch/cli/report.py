"""`facesketch report`: write a study's report again from what is on disk."""

from __future__ import annotations

import sys
from pathlib import Path

from facesketch.errors import require


def report(study: Path, /, *, out: Path | None = None) -> None:
    """Write the report of a study, complete or not, from its folder.

    Nothing is trained or measured: the same folder gives the same report.

    Parameters
    ----------
    study
        The study's folder: the --out of `facesketch study`.
    out
        The HTML file; STUDY/report.html when not given.
    """
    require("train", "a report")
    from facesketch.errors import ConfigError
    from facesketch.files import require_name
    from facesketch.study.report.build import build_report

    if out is not None:
        require_name(out)
        if out.suffix.lower() not in {".html", ".htm"}:
            raise ConfigError(f"--out {out}: expected a file's name that ends in .html")
    sys.stdout.write(f"{build_report(study, out)}\n")
