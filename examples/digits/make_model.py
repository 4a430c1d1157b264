"""Makes the model of this example: `python -m examples.digits.make_model` from the root of the project.

The data are scikit-learn's 1,797 digits, written by 43 people and scanned to 8 x 8 pixels; every fifth is
held out.  The network is

    convolution 3x3, 8 filters and their opposites, ReLU     edges and strokes, for and against
    depthwise convolution 3x3, stride 2                      a binomial blur that halves the picture
    fully connected, softmax                                 the ten digits

Its filters are the principal components of the pictures' patches (Chan et al., "PCANet", 2015).  Its last
layer is a logistic regression, a convex problem; so every machine finds the same weights up to the last bits,
which rounding then removes: this script always writes the same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tflite
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from tflite_micro import runtime

from container.tensors import Quantization
from examples.post_training import SOFTMAX_OUTPUT, calibrate, quantize_bias, quantize_weights
from examples.tflite_writer import Graph

FOLDER = Path(__file__).parent
SIZE, CLASSES = 8, 10
COMPONENTS = 8
CHANNELS = 2 * COMPONENTS
BRIGHTEST = 16
"""The data's pixels are 0 to 16."""
PIXEL = Quantization((1 / 255,), (-128,))
"""Model input: 0..255 becomes -128..127, and means 0..1."""
BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16
DECIMALS = 4
STEPS, RATE, MOMENTUM, WEIGHT_DECAY = 600, 1.0, 0.95, 3e-4
ZOOM = 16
"""Each pixel of the data is a square of this many pixels in the picture files."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    filters: Array
    """Shape [CHANNELS, 3, 3, 1]."""
    classifier: Array
    """Shape [CLASSES, 4 * 4 * CHANNELS]."""
    bias: Array


@dataclass(frozen=True)
class Digits:
    images: Array
    """Shape [n, 8, 8, 1], 0..1."""
    labels: NDArray[np.int64]

    @classmethod
    def load(cls) -> tuple[Digits, Digits]:
        """The digits to learn from, and those held out."""
        data, labels = load_digits(return_X_y=True)
        images = np.rint(data.reshape(-1, SIZE, SIZE, 1) * 255 / BRIGHTEST) / 255
        held_out = np.arange(len(labels)) % 5 == 0
        return cls(images[~held_out], labels[~held_out]), cls(images[held_out], labels[held_out])


def patches(images: Array) -> Array:
    """The 3 x 3 neighbourhood of each pixel, zeros outside: [n, 8, 8, 3, 3]."""
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    windows: Array = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return windows


def convolve(images: Array, filters: Array) -> Array:
    """SAME convolution and ReLU: [n, 8, 8, CHANNELS]."""
    maps: Array = np.einsum("nhwij,cij->nhwc", patches(images), filters[..., 0])
    return np.maximum(maps, 0)


def blur(maps: Array) -> Array:
    """SAME depthwise convolution of stride 2, whose padding is after the end: [n, 4, 4, CHANNELS]."""
    padded = np.pad(maps, ((0, 0), (0, 1), (0, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.asarray(np.einsum("nhwcij,ij->nhwc", windows, BLUR))


def features(images: Array, filters: Array) -> Array:
    maps = blur(convolve(images, filters))
    return maps.reshape(len(maps), -1)


def principal_filters(images: Array) -> Array:
    """The patches' first principal components, each also with its sign turned."""
    flat = patches(images).reshape(-1, 9)
    _, vectors = np.linalg.eigh(np.cov(flat.T))
    components = vectors[:, : -COMPONENTS - 1 : -1].T
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(COMPONENTS), largest])
    components = components * signs[:, None]
    return np.concatenate([components, -components]).reshape(CHANNELS, 3, 3, 1).round(DECIMALS)


