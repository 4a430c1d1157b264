"""The language: Runefiles in both forms, their syntax tree, and the checker that types the whole pipeline.

    >>> import runefile
    >>> document = runefile.parse("FROM runicos/base").document
    >>> print(runefile.format(document, to="yaml"), end="")
    version: 1
    image: runicos/base
    pipeline: {}

`runefile.check` holds the checker.
"""

from runefile.files import find_runefile
from runefile.printing import format
from runefile.reading import Form, ParseResult, parse

__all__ = ["Form", "ParseResult", "find_runefile", "format", "parse"]
