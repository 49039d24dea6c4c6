"""Write the list of files in docs/architecture.md from the first lines of their docstrings.

python scripts/architecture.py
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "src" / "facesketch"
START, END = "<!-- files: scripts/architecture.py writes this part -->\n", "<!-- end of files -->\n"
SUBPACKAGES = (
    *("cli", "serve", "study", "search", "evaluation", "training", "inference", "metrics"),
    *("checkpoints", "methods", "data", "faces", "images", "weights"),
)
"""The fourteen subpackages, highest layer first."""


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, path
    return docstring.splitlines()[0].rstrip(".")


def listing() -> str:
    """Return the files of each subpackage as Markdown tables, the lowest layers' own files last."""
    parts = []
    for name in (*SUBPACKAGES, ""):
        folder = PACKAGE / name
        found = sorted(folder.rglob("*.py") if name else folder.glob("*.py"))
        rows = [
            f"| `{path.relative_to(folder)}` | {first_line(path)} |"
            for path in found
            if path.name not in {"__init__.py", "__main__.py"}
        ]
        heading = f"### `{name}/`\n\n{first_line(folder / '__init__.py')}." if name else "### Below the subpackages"
        parts.append("\n".join([heading, "", "| file | what it does |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def page(text: str) -> str:
    """Return the page with its list of files brought up to date."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{listing()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
