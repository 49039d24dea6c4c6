"""Put the table of benchmarks/history.jsonl into the page of the documentation that asks for it; a hook of MkDocs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HISTORY = Path(__file__).with_name("history.jsonl")
_MARK = "<!-- history -->"


def table(lines: list[dict[str, Any]]) -> str:
    """Return a table in Markdown, the newest line first, with a column for each family and batch size."""
    families = list(dict.fromkeys(name for line in lines for name in line["ratios"]))
    rows = [["date", "commit", "machine", "load", "PyTorch", *families]]
    rows.append(["---"] * len(rows[0]))
    for line in reversed(lines):
        machine = f"{line['processors']} x {line['machine']}, {'bf16' if line['half'] else 'fp32'}"
        cells = [line["date"], line["commit"], machine, str(line["load"]), line["torch"]]
        for name in families:
            there = name in line["ratios"]
            cells.append(f"{line['ratios'][name]:.2f} ({line['floors'][name]:.1f})" if there else "")
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the mark in a page by the table."""
    if _MARK not in markdown:
        return markdown
    lines = [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]
    return markdown.replace(_MARK, table(lines))
