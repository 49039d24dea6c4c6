"""The splits that have a name in print, and whether a folder has their counts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from facesketch.errors import require_known

PROTOCOLS: dict[str, tuple[int, int]] = {
    "cuhk": (88, 100),
    "cufs": (268, 338),
    "cufsf": (250, 944),
    "fs2k": (1058, 1046),
}
"""Training and test pairs of the splits that have a name; validation pairs count as training ones."""
OWN = "own"
_CUHK_STEM = re.compile(r"[fm][12]?-\d{3}-\d{2}(-sz1)?")


def require_protocol(protocol: str | None) -> None:
    """Raise a ConfigError unless a protocol is None, `own` or a key of `PROTOCOLS`."""
    if protocol is not None:
        require_known(protocol, (*PROTOCOLS, OWN), "unknown protocol")


def recognise(stems: Iterable[str], counts: tuple[int, int]) -> str:
    """Return `cuhk` for 88 training and 100 test pairs named as CUHK's are, otherwise `own`."""
    return "cuhk" if counts == PROTOCOLS["cuhk"] and all(map(_CUHK_STEM.fullmatch, stems)) else OWN


def count_warnings(protocol: str, counts: tuple[int, int]) -> list[str]:
    """Return a warning where a named protocol has other counts of training and test pairs."""
    expected = PROTOCOLS.get(protocol, counts)
    if expected == counts:
        return []
    return [f"{protocol} expects {expected[0]}/{expected[1]}, found {counts[0]}/{counts[1]}"]
