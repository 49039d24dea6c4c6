"""Write a study's report from the files in its folder."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from facesketch import __version__
from facesketch.errors import DataError, count
from facesketch.evaluation.results import Results
from facesketch.files import write_text
from facesketch.study.aggregate import VariantResult, variant_results
from facesketch.study.claims import in_numbers, ledger
from facesketch.study.grid import IN_WORDS, PRESETS, plan, seedless
from facesketch.study.report import curves, pictures, tables
from facesketch.study.report.numbers import MEANINGS, family_of, interval, number
from facesketch.study.report.search_section import searches
from facesketch.study.report.summary import missing, verdict
from facesketch.study.study import Study

FILE = "report.html"


def build_report(study_folder: Path, out: Path | None = None) -> Path:
    """Write the report of a study and return where it is.

    The file needs nothing beside it: pictures and figures are inside, and it asks no other host for anything. The same
    folder gives the same bytes.

    Args:
        study_folder: the folder of a study, complete or not.
        out: the HTML file; `report.html` in the study's folder when None.

    Raises:
        DataError: no study there, none of its cells has finished, or a result is damaged.
        OutputError: the place cannot be written.
    """
    study = Study.read(Path(study_folder))
    found = variant_results(study)
    if not found:
        raise DataError(
            f"{study.out}: no cell has finished, so there is nothing to report",
            "run the study again; it goes on with what is missing",
        )
    path = Path(out) if out is not None else study.out / FILE
    write_text(path, environment().get_template("report.html.j2").render(_context(study, found)))
    return path


def environment() -> Environment:
    """Return the environment that finds the templates, escapes values and refuses unknown names."""
    found = Environment(
        loader=PackageLoader("facesketch.study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"in_numbers": in_numbers, "number": number, "interval": interval, "counted": count}
    return found


def _context(study: Study, found: Mapping[str, VariantResult]) -> dict[str, Any]:
    names = [name for cell in study.cells for name in cell.results.values()]
    results = {name: Results.load(study.result_file(name)) for name in names if study.result_file(name).exists()}
    trained = [cell for cell in study.cells if cell.learned and study.done(cell)]
    families = count(len({cell.method for cell in trained}), "family", "families")
    measured = {family_of(name) for each in results.values() for name in (*each.metrics, *each.sets)}
    undone = [cell for cell in study.cells if not study.done(cell)]
    left_out: dict[str, str] = {}
    for each in results.values():
        left_out = each.left_out | left_out  # the first reason given
    return {
        "study": study,
        "version": __version__,
        "subtitle": f"{count(len(trained), 'model')} of {families}, measured on people that none of them has seen",
        "facts": _facts(study, found),
        "people": len({subject for each in results.values() for subject in each.subjects}),
        "warnings": sorted({line for each in results.values() for line in each.warnings}),
        "missing": missing(study),
        "rankings": [
            (
                words,
                verdict(found, direction),
                *(tables.ranked_table(found, direction, main=main) for main in (True, False)),
            )
            for direction, words in IN_WORDS.items()
            if any(each.direction == direction for each in found.values())
        ],
        "cost_charts": curves.cost_charts(found),
        "how_ranked": tables.how_ranked(found),
        "in_words": IN_WORDS,
        "overview": pictures.overview(study, found),
        "sheets": pictures.result_sheets(study),
        "autoencoders": curves.charts_by_family(study, adversarial=False),
        "gans": curves.charts_by_family(study, adversarial=True),
        "matches": curves.match_charts(found),
        "searches": searches(study, next(iter(found.values())).results.stems_hash),
        "claims": ledger(study, dict(found)),
        "costs": tables.costs(study, results),
        "failures": [(cell.name, study.failure(cell) or "not done yet") for cell in undone],
        "meanings": [meaning for name, meaning in MEANINGS.items() if name in measured],
        "left_out": left_out,
        "command": _command(study),
        "environments": tables.environments(study),
    }


def _facts(study: Study, found: Mapping[str, VariantResult]) -> dict[str, str]:
    """Return what was measured: data, protocol, counts, and the hash of the test stems."""
    first = next(iter(found.values())).results
    seeds = Counter(seedless(cell.name) for cell in study.cells if cell.learned)
    told = next((environment.get("pairs") for environment, _ in tables.environments(study)), None)
    counts = told if isinstance(told, dict) else {}
    pairs = ", ".join(f"{counts[side]} {side}" for side in ("train", "validation", "test") if side in counts)
    measured = f"{count(len(first.stems), 'pair')} of {count(len(set(first.subjects)), 'person', 'people')}"
    return {
        "Data": study.data.name,
        "Protocol": first.protocol,
        "Preset": f"{study.preset}, {first.model.size} pixels" if first.model.size else study.preset,
        "Seeds": " or ".join(map(str, sorted(set(seeds.values())))) or "none",
        "Pairs": pairs or "not recorded",
        "Measured on": f"{measured}, {first.split} split",
        "Test stems": first.stems_hash,
    }


def _command(study: Study) -> str:
    """Return what to type for the same study."""
    known = PRESETS.get(study.preset)
    given: dict[str, list[str]] = {"out": [study.out.resolve().name], "preset": [study.preset]}
    if study.seeds and (study.seeds > 1 or (known and known.seeds)):
        given["seeds"] = [str(study.seeds)]
    if study.metrics and set(study.metrics) != set(known.metrics if known else ()):
        given["metrics"] = [",".join(study.metrics)]
    cells = [cell.name for cell in study.cells]
    if known and not {cell.name for cell in plan(study.preset, seeds=study.seeds)} <= set(cells):
        given["only"] = cells
    flags = [word for name, words in given.items() for word in (f"--{name}", *words)]
    return shlex.join(["facesketch", "study", study.data.name, *flags])
