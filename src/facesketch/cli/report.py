"""`facesketch report`: write a study's report again from what is on disk."""

from __future__ import annotations

from pathlib import Path

from facesketch.cli.console import say
from facesketch.errors import require


def report(study: Path, /, *, out: Path | None = None, figures: bool = False) -> None:
    """Write the report of a study, complete or not, from its folder.

    Nothing is trained or measured: the same folder gives the same report.

    Args:
        study: The study's folder: the --out of `facesketch study`.
        out: The HTML file; STUDY/report.html or STUDY/figures.html when not given.
        figures: Write the page of the study's Figures 12 to 24 instead.
    """
    require("train", "a report")
    from facesketch.errors import ConfigError
    from facesketch.files import require_name
    from facesketch.study.report.build import build_report
    from facesketch.study.report.figures import build_figures

    if out is not None:
        require_name(out)
        if out.suffix.lower() not in {".html", ".htm"}:
            raise ConfigError(f"--out {out}: expected a file's name that ends in .html")
    say((build_figures if figures else build_report)(study, out))
