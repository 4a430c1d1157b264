"""No comment is ever lost, wherever it stands, and those of a statement stay with it."""

from __future__ import annotations

from collections import Counter

import pytest

import runefile
from runefile import Form
from runefile.syntax import Document, all_comments
from tests.runefile.corpus import RUNEFILES, corpus_file


def read(text: str, form: Form) -> Document:
    document = runefile.parse(text, form=form).document
    assert document is not None
    return document


def commented(text: str, form: Form) -> tuple[str, int]:
    """The text with a comment above and at the end of each line, but for lines of a YAML block of text."""
    lines: list[str] = []
    count = 0
    block_indent: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if block_indent is not None and (not line.strip() or indent > block_indent):
            lines.append(line)
            continue
        block_indent = indent if form is Form.YAML and line.endswith("|") else None
        lines += [f"# above {count}", f"{line} # behind {count}"]
        count += 1
    lines.append("# at the end")
    return "\n".join(lines) + "\n", 2 * count + 1


@pytest.mark.parametrize("name", RUNEFILES)
def test_comments_everywhere_survive_every_conversion(name: str) -> None:
    path = corpus_file(name)
    form = Form.YAML if path.suffix == ".yml" else Form.TEXT
    parsed = runefile.parse(path).document
    assert parsed is not None
    text, added = commented(path.read_text(), form)
    document = read(text, form)
    assert document == parsed
    wanted = Counter(all_comments(document))
    assert sum(wanted.values()) >= added
    as_text, as_yaml = runefile.format(document, "text"), runefile.format(document, "yaml")
    assert Counter(all_comments(read(as_text, Form.TEXT))) == wanted
    assert Counter(all_comments(read(as_yaml, Form.YAML))) == wanted
    assert runefile.format(read(as_text, Form.TEXT), "text") == as_text


def test_text_comments_stay_with_their_statements() -> None:
    text = """\
# The top.

# The image.
FROM runicos/base # ours

# The sensor
# of two lines.
CAPABILITY<F32[4]> input RAW # in

OUT serial # out
# The way.
RUN input serial # all of it
# The end.
"""
    assert runefile.format(read(text, Form.TEXT), "text") == text


def test_yaml_comments_stay_with_their_parts() -> None:
    text = """\
# The top.
version: 1
image: runicos/base # ours

pipeline:
  # The sensor.
  input: # in
    capability: RAW
    outputs:
      # Four of them.
      - type: F32 # little-endian
        dimensions: [4]
    args:
      # A sample.
      length: 16 # bytes
  serial:
    out: SERIAL
    inputs:
      - input # all of it

# Things.
resources:
  LABELS: # words
    type: string
    inline: |
      # no comment
      a
# The end.
"""
    document = read(text, Form.YAML)
    assert document.resources[0].inline == "# no comment\na\n"
    expected = text.replace("\n# Things.\nresources:\n", "\nresources:\n  # Things.\n")
    assert runefile.format(document, "yaml") == expected


def test_comments_inside_a_continued_statement_are_kept_above_it() -> None:
    text = "FROM a\nOUT serial \\\n  # why\n  debug # because\n"
    assert runefile.format(read(text, Form.TEXT), "text") == "FROM a\n# why\nOUT serial debug # because\n"


def test_a_number_sign_in_a_word_or_in_quotes_is_no_comment() -> None:
    text = 'FROM "a # b"\nPROC_BLOCK<_,_> x a/b#c --label "# no" --other=#no # yes\n'
    document = read(text, Form.TEXT)
    assert document.image == "a # b"
    assert document.stages[0].target == "a/b#c"
    assert [argument.value for argument in document.stages[0].arguments] == ["# no", "#no"]
    assert all_comments(document) == ["# yes"]


def test_blank_lines_part_statements_but_never_double() -> None:
    text = "\n\nFROM a\n\n\n\nOUT serial\n\n\n"
    assert runefile.format(read(text, Form.TEXT), "text") == "FROM a\n\nOUT serial\n"
