"""What is wrong with a Runefile: where, why, and what to do next.

A diagnostic is shown as

    FILE:LINE:COLUMN: error[CODE]: message
        the line of the file
            ^^^^
    hint: what to do
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from container.errors import CompileError, ExitCode, RuneError, RunefileError
from runefile.source import NOWHERE, Source, Span

MAXIMUM_DIAGNOSTICS = 100
"""After so many errors the rest of the file is not looked at."""
_LISTED_NAMES = 40
_LINE_WIDTH = 100
"""Columns of a source line that are shown."""
_INDENT = "    "


class Code(StrEnum):
    """The kinds of diagnostics, by the word between the brackets."""

    ENCODING = "encoding"
    SYNTAX = "syntax"
    LIMIT = "limit"
    VERSION = "version"
    MISSING_FIELD = "missing-field"
    UNKNOWN_FIELD = "unknown-field"
    DUPLICATE_NAME = "duplicate-name"
    UNKNOWN_NAME = "unknown-name"
    UNKNOWN_TYPE = "unknown-type"
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_BLOCK = "unknown-block"
    UNKNOWN_OUTPUT = "unknown-output"
    UNKNOWN_ARGUMENT = "unknown-argument"
    MISSING_ARGUMENT = "missing-argument"
    WRONG_ARGUMENT = "wrong-argument"
    CYCLE = "cycle"
    NO_OUTPUT = "no-output"
    NO_INPUT = "no-input"
    UNREACHABLE = "unreachable"
    TYPE_MISMATCH = "type-mismatch"
    COUNT_MISMATCH = "count-mismatch"
    NO_SUCH_RESOURCE = "no-such-resource"
    UNUSED_RESOURCE = "unused-resource"
    BAD_RESOURCE = "bad-resource"
    FILE = "file"
    MODEL_FORMAT = "model-format"
    MODEL = "model"
    BLOCK = "block"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong, or, as a warning, odd."""

    code: Code
    message: str
    span: Span = NOWHERE
    hint: str | None = None
    severity: Severity = Severity.ERROR
    exit_code: ExitCode = ExitCode.RUNEFILE
    """What a command ends with when all its errors are of this kind."""

    def render(self, source: Source) -> str:
        """The diagnostic as a user reads it, without a line break at its end."""
        line, column = source.position(self.span.start)
        lines = [f"{source.name}:{line}:{column}: {self.severity}[{self.code}]: {self.message}"]
        text = source.line(line)
        if text.strip():
            lines += _pointed(text, column - 1, self.span.end - self.span.start)
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def to_json(self, source: Source) -> dict[str, object]:
        """The diagnostic as plain values; line and column count from 1, `length` is in characters."""
        line, column = source.position(self.span.start)
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "message": self.message,
            "hint": self.hint,
            "file": source.name,
            "line": line,
            "column": column,
            "length": self.span.end - self.span.start,
        }


class AbandonedError(Exception):
    """The rest of a file is not looked at; why has been reported."""


@dataclass
class Diagnostics:
    """Collects what is found wrong while a file is read and checked."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        code: Code,
        message: str,
        span: Span,
        hint: str | None = None,
        exit_code: ExitCode = ExitCode.RUNEFILE,
    ) -> None:
        """Record an error; one that repeats another at the same place is dropped.  Raises AbandonedError."""
        self._add(Diagnostic(code, message, span, hint, exit_code=exit_code))
        if len(self.found) >= MAXIMUM_DIAGNOSTICS:
            message = f"{MAXIMUM_DIAGNOSTICS} errors: the rest of the file was not checked"
            self.fatal(Code.LIMIT, message, span)

    def fatal(self, code: Code, message: str, span: Span, hint: str | None = None) -> NoReturn:
        """Record an error after which the file is not looked at further.  Raises AbandonedError."""
        self._add(Diagnostic(code, message, span, hint))
        raise AbandonedError

    def warning(self, code: Code, message: str, span: Span, hint: str | None = None) -> None:
        self._add(Diagnostic(code, message, span, hint, Severity.WARNING))

    def _add(self, diagnostic: Diagnostic) -> None:
        place = (diagnostic.code, diagnostic.span)
        if diagnostic.span == NOWHERE or place not in ((known.code, known.span) for known in self.found):
            self.found.append(diagnostic)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """All of them, in the order of the file."""
        return tuple(sorted(self.found, key=lambda diagnostic: diagnostic.span.start))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def render_all(diagnostics: Sequence[Diagnostic], source: Source) -> str:
    """All diagnostics one below the other, a blank line between."""
    return "\n\n".join(diagnostic.render(source) for diagnostic in diagnostics)


def as_error(diagnostics: Sequence[Diagnostic], source: Source) -> RuneError:
    """One exception that says everything: a CompileError when every error is one of compiling."""
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity is Severity.ERROR]
    compiling = errors and all(error.exit_code is ExitCode.COMPILE for error in errors)
    return (CompileError if compiling else RunefileError)(render_all(diagnostics, source))


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong one is probably meant to be, if there is one."""
    by_folded = {name.lower().replace("_", "-"): name for name in sorted(set(known))}
    near = difflib.get_close_matches(wrong[:100].lower().replace("_", "-"), by_folded, n=1)
    return by_folded[near[0]] if near else None


def near_miss(wrong: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest of the known names, if one is near."""
    name = nearest(wrong, known)
    return None if name is None else f"did you mean {quoted(name)}?"


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest of the known names, or else with all of them when they are few."""
    names = sorted(set(known))
    listed = f"known: {', '.join(map(_listed, names))}" if 0 < len(names) <= _LISTED_NAMES else None
    return near_miss(wrong, names) or listed


def _listed(name: str) -> str:
    return quoted(name)[1:-1]


def quoted(text: str, maximum: int = 80) -> str:
    """Text from the file as a message repeats it: on one line, without control characters, not too long."""
    shown = text if len(text) <= maximum else text[: maximum - 3] + "..."
    return '"' + "".join(map(_visible, shown)) + '"'


def _visible(character: str) -> str:
    return character if character.isprintable() else f"\\u{ord(character):04x}"


def _pointed(text: str, start: int, length: int) -> list[str]:
    """The source line and a line of carets below it, cut to a window around the place."""
    shown_from = max(0, start - _LINE_WIDTH // 2) if len(text) > _LINE_WIDTH else 0
    window = text[shown_from : shown_from + _LINE_WIDTH]
    lead = "..." if shown_from else ""
    cut = "..." if shown_from + _LINE_WIDTH < len(text) else ""
    before = window[: start - shown_from]
    pointed = window[len(before) : len(before) + max(1, length)]
    padding = "".join("\t" if character == "\t" else " " * _columns(character) for character in before)
    carets = "^" * max(1, sum(map(_columns, pointed)))
    cleaned = "".join(character if character == "\t" else _replaced(character) for character in window)
    return [f"{_INDENT}{lead}{cleaned}{cut}", f"{_INDENT}{' ' * len(lead)}{padding}{carets}"]


def _replaced(character: str) -> str:
    # What could move the cursor or change colours must not reach a terminal.
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
