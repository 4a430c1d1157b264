"""Layers with state, with random parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import tflite

from container.tensors import Quantization
from examples.tflite_writer import OMITTED, Graph

Shape = tuple[int, ...]
TANH = int(tflite.ActivationFunctionType.TANH)


def add_svdf(graph: Graph, generator: np.random.Generator, state: str) -> Shape:
    """An SVDF with a state of dtype `state`; int8 input for an integer one.  Returns its input's shape."""
    batch, depth, units = (int(n) for n in generator.integers(1, (3, 20, 6)))
    rank, memory = (int(n) for n in generator.integers(1, (4, 9)))
    filters, integers = units * rank, state != "float32"
    if integers:
        x_scale, features, times = _random_scales(generator, 3)
        between = _float32(x_scale * features * generator.uniform(5, 40) / (1 if state == "int8" else 200))
        y_scale = _float32(between * times * generator.uniform(100, 2000) * (1 if state == "int8" else 50))
        bias = float(np.float32(between) * np.float32(times))
        zeros = generator.integers(-128, 128, 3)
        scales = [x_scale, features, times, bias, between, y_scale]
        offsets = [int(zeros[0]), 0, 0, 0, int(zeros[1]) if state == "int8" else 0, int(zeros[2])]
        kinds: list[Any] = [Quantization((s,), (z,)) for s, z in zip(scales, offsets, strict=True)]
        activation = int(tflite.ActivationFunctionType.NONE)
    else:
        kinds, activation = [None] * 6, int(generator.integers(0, 4))
    dtype, accumulator = ("int8", "int32") if integers else (state, state)
    x = graph.input("x", (batch, depth), dtype, kinds[0])
    inputs = [
        graph.constant("features", _weights(generator, (filters, depth), dtype), kinds[1]),
        graph.constant("times", _weights(generator, (filters, memory), state), kinds[2]),
        graph.constant("bias", _weights(generator, (units,), accumulator), kinds[3]),
        graph.variable("state", (batch, filters * memory), state, kinds[4]),
    ]
    y = graph.tensor("y", (batch, units), dtype, kinds[5])
    graph.operator("SVDF", [x, *inputs], [y], rank=rank, fused_activation_function=activation)
    graph.output(y)
    return batch, depth


def add_lstm(
    graph: Graph,
    generator: np.random.Generator,
    dtype: str,
    *,
    cell_exponent: int = -12,
    cell_clip: float = 0.0,
    time_major: bool = False,
) -> Shape:
    """An LSTM of inputs of `dtype`, the cell state's scale 2**cell_exponent.  Returns its input's shape."""
    batch, steps, depth, units = (int(n) for n in generator.integers(1, (3, 6, 20, 8)))
    shape = (steps, batch, depth) if time_major else (batch, steps, depth)
    integers, finer = dtype != "float32", 256 if dtype == "int16" else 1
    kinds: list[Any] = [None] * 12
    if integers:
        zeros = generator.integers(-100, 100, 2) if dtype == "int8" else (0, 0)
        x_scale = _float32(generator.uniform(0.005, 0.05) / finer)
        h_scale = _float32(generator.uniform(0.9, 1.1) / 128 / finer)
        weight_scales = _random_scales(generator, 8, 0.005, 0.02)
        scales = [x_scale, h_scale, 2.0**cell_exponent, 1.0, *weight_scales]
        offsets = [int(zeros[0]), int(zeros[1]) // 10, *[0] * 10]
        kinds = [Quantization((s,), (z,)) for s, z in zip(scales, offsets, strict=True)]
    weight, bias = ("int8", "int64" if dtype == "int16" else "int32") if integers else (dtype, dtype)
    x = graph.input("x", shape, dtype, kinds[0])
    sizes = [(units, depth)] * 4 + [(units, units)] * 4
    weights = [
        graph.constant("weights", _weights(generator, size, weight), kind)
        for size, kind in zip(sizes, kinds[4:], strict=True)
    ]
    biases = [graph.constant("bias", _weights(generator, (units,), bias)) for _ in range(4)]
    hidden = graph.variable("hidden", (batch, units), dtype, kinds[1])
    cell = graph.variable("cell", (batch, units), "int16" if integers else dtype, kinds[2])
    y = graph.tensor("y", (*shape[:2], units), dtype, kinds[1])
    absent = [OMITTED] * 4
    graph.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [x, *weights, *absent[:3], *biases, *absent[:2], hidden, cell, *absent],
        [y],
        time_major=time_major,
        cell_clip=cell_clip,
        fused_activation_function=TANH,
    )
    graph.output(y)
    return shape


def _weights(generator: np.random.Generator, shape: Shape, dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "float32":
        return generator.normal(0, 0.5, shape).astype("float32")
    limit = 3000 if dtype in ("int32", "int64") else 127
    return generator.integers(-limit, limit + 1, shape).astype(dtype)


def _random_scales(
    generator: np.random.Generator, count: int, low: float = 0.005, high: float = 0.1
) -> list[float]:
    return [_float32(scale) for scale in generator.uniform(low, high, count)]


def _float32(value: float) -> float:
    return float(np.float32(value))
