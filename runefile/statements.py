"""Cuts a text Runefile into statements and gives each its comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from runefile.source import Span
from runefile.syntax import Comments

# A quote opens text only where a word could begin; elsewhere, as in `lady's`, it is a character like others.
_COMMENT_OR_TEXT = re.compile(
    r"""(?P<comment>(?:(?<=\s)|^)\#.*)|(?:(?<=[\s,=.])|^)(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[^"'#]+|."""
)
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")


@dataclass
class Statement:
    """One statement: `text` is what stands at `start`, with comments and line ends replaced by spaces."""

    start: int
    text: str = ""
    comments: Comments = field(default_factory=Comments)

    @property
    def span(self) -> Span:
        lead = len(self.text) - len(self.text.lstrip())
        return Span(self.start + lead, self.start + len(self.text.rstrip()))


class Splitter:
    """Cuts a text into statements and gives each its comments."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.pending: list[str] = []
        self._open: Statement | None = None

    def add_line(self, start: int, line: str, length: int) -> None:
        """Take one line; `length` counts its end too."""
        content, comment = _split_comment(line)
        stripped = content.rstrip()
        if not stripped:
            self._add_empty(comment, length)
            return
        continues = stripped.endswith("\\")
        statement = self._open or self._begin(start)
        statement.text += (stripped[:-1] if continues else stripped).ljust(length)
        if comment is not None:
            statement.comments.add_after(comment)
        self._open = statement if continues else None

    def _begin(self, start: int) -> Statement:
        statement = Statement(start, comments=Comments(self.pending))
        self.pending = []
        self.statements.append(statement)
        return statement

    def _add_empty(self, comment: str | None, length: int) -> None:
        if self._open is None:
            self.pending.append(comment or "")
        elif comment is None:
            self._open = None
        else:
            self._open.comments.before.append(comment)
            self._open.text += " " * length


def _split_comment(line: str) -> tuple[str, str | None]:
    if "#" not in line:
        return line, None
    for match in _COMMENT_OR_TEXT.finditer(line):
        if match["comment"] is not None:
            return line[: match.start()], match["comment"].rstrip()
    return line, None


def split(text: str) -> Splitter:
    """The statements of a text; what stays `pending` are the comments after the last."""
    splitter = Splitter()
    for match in _LINE.finditer(text):
        if match.end() > match.start():
            splitter.add_line(match.start(), match[1], match.end() - match.start())
    return splitter
