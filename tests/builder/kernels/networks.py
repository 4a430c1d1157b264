"""Whole keyword spotting networks as chains of calls of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tvm import relax

from builder.operators.quantize import float32_bits
from builder.operators.softmax import Softmax
from tests.builder.kernels import windows
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.softmax import input_scale
from tests.builder.kernels.vectors import Case
from tests.builder.kernels.windows import Layer

LAYERS: dict[str, Callable[[Case], Layer]] = {
    "CONV_2D": windows.convolution,
    "DEPTHWISE_CONV_2D": windows.depthwise_convolution,
    "AVERAGE_POOL_2D": windows.average_pooling,
    "FULLY_CONNECTED": windows.fully_connected,
}
BLOCKS = 4
"""Pairs of a depthwise and a pointwise convolution in the float network."""


def keyword_network(case: Case) -> Express:
    """A whole int8 network; its layers are numbered in the names of parameters and arrays."""
    kinds = {int(found[2]): found[1] for found in map(_layer_name, case.parameters) if found}

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        (x,) = inputs
        for number, kind in sorted(kinds.items()):
            part = _layer(case, kind, number)
            if kind == "SOFTMAX":
                return Softmax().quantised(x, 1.0, input_scale(part.integer("MULT"), part.integer("SHIFT")))
            x = _applied(bind, LAYERS[kind](part), x)
        raise ValueError(f"case {case.name} does not end in a softmax")

    return express


def _layer_name(parameter: str) -> re.Match[str] | None:
    return re.match(r"(CONV_2D|DEPTHWISE_CONV_2D|AVERAGE_POOL_2D|FULLY_CONNECTED|SOFTMAX)_(\d+)_", parameter)


def _layer(case: Case, kind: str, number: int) -> Case:
    prefix = f"{kind}_{number}_"
    parameters = {
        name.removeprefix(prefix): value for name, value in case.parameters.items() if name.startswith(prefix)
    }
    if kind == "FULLY_CONNECTED":  # says units and depth the other way round
        parameters["IN_CH"], parameters["OUT_CH"] = parameters["OUT_CH"], parameters["IN_CH"]
    prefix = f"layer_{number}_{kind.lower()}_"
    arrays = {
        name.removeprefix(prefix): value for name, value in case.arrays.items() if name.startswith(prefix)
    }
    return Case(prefix, parameters, arrays)


def _applied(bind: Bind, layer: Layer, x: Any) -> Any:
    return bind(layer.express(bind, bind(relax.op.reshape(x, layer.shape))))


def float_network(case: Case) -> Express:
    """The float network behind its first convolution."""

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        (x,) = inputs
        for number in range(BLOCKS):
            for name, make in (("dwconv", windows.depthwise_convolution), ("pwconv", windows.convolution)):
                x = _applied(bind, make(_block(case, f"{name}{number}")), x)
        x = _applied(bind, windows.average_pooling(_block(case, "avgpool")), x)
        x = _applied(bind, windows.fully_connected(_block(case, "fc")), x)
        return Softmax().call([x], {"beta": float32_bits(1.0)}, (1, case.integer("NUM_CLASSES")), "float32")

    return express


def _block(case: Case, name: str) -> Case:
    """One layer of the float network, under the parameter names of the layer's own cases."""
    stem = {"dw": "DEPTHWISE_", "pw": "POINTWISE_", "av": "AVGPOOL_", "fc": ""}[name[:2]]
    bound = "IDENTITY" if name in ("avgpool", "fc") else "RELU"
    parameters = {
        "INPUT_BATCHES": "1",
        "IN_CH": case.text("CHANNELS"),
        "OUT_CH": case.text("NUM_CLASSES" if name == "fc" else "CHANNELS"),
        "INPUT_H": "1" if name == "fc" else case.text("INPUT_H"),
        "INPUT_W": "1" if name == "fc" else case.text("INPUT_W"),
        "OUTPUT_H": case.text("INPUT_H"),
        "OUTPUT_W": case.text("INPUT_W"),
        "OUT_ACTIVATION_MIN": case.text(f"{bound}_MIN"),
        "OUT_ACTIVATION_MAX": case.text(f"{bound}_MAX"),
        "ACTIVATION_MIN": case.text("IDENTITY_MIN"),
        "ACTIVATION_MAX": case.text("IDENTITY_MAX"),
        **{
            key.removeprefix(stem): value
            for key, value in case.parameters.items()
            if stem and key.startswith(stem)
        },
    }
    if name == "avgpool":
        parameters.update(STRIDE_H="1", STRIDE_W="1", PADDING_H="0", PADDING_W="0")
    arrays = {key.removeprefix(f"{name}_"): value for key, value in case.arrays.items()}
    return replace(case, name=name, parameters=parameters, arrays=arrays)
