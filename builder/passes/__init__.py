"""Rewrites of imported graphs, a file each."""

from __future__ import annotations

from typing import Any


def whole_and_integer_operators(module: Any) -> Any:
    """A graph of TVM's operators, quantised in pairs of (de)quantize or not, as one of whole operators."""
    from builder.passes.borders import BORDER_RULES
    from builder.passes.integer_operators import INTEGER_RULES
    from builder.passes.movement import MOVEMENT_RULES
    from builder.passes.quantization import QUANTIZATION_RULES
    from builder.passes.rewriting import rewrite
    from builder.passes.whole_operators import WHOLE_OPERATOR_RULES

    rules = (*MOVEMENT_RULES, *WHOLE_OPERATOR_RULES, *INTEGER_RULES, *QUANTIZATION_RULES)
    return rewrite(rewrite(module, rules), BORDER_RULES)
