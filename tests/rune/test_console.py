"""What commands print with: tables, sizes, phases."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from rune.cli import console
from rune.text import printable, size, table


def clock(*times: float) -> Iterator[float]:
    yield from times


def test_table_aligns_columns_and_leaves_no_spaces_at_the_end() -> None:
    rows = [["stage", "time"], ["a", "1.5"], ["longer", "20.25"]]
    assert table(rows, right=(1,)) == "stage    time\na         1.5\nlonger  20.25"
    assert table([["a", "b"], ["longer", ""]]) == "a       b\nlonger"


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB")])
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_printable_keeps_lines_and_letters() -> None:
    assert printable("né\n\x1b[31m\x07") == "né\n\\u001b[31m\\u0007"


def test_phases_tell_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = clock(0.0, 1.5, 1.5, 4.0)
    with console.Phases(shown=True, clock=lambda: next(ticks)) as phases:
        phases("check")
        phases("compile")
    assert capsys.readouterr().err.splitlines() == [
        f"{'check':<40}   1.50 s",
        f"{'compile':<40}   2.50 s",
    ]
    assert phases.seconds == {"check": 1.5, "compile": 2.5}


def test_a_phase_that_comes_twice_adds_up() -> None:
    ticks = clock(0, 1, 1, 3, 3, 6)
    with console.Phases(shown=False, clock=lambda: next(ticks)) as phases:
        for name in ("link", "seal", "link"):
            phases(name)
    assert phases.seconds == {"link": 4, "seal": 2}


def test_phases_that_are_not_shown_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Phases(shown=False) as phases:
        phases("check")
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_phase_as_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    phases = console.Phases(shown=True)
    phases("compile")
    assert terminal.getvalue() == "compile ..."


def test_a_failure_during_a_phase_begins_on_a_new_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    phases = console.Phases(shown=True)
    phases("compile")
    phases.__exit__(KeyError, KeyError(), None)
    assert terminal.getvalue() == "compile ...\n"


@pytest.mark.parametrize(
    ("terminal", "no_color", "expected"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_only_on_terminals_that_want_them(
    terminal: bool, no_color: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    assert console.colored(stream) is expected
