"""A syntax tree, written in either form."""

from __future__ import annotations

from typing import Literal

from runefile.reading import Form
from runefile.syntax import Document


def format(document: Document, to: Form | Literal["text", "yaml"] = Form.TEXT) -> str:
    """The canonical text of a document that was read without errors, its comments included.

    Reading it again gives an equal document.
    """
    # The printer of YAML imports its reader, and with it PyYAML.
    from runefile.text_printer import print_text
    from runefile.yaml_printer import print_yaml

    return print_yaml(document) if Form(to) is Form.YAML else print_text(document)
