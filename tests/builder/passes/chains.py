"""Models of chains of layers on images, random but for what a test says, as TensorFlow Lite files."""

from __future__ import annotations

import math

import numpy as np

from container.tensors import Quantization
from examples.tflite_writer import Graph

SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3
DEVIATION = 74
"""Of random bytes."""


class Chain:
    """A graph that grows layer by layer; each takes the result of the one before it."""

    def __init__(self, graph: Graph, name: str, image: tuple[int, int, int], seed: int) -> None:
        self._graph = graph
        self._name = name
        self._generator = np.random.default_rng(seed)
        self.shape: tuple[int, ...] = (1, *image)
        self._quantization = self._random_quantization(0.05)
        self.last = graph.input(f"{name}_x", self.shape, "int8", self._quantization)

    def conv(
        self,
        channels: int,
        kernel: tuple[int, int],
        *,
        stride: int = 1,
        padding: int = SAME,
        dilation: int = 1,
        activation: int = NONE,
    ) -> Chain:
        depth = self.shape[3]
        taps = math.prod(kernel) * depth
        return self._sum(
            "CONV_2D", (channels, *kernel, depth), channels, taps, stride, padding, dilation, activation
        )

    def depthwise(
        self,
        kernel: tuple[int, int],
        *,
        multiplier: int = 1,
        stride: int = 1,
        padding: int = SAME,
        dilation: int = 1,
        activation: int = NONE,
    ) -> Chain:
        channels = self.shape[3] * multiplier
        return self._sum(
            *("DEPTHWISE_CONV_2D", (1, *kernel, channels), channels, math.prod(kernel)),
            *(stride, padding, dilation, activation, multiplier),
        )

    def pool(self, builtin: str, kernel: int, *, stride: int = 1, padding: int = SAME) -> Chain:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        shape = (1, *_sizes(self.shape, (kernel, kernel), stride, padding, 1), self.shape[3])
        options = {"padding": padding, "stride_h": stride, "stride_w": stride}
        options |= {"filter_height": kernel, "filter_width": kernel}
        y = self._tensor(shape, self._quantization)
        self._graph.operator(builtin, [self.last], [y], **options)
        return self._at(y, shape, self._quantization)

    def add(self, other: int, quantization: Quantization) -> Chain:
        """The sum with a tensor that was the last one earlier."""
        result = self._random_quantization(1.5 * max(self._quantization.scale[0], quantization.scale[0]))
        y = self._tensor(self.shape, result)
        self._graph.operator("ADD", [other, self.last], [y])
        return self._at(y, self.shape, result)

    def concatenate(self, other: int, channels: int) -> Chain:
        """Another tensor of the same height, width and quantisation, and this one, channel by channel."""
        shape = (*self.shape[:3], self.shape[3] + channels)
        y = self._tensor(shape, self._quantization)
        self._graph.operator("CONCATENATION", [other, self.last], [y], axis=3)
        return self._at(y, shape, self._quantization)

    def hard_swish(self) -> Chain:
        y = self._tensor(self.shape, self._quantization)
        self._graph.operator("HARD_SWISH", [self.last], [y])
        return self._at(y, self.shape, self._quantization)

    @property
    def quantization(self) -> Quantization:
        """Of the last tensor."""
        return self._quantization

    def _sum(
        self,
        builtin: str,
        filters: tuple[int, ...],
        channels: int,
        taps: int,
        stride: int,
        padding: int,
        dilation: int,
        activation: int,
        multiplier: int = 0,
    ) -> Chain:
        scales = tuple(float(scale) for scale in self._generator.uniform(0.005, 0.02, channels))
        axis = 0 if builtin == "CONV_2D" else 3
        weights = self._generator.integers(-127, 128, filters).astype("int8")
        w = self._constant(weights, Quantization(scales, (0,) * channels, axis))
        b = self._constant(self._generator.integers(-5000, 5000, channels).astype("int32"), None)
        shape = (1, *_sizes(self.shape, filters[1:3], stride, padding, dilation), channels)
        result = self._random_quantization(
            self._quantization.scale[0] * 0.01 * DEVIATION * math.sqrt(taps) * 1.5
        )
        y = self._tensor(shape, result)
        options = {"padding": padding, "stride_h": stride, "stride_w": stride}
        options |= {"dilation_h_factor": dilation, "dilation_w_factor": dilation}
        options |= {"fused_activation_function": activation}
        if multiplier:
            options["depth_multiplier"] = multiplier
        self._graph.operator(builtin, [self.last, w, b], [y], **options)
        return self._at(y, shape, result)

    def _at(self, tensor: int, shape: tuple[int, ...], quantization: Quantization) -> Chain:
        self.last, self.shape, self._quantization = tensor, shape, quantization
        return self

    def _random_quantization(self, scale: float) -> Quantization:
        return Quantization((scale,), (int(self._generator.integers(-60, 60)),))

    def _tensor(self, shape: tuple[int, ...], quantization: Quantization) -> int:
        return self._graph.tensor(self._next_name(), shape, "int8", quantization)

    def _constant(self, values: np.ndarray, quantization: Quantization | None) -> int:
        return self._graph.constant(self._next_name(), values, quantization)

    def _next_name(self) -> str:
        return f"{self._name}_{len(self._graph.tensors)}"


def _sizes(
    shape: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: int, dilation: int
) -> list[int]:
    spans = [1 if padding == SAME else (extent - 1) * dilation + 1 for extent in kernel]
    return [-(-(size - span + 1) // stride) for size, span in zip(shape[1:3], spans, strict=True)]