def logistic_regression(x: Array, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Weights and bias that minimise cross-entropy, by gradient descent with Nesterov's momentum."""
    design = np.hstack([x, np.ones((len(x), 1))])
    targets = np.eye(CLASSES)[labels]
    weights = velocity = np.zeros((CLASSES, design.shape[1]))
    for _ in range(STEPS):
        ahead = weights + MOMENTUM * velocity
        gradient = (softmax(design @ ahead.T) - targets).T @ design / len(x) + WEIGHT_DECAY * ahead
        velocity = MOMENTUM * velocity - RATE * gradient
        weights = weights + velocity
    return weights[:, :-1].round(DECIMALS), weights[:, -1].round(DECIMALS)


def softmax(logits: Array) -> Array:
    powers: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def train(digits: Digits) -> Weights:
    filters = principal_filters(digits.images)
    return Weights(filters, *logistic_regression(features(digits.images, filters), digits.labels))


def int8_model(weights: Weights, calibration: Array) -> bytes:
    """The quantised network; `calibration` are images that show the range of each activation."""
    edges = calibrate(convolve(calibration, weights.filters))
    small = calibrate(features(calibration, weights.filters))
    logits = calibrate(features(calibration, weights.filters) @ weights.classifier.T + weights.bias)
    depthwise = np.repeat(BLUR[None, :, :, None], CHANNELS, axis=3)

    graph = Graph("digits")
    image = graph.input("image", (1, SIZE, SIZE, 1), "int8", PIXEL)
    edge_maps = graph.tensor("edges", (1, SIZE, SIZE, CHANNELS), "int8", edges)
    blurred = graph.tensor("blurred", (1, SIZE // 2, SIZE // 2, CHANNELS), "int8", small)
    scores = graph.tensor("scores", (1, CLASSES), "int8", logits)
    probabilities = graph.tensor("probabilities", (1, CLASSES), "int8", SOFTMAX_OUTPUT)

    no_bias = np.zeros(CHANNELS)
    graph.operator(
        "CONV_2D",
        [image, *constants(graph, "filters", weights.filters, no_bias, PIXEL, axis=0)],
        [edge_maps],
        padding=tflite.Padding.SAME,
        stride_h=1,
        stride_w=1,
        fused_activation_function=tflite.ActivationFunctionType.RELU,
    )
    graph.operator(
        "DEPTHWISE_CONV_2D",
        [edge_maps, *constants(graph, "blur", depthwise, no_bias, edges, axis=3)],
        [blurred],
        padding=tflite.Padding.SAME,
        stride_h=2,
        stride_w=2,
        depth_multiplier=1,
    )
    classifier = constants(graph, "classifier", weights.classifier, weights.bias, small, axis=None)
    graph.operator("FULLY_CONNECTED", [blurred, *classifier], [scores])
    graph.operator("SOFTMAX", [scores], [probabilities], beta=1.0)
    graph.output(probabilities)
    return graph.to_bytes()


def constants(
    graph: Graph, name: str, weights: Array, bias: Array, source: Quantization, *, axis: int | None
) -> tuple[int, int]:
    """Add the quantised weights and bias of a layer that reads `source`; returns their numbers."""
    integers, weight_scale = quantize_weights(weights, axis=axis)
    offsets, bias_scale = quantize_bias(bias, source, weight_scale)
    return graph.constant(name, integers, weight_scale), graph.constant(f"{name}_bias", offsets, bias_scale)


def accuracy(model: bytes, digits: Digits) -> float:
    """Fraction that the model gets right in TensorFlow Lite Micro, the reference for integer arithmetic."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 16)
    right = 0
    for image, label in zip(digits.images, digits.labels, strict=True):
        interpreter.set_input((np.rint(image * 255) - 128).astype(np.int8)[None], 0)
        interpreter.invoke()
        right += int(interpreter.get_output(0).argmax()) == label
    return right / len(digits.labels)


def save_picture(image: Array, file: Path) -> None:
    grey = np.rint(image[..., 0] * 255).astype(np.uint8)
    Image.fromarray(np.kron(grey, np.ones((ZOOM, ZOOM), np.uint8))).save(file)


def main() -> None:
    learnt, held_out = Digits.load()
    weights = train(learnt)
    logits = features(held_out.images, weights.filters) @ weights.classifier.T + weights.bias
    model = int8_model(weights, learnt.images)
    (FOLDER / "digits.tflite").write_bytes(model)
    for word, label in (("three", 3), ("seven", 7)):
        save_picture(held_out.images[held_out.labels == label][0], FOLDER / f"{word}.png")
    print(f"digits.tflite: {len(model)} bytes")
    print(f"right on {len(held_out.labels)} held-out digits:")
    print(f"  float  {(logits.argmax(axis=1) == held_out.labels).mean():.1%}")
    print(f"  int8   {accuracy(model, held_out):.1%}")


if __name__ == "__main__":
    main()
