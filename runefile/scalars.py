"""The smallest words of the language, which text and YAML share: numbers, true and false, quoted text, names.

A word without quotes is a number or a truth value where it reads as one by YAML 1.2's core schema
(https://yaml.org/spec/1.2.2/#103-core-schema), else text.  `$NAME` stands for a resource; text that looks
like that, or starts with `$$`, is written with one `$` more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""Names of stages, outputs, resources, arguments and kinds."""

_MAXIMUM_DIGITS = 40
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(rf"[-+]?[0-9]{{1,{_MAXIMUM_DIGITS}}}|0x[0-9a-fA-F]{{1,16}}|0o[0-7]{{1,22}}")
_FLOAT = re.compile(
    rf"[-+]?(?:\.[0-9]{{1,{_MAXIMUM_DIGITS}}}"
    rf"|[0-9]{{1,{_MAXIMUM_DIGITS}}}(?:\.[0-9]{{0,{_MAXIMUM_DIGITS}}})?)(?:[eE][-+]?[0-9]{{1,4}})?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LITERAL_STARTS = frozenset("0123456789+-.tTfF")
_NOT_WRITABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML does not let stand in a file as itself, and characters that break lines in some editors only."""
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"} | {mark: mark for mark in "\"'\\/ "}


@dataclass(frozen=True)
class Literal:
    """A number or a truth value, as it was written."""

    written: str

    @property
    def value(self) -> bool | int | float:
        """What it stands for; a number too large for a double is infinite."""
        if _BOOLEAN.fullmatch(self.written):
            return self.written.lower() == "true"
        if _INTEGER.fullmatch(self.written):
            return int(self.written, _base(self.written))
        special = self.written.lower().endswith(("inf", "nan"))
        return float(self.written.replace(".", "") if special else self.written)


@dataclass(frozen=True)
class ResourceName:
    """`$NAME`: stands for the content of a resource."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


Scalar: TypeAlias = str | Literal | ResourceName
Value: TypeAlias = Scalar | tuple[Scalar, ...]


def _base(written: str) -> int:
    return {"0x": 16, "0o": 8}.get(written[:2], 10)


def read_word(word: str) -> str | Literal | ResourceName:
    """What a word without quotes stands for."""
    return Literal(word) if is_literal(word) else read_text(word)


def is_literal(word: str) -> bool:
    """Whether a word without quotes is a number or a truth value."""
    return word[:1] in _LITERAL_STARTS and any(
        pattern.fullmatch(word) for pattern in (_BOOLEAN, _INTEGER, _FLOAT)
    )


def read_text(text: str) -> str | ResourceName:
    """What text, quoted or not, stands for: itself, or a resource."""
    if text.startswith("$$"):
        return text[1:]
    if text.startswith("$") and NAME.fullmatch(text[1:]):
        return ResourceName(text[1:])
    return text


def written_text(value: str | ResourceName) -> str:
    """The inverse of `read_text`."""
    if isinstance(value, ResourceName):
        return str(value)
    mistakable = value.startswith("$$") or (value.startswith("$") and NAME.fullmatch(value[1:]))
    return f"${value}" if mistakable else value


def quote(text: str) -> str:
    """Text in double quotes, on one line, with escapes that both forms read."""
    return '"' + "".join(_escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if _NOT_WRITABLE.match(character):
        return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    return character


def unquote(quoted_text: str) -> str:
    """The text of a quoted string.  Raises ValueError for an escape that does not exist."""
    return _ESCAPE.sub(_unescape, quoted_text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        if match[4] not in _UNESCAPED:
            raise ValueError(f"there is no escape {match[0]}")
        return _UNESCAPED[match[4]]
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"{match[0]} is no character")
    return chr(code)


def unwritable(text: str) -> re.Match[str] | None:
    """The first character that may stand in no Runefile as itself."""
    return _NOT_WRITABLE.search(text)
