"""Mistakes of users are one family, and a misspelt name is answered with the nearest one."""

from __future__ import annotations

import pytest

from facesketch import errors
from facesketch.errors import FacesketchError, nearest


def _exceptions() -> list[type[Exception]]:
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    return [value for value in found if value is not FacesketchError]


def test_there_are_kinds_of_mistake() -> None:
    assert len(_exceptions()) >= 7


@pytest.mark.parametrize("kind", _exceptions(), ids=lambda kind: kind.__name__)
def test_every_kind_is_caught_by_the_root_and_says_what_it_is_for(kind: type[Exception]) -> None:
    with pytest.raises(FacesketchError, match="seen, expected, to type"):
        raise kind("seen, expected, to type")
    assert kind.__doc__


def test_our_own_mistakes_are_not_in_the_tree() -> None:
    assert not issubclass(FacesketchError, (ValueError, OSError))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("pix2pixx", "pix2pix"), ("cyclgan", "cyclegan"), ("conv-vea", "conv-vae"), ("pencl", "pencil")],
)
def test_nearest_names_the_closest(typed: str, meant: str) -> None:
    known = ["conv-ae", "conv-vae", "cyclegan", "pencil", "pix2pix"]
    assert nearest(typed, known) == f"did you mean '{meant}'?"


def test_nearest_is_silent_when_nothing_is_close() -> None:
    assert nearest("watercolour", ["pix2pix", "cyclegan"]) == ""
    assert nearest("pix2pix", []) == ""


def test_nearest_takes_any_iterable_once() -> None:
    assert nearest("sketch2foto", (name for name in ["photo2sketch", "sketch2photo"])) == "did you mean 'sketch2photo'?"
