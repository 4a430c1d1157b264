"""Makes the models of this example: `python -m examples.sine.make_model` from the root of the project.

A network with one hidden layer of ReLUs is a polyline.  Its bends are laid evenly over one turn, then the
output layer is fitted to the sine by least squares; `sine_int8.tflite` is the same network in 8 bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tflite
from numpy.typing import NDArray

from examples.post_training import calibrate, quantize_bias, quantize_weights
from examples.tflite_writer import Graph

FOLDER = Path(__file__).parent
UNITS = 16
"""ReLUs in the hidden layer."""
DECIMALS = 4
"""Weights are rounded to this many, far above the noise of floating point: every machine makes one file."""
RELU = tflite.ActivationFunctionType.RELU

Weights = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def angles() -> NDArray[np.float64]:
    """Shape [1000, 1], radians, one turn."""
    return np.linspace(0, 2 * np.pi, 1000)[:, None]


def hidden_layer(
    x: NDArray[np.float64], slope: NDArray[np.float64], bend: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.maximum(x * slope + bend, 0)


def train() -> Weights:
    """Slope and bias of each ReLU, then weights and bias of the output layer."""
    slope = np.ones(UNITS)
    bend = np.round(-np.arange(UNITS) * 2 * np.pi / UNITS, DECIMALS)
    features = hidden_layer(angles(), slope, bend)
    design = np.hstack([features, np.ones((len(features), 1))])
    solution = np.linalg.lstsq(design, np.sin(angles())[:, 0], rcond=None)[0].round(DECIMALS)
    return slope, bend, solution[:-1], solution[-1:]


def float_model(weights: Weights) -> bytes:
    slope, bend, output, bias = (np.asarray(values, np.float32) for values in weights)
    graph = Graph("sine")
    x = graph.input("angle", (1, 1), "float32")
    hidden = graph.tensor("hidden", (1, UNITS), "float32")
    y = graph.tensor("sine", (1, 1), "float32")
    graph.operator(
        "FULLY_CONNECTED",
        [x, graph.constant("slope", slope[:, None]), graph.constant("bend", bend)],
        [hidden],
        fused_activation_function=RELU,
    )
    graph.operator(
        "FULLY_CONNECTED",
        [hidden, graph.constant("output", output[None, :]), graph.constant("bias", bias)],
        [y],
    )
    graph.output(y)
    return graph.to_bytes()


def int8_model(weights: Weights) -> bytes:
    slope, bend, output, bias = weights
    features = hidden_layer(angles(), slope, bend)
    ranges = {"x": calibrate(angles()), "h": calibrate(features), "y": calibrate(features @ output + bias)}
    graph = Graph("sine_int8")
    x = graph.input("angle", (1, 1), "int8", ranges["x"])
    hidden = graph.tensor("hidden", (1, UNITS), "int8", ranges["h"])
    y = graph.tensor("sine", (1, 1), "int8", ranges["y"])
    for source, target, kernel, offset, name, activation in (
        (x, hidden, slope[:, None], bend, "slope", RELU),
        (hidden, y, output[None, :], bias, "output", tflite.ActivationFunctionType.NONE),
    ):
        integers, scale = quantize_weights(kernel)
        offsets, offset_scale = quantize_bias(offset, ranges["x" if source == x else "h"], scale)
        constants = [
            graph.constant(name, integers, scale),
            graph.constant(f"{name}_bias", offsets, offset_scale),
        ]
        graph.operator(
            "FULLY_CONNECTED", [source, *constants], [target], fused_activation_function=activation
        )
    graph.output(y)
    return graph.to_bytes()


def main() -> None:
    weights = train()
    slope, bend, output, bias = weights
    error = np.abs(hidden_layer(angles(), slope, bend) @ output + bias - np.sin(angles())[:, 0]).max()
    for name, data in (("sine.tflite", float_model(weights)), ("sine_int8.tflite", int8_model(weights))):
        (FOLDER / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes")
    # A little more than one turn: the Runefile's `modulo` brings it back to 0.8.
    np.save(FOLDER / "angle.npy", np.array([0.8 + 2 * np.pi], np.float32))
    print(f"largest error of the polyline: {error:.4f}")


if __name__ == "__main__":
    main()
