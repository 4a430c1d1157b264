"""Operators that compute the same of the same."""

from __future__ import annotations

from typing import Any

from builder.passes.rewriting import rewrite


def merge_duplicates(module: Any) -> Any:
    """The module with one operator in place of equal ones; the rewriter finds them by itself."""
    return rewrite(module, ())
