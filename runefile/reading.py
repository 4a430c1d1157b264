"""From a file or a text to the syntax tree, in whichever form it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from container.errors import RunefileError
from runefile.diagnostics import AbandonedError, Code, Diagnostic, Diagnostics
from runefile.files import MAXIMUM_RUNEFILE_BYTES, read_regular
from runefile.scalars import unwritable
from runefile.source import NOWHERE, Source, Span
from runefile.syntax import Document

_YAML_SUFFIXES = (".yml", ".yaml")
_TEXT_START = re.compile(
    r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*[ \t]*"
    r"(?:FROM|CAPABILITY|PROC_BLOCK|MODEL|OUT|RUN|RESOURCE)(?=[\s<])(?![ \t]*:)",
    re.IGNORECASE,
)
_YAML_START = re.compile(
    r"(?:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*(?:---|%YAML|[ \t]*\{|[ \t]*[\"']?[\w-]+[\"']?[ \t]*:(?:\s|$))"
)


class Form(StrEnum):
    """How a Runefile is written."""

    TEXT = "text"
    YAML = "yaml"


@dataclass(frozen=True)
class ParseResult:
    """What was read: the tree, and what is wrong with it.

    `document` is None where the file cannot be read to its end; with errors in `diagnostics` it lacks parts.
    """

    document: Document | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source
    form: Form


def parse(runefile: Path | str | bytes, *, name: str | None = None, form: Form | None = None) -> ParseResult:
    """Read a Runefile from a file (a Path) or from its text.

    `name` is what messages call it.  Without `form`, the file's ending decides (`.yml`, `.yaml`: YAML; a file
    named `Runefile` or `*.Runefile`: text), else the first line.  Raises RunefileError only when the file
    cannot be read at all; whatever is wrong with its content is in the result.
    """
    if isinstance(runefile, Path):
        name = name or str(runefile)
        form = form or _form_of_path(runefile)
        runefile = _read(runefile, name)
    diagnostics = Diagnostics()
    data = runefile.encode(errors="surrogatepass") if isinstance(runefile, str) else runefile
    source = _decode(data[: MAXIMUM_RUNEFILE_BYTES + 4], name or "Runefile", diagnostics)
    form = form or form_of_text(source.text)
    if diagnostics.found:
        return ParseResult(None, diagnostics.sorted(), source, form)
    return _parse(source, form, diagnostics)


def form_of_text(text: str) -> Form:
    """The form that a text looks like."""
    if _TEXT_START.match(text):
        return Form.TEXT
    return Form.YAML if _YAML_START.match(text) else Form.TEXT


def _parse(source: Source, form: Form, diagnostics: Diagnostics) -> ParseResult:
    # The parsers are imported when something is parsed: lark alone takes 50 ms.
    from runefile.text import read_text_form
    from runefile.yaml import read_yaml_form

    try:
        document: Document | None = (read_yaml_form if form is Form.YAML else read_text_form)(
            source, diagnostics
        )
    except AbandonedError:
        document = None
    if any(diagnostic.code is Code.SYNTAX for diagnostic in diagnostics.found):
        document = None
    return ParseResult(document, diagnostics.sorted(), source, form)


def _form_of_path(path: Path) -> Form | None:
    if path.suffix.lower() in _YAML_SUFFIXES:
        return Form.YAML
    return Form.TEXT if path.name == "Runefile" or path.suffix == ".Runefile" else None


def _read(path: Path, name: str) -> bytes:
    try:
        return read_regular(path, MAXIMUM_RUNEFILE_BYTES)
    except FileNotFoundError:
        raise RunefileError(f"{name}: there is no such file") from None
    except RunefileError as error:
        raise RunefileError(f"{name}: {error.message}", hint=error.hint) from None


def _decode(data: bytes, name: str, diagnostics: Diagnostics) -> Source:
    """UTF-8, with or without a byte order mark, to text; reports what is no text at its place."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    text = data.decode(errors="replace")
    source = Source(name, text)
    hint = "save the file as UTF-8"
    if len(data) > MAXIMUM_RUNEFILE_BYTES:
        message = f"a Runefile has at most {MAXIMUM_RUNEFILE_BYTES:,} bytes"
        diagnostics.error(
            Code.LIMIT, message, NOWHERE, "put long texts into files and name them as resources"
        )
        return source
    try:
        data.decode()
    except UnicodeDecodeError as error:
        start = len(data[: error.start].decode())
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        diagnostics.error(Code.ENCODING, message, Span(start, start + 1), hint)
        return source
    wrong = unwritable(text)
    if wrong is not None:
        message = f"the character U+{ord(wrong[0]):04X} may not stand in a Runefile"
        hint = f"inside double quotes write \\u{ord(wrong[0]):04x}"
        diagnostics.error(Code.ENCODING, message, Span(*wrong.span()), hint)
    return source
