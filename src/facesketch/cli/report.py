"""`facesketch report`: write a study's report again from its folder."""

from __future__ import annotations

from pathlib import Path

from facesketch.cli.console import say
from facesketch.errors import require


def report(study: Path, /, *, out: Path | None = None, figures: bool = False) -> None:
    """Write a study's report from its folder, whether or not the study is complete.

    Nothing is trained or measured; the same folder always gives the same report.

    Args:
        study: The study's folder, given to `facesketch study` as --out.
        out: The HTML file; by default STUDY/report.html, or STUDY/figures.html with --figures.
        figures: Write a page with the study's Figures 12 to 24 instead.
    """
    require("train", "a report")
    from facesketch.errors import ConfigError
    from facesketch.files import require_name
    from facesketch.study.report.build import build_report
    from facesketch.study.report.figures import build_figures

    if out is not None:
        require_name(out)
        if out.suffix.lower() not in {".html", ".htm"}:
            raise ConfigError(f"--out {out}: expected a file name that ends in .html")
    say((build_figures if figures else build_report)(study, out))
