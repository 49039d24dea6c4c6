"""What the verbs share: counts, percentages, notes, tables and the progress bar."""

from __future__ import annotations

import io
import sys

import pytest

from facesketch.cli.console import Bar, note_some, percent, table
from facesketch.errors import count


class Terminal(io.StringIO):
    """A standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch, wait: float = 0.0) -> Terminal:
    """Make standard error a terminal, which no fixture can: pytest takes it back before the test begins."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Bar, "wait", wait)
    return made


def test_counts_and_shares() -> None:
    assert [count(1, "photo"), count(2000, "photo"), count(0, "photo")] == ["1 photo", "2,000 photos", "0 photos"]
    assert [count(1, "person", "people"), count(3, "person", "people")] == ["1 person", "3 people"]
    assert [percent(0.125), percent(0.125, 1)] == ["12 %", "12.5 %"]


def test_only_the_first_ten_lines_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    note_some([f"line {number}" for number in range(12)], ", all in report.json")
    said = capsys.readouterr().err.splitlines()
    assert (len(said), said[-1]) == (11, "and 2 more, all in report.json")


def test_columns_of_numbers_stand_at_the_right() -> None:
    text, number = table("name", "size", numbers=("size",)).columns
    assert (text.justify, number.justify, number.no_wrap) == ("left", "right", True)


def test_bar_is_hidden_for_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch, Bar.wait)
    with Bar("reading") as bar:
        bar(1, 4)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("size", [False, True])
def test_bar_shows_the_stage_and_the_count(size: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with Bar("reading [a]", size=size) as bar:
        bar(3, 4)
        assert bar._bar is not None
        bar._bar.refresh()
        assert "reading [a]" in terminal.getvalue()
        assert "3/4" in terminal.getvalue()
        bar(1, 40, "measuring")
        task = bar._bar.tasks[0]
        assert (task.completed, task.total, task.description, len(bar._bar.tasks)) == (1, 40, "measuring", 1)


def test_bar_begins_its_time_again_with_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    a_terminal(monkeypatch)
    with Bar() as bar:
        bar(3, 4, "sketches")
        assert bar._bar is not None
        began = bar._bar.tasks[0].start_time
        bar(4, 4, "sketches")
        assert bar._bar.tasks[0].start_time == began
        bar(0, 4, "photos")
        assert bar._bar.tasks[0].start_time != began


def test_bar_is_hidden_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with Bar(quiet=True) as bar:
        bar(1, 4, "reading")
    assert terminal.getvalue() == ""


def test_bar_is_hidden_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bar, "wait", 0.0)
    with Bar() as bar:
        bar(1, 4, "reading")
    assert capsys.readouterr().err == ""
