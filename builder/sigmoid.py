"""The logistic function and the hyperbolic tangent of 16-bit fixed point, by one table with interpolation.

Source: Logistic and Tanh of int16 in logistic.h and tanh.h of
tensorflow/lite/kernels/internal/reference/integer_ops; `kernels/sigmoid.h` reads the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS_PER_UNIT = 24
ENTRIES = 256


def sigmoid_table() -> np.ndarray[Any, Any]:
    """uint16[256]: sigmoid(i / 24) in steps of 2**-16.

    A line between two points of a bent curve misses it by at most h**2 / 8 times the second derivative; every
    point is moved by half of that, against the bend, so that the error goes both ways.  The last is 1.
    """
    x = np.arange(ENTRIES) / STEPS_PER_UNIT
    sigmoid = 1.0 / (1.0 + np.exp(-x))
    bend = sigmoid * (1.0 - sigmoid) * (2.0 * sigmoid - 1.0)
    raised = sigmoid + bend / (16 * STEPS_PER_UNIT**2)
    table = np.floor(raised * (1 << 16) + 0.5)
    table[-1] = (1 << 16) - 1
    return table.astype("uint16")
