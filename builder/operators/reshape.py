"""The same elements under another shape: no code runs, the result lies where the input lies."""

from __future__ import annotations

import math
from typing import Any

from tvm import relax

from builder.families.data_movement import MOVED
from builder.operators.base import Node, Operator, Unsupported


class Reshape(Operator):
    name = "reshape"
    tflite = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
    combinations = MOVED

    def read_tflite(self, node: Node) -> Any:
        # The output's own shape is fixed in the file, so the second input, which repeats it, is not read.
        shape = node.output().shape
        if math.prod(shape) != math.prod(node.input(0).shape) or node.output().dtype != node.input(0).dtype:
            raise Unsupported(f"from {list(node.input(0).shape)} to {list(shape)}")
        return relax.op.reshape(node.value(0), shape)
