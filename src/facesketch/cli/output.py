"""What the verbs print reaches every terminal, file and pipe, whatever encoding it has."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PLAIN = str.maketrans(
    {"↑": "^", "↓": "v", "→": "->", "–": "-", "−": "-", "…": "...", "’": "'", "“": '"', "”": '"', "×": "x", "·": "-"}
    | {"│": "|", "─": "-", "━": "-", "╸": "-", "╺": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "•": "*"}
)
_EXAMPLES = 10
_HANDLER = "facesketch"


def take_any_text() -> None:
    """Let standard output and standard error print what their encoding lacks in other words instead of failing.

    Signs of our own become plain ones, as `^` for `↑`; letters, such as those of a file's name, are escaped as in JSON.
    An error handler that the user has asked for stays.
    """
    codecs.register_error(_HANDLER, _in_other_words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "backslashreplace"}:
            stream.reconfigure(errors=_HANDLER)


def say_passed_over(files: Sequence[tuple[Path, str]]) -> None:
    """Name the first files that are not read as pictures on standard error, pictures of other kinds before the rest."""
    for path, reason in sorted(files, key=lambda each: each[1].startswith("no "))[:_EXAMPLES]:
        sys.stderr.write(f"passed over {path}: {reason}\n")
    if len(files) > _EXAMPLES:
        sys.stderr.write(f"{len(files):,} files passed over\n")


def print_json(value: Any) -> None:
    """Print indented JSON, which is UTF-8 whatever the encoding of standard output."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not unicode, default=str) + "\n")


def _in_other_words(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(map(_escaped, lost)), error.end


def _escaped(letter: str) -> str:
    """Return a letter as JSON escapes it, so that what is printed as JSON stays valid."""
    return letter if letter.isascii() else json.dumps(letter)[1:-1]
