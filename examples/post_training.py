"""Post-training quantisation to 8 bits, as TensorFlow Lite specifies it.

Real numbers become `real = scale * (integer - zero_point)`.  Activations are asymmetric int8, with the range
that calibration saw; weights are symmetric int8 (-127..127), with one scale or one per output channel; a bias
is int32 with the scale of input times weights.  See https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from container.tensors import Quantization

INT8 = np.iinfo(np.int8)
SOFTMAX_OUTPUT = Quantization((1 / 256,), (-128,))
"""The one quantisation that the specification allows for an int8 softmax."""


def calibrate(values: NDArray[np.float64], *, digits: int = 6) -> Quantization:
    """The int8 quantisation that covers the values and zero.

    The scale is rounded to `digits` significant digits, so that it does not depend on the machine's last bit.
    """
    lowest, highest = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = float(f"{(highest - lowest) / (INT8.max - INT8.min):.{digits}g}")
    return Quantization((scale,), (round(INT8.min - lowest / scale),))


def quantize_weights(
    weights: NDArray[np.float64], *, axis: int | None = None
) -> tuple[NDArray[np.int8], Quantization]:
    """Symmetric int8 weights, with one scale, or one for each index of `axis`."""
    others = tuple(k for k in range(weights.ndim) if k != axis)
    largest = np.abs(weights).max(axis=None if axis is None else others, keepdims=True)
    scale = np.asarray(largest / INT8.max, np.float32)
    integers = np.clip(np.rint(weights / scale), -INT8.max, INT8.max).astype(np.int8)
    scales = tuple(float(value) for value in scale.ravel())
    return integers, Quantization(scales, (0,) * len(scales), axis)


def quantize_bias(
    bias: NDArray[np.float64], source: Quantization, weights: Quantization
) -> tuple[NDArray[np.int32], Quantization]:
    """An int32 bias for accumulators of `source` times `weights`."""
    scales = tuple(source.scale[0] * scale for scale in weights.scale)
    axis = None if weights.axis is None else 0
    return np.rint(bias / np.array(scales)).astype(np.int32), Quantization(scales, (0,) * len(scales), axis)
