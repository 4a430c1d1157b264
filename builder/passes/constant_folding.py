"""Operators whose arguments are all constants become constants.

Each operator says itself what it computes (`Operator.evaluate`), to the bit; what it cannot tell stays and is
computed when running.  The importer of TensorFlow Lite models folds already; here it is for all formats, and
across the borders of stages.
"""

from __future__ import annotations

from typing import Any

from builder.folding import folded
from builder.passes.rewriting import Rewriter, rewrite


def fold_constants(module: Any) -> Any:
    """The module with what can be computed when building as constants."""
    return rewrite(module, (fold_operator,))


def fold_operator(rewriter: Rewriter, call: Any) -> Any:
    return folded(call)
