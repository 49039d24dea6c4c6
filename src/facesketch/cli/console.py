"""A picture that comes through standard input, which `-` stands for."""

from __future__ import annotations

import sys

from facesketch.errors import ImageError


def read_pipe(example: str) -> bytes:
    """Return what standard input holds.

    Args:
        example: what to type, to be told where it holds nothing.

    Raises:
        ImageError: it is empty.
    """
    content = sys.stdin.buffer.read()
    if not content:
        raise ImageError("standard input is empty", f"expected a picture, as in: {example}")
    return content
