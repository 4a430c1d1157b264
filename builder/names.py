"""Names of variables in a pipeline's Relax module: they tell to which stage an operator belongs.

`s3__conv2d_0_` is operator conv2d_0 of stage number 3; TVM may append digits to tell namesakes apart.
"""

from __future__ import annotations

import re

_STAGE = re.compile(r"s(\d+)__")


def variable_name(stage: int, name: str) -> str:
    """The name under which stage number `stage` binds something called `name`."""
    return f"s{stage}__{name}"


def stage_number(variable: str) -> int | None:
    """The stage that a variable belongs to, if its name says so."""
    found = _STAGE.match(variable)
    return int(found[1]) if found else None


def operator_name(variable: str) -> str:
    """A variable's name without its stage, and without what was added to tell it from namesakes."""
    return variable.split("__", 1)[-1].rstrip("0123456789").rstrip("_") or variable


def kernel_name(name: str) -> str:
    """Name in C of a TIR function: TVM calls some as C calls functions of its library, such as `sin`."""
    return name if "_" in name.rstrip("_") else f"{name}_"
