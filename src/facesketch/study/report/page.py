"""The templates of the pages that a study writes."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from facesketch.study.claims import in_numbers


def environment() -> Environment:
    """Return what finds the templates, escapes what it puts in, and refuses names that it does not know."""
    found = Environment(
        loader=PackageLoader("facesketch.study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["in_numbers"] = in_numbers
    return found
