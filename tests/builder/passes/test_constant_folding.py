"""What operators say of constants is what their kernels compute of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from builder.assemble import assemble
from builder.operators import by_name
from builder.operators.base import constant, constant_value
from builder.passes.constant_folding import fold_constants
from builder.shrinking import Removed, shrink
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import model_pipeline, run_ours
from tests.builder.passes.shrunk import calls_of, operators, shrunk

SCALES = st.floats(0.0001, 3.0).map(lambda value: float(np.float32(value)))
KINDS = st.sampled_from(
    [
        *(("int8", dtype) for dtype in ("int8", "int16", "int32", "float32")),
        *(("int16", dtype) for dtype in ("int8", "int16", "float32")),
        *(("float32", dtype) for dtype in ("int8", "int16")),
    ]
)


def quantization(dtype: str, scale: float, zero: int) -> Quantization | None:
    return Quantization((scale,), (zero if dtype == "int8" else 0,)) if dtype != "float32" else None


def every(dtype: str, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """256 values: all of int8, or random ones with the ends of the range and what is no number."""
    if dtype == "float32":
        edges = [0.0, -0.0, 1e30, -1e30, np.inf, -np.inf, 0.5, 1.5, -2.5]
        return np.array([*edges, *generator.normal(0, 40, 256 - len(edges))], "float32")
    limits = np.iinfo(dtype)
    if dtype == "int8":
        return np.arange(-128, 128).astype(dtype)
    return np.array([limits.min, limits.max, *generator.integers(limits.min, limits.max, 254)], dtype)


@settings(max_examples=3)
@given(st.lists(st.tuples(KINDS, SCALES, SCALES, st.integers(-128, 127)), min_size=6, max_size=6))
def test_quantisations_evaluate_to_what_their_kernels_compute(
    cases: list[tuple[tuple[str, str], float, float, int]],
) -> None:
    graph, generator = Graph("quantize"), np.random.default_rng(0)
    sample = []
    for (source, target), scale_x, scale_y, zero in cases:
        x = graph.input("x", (256,), source, quantization(source, scale_x, zero))
        y = graph.tensor("y", (256,), target, quantization(target, scale_y, -zero // 2))
        graph.operator("DEQUANTIZE" if target == "float32" else "QUANTIZE", [x], [y])
        graph.output(y)
        sample.append(every(source, generator))
    model = graph.to_bytes()
    calls = calls_of(assemble(model_pipeline(model)))
    for profile, (outputs,) in run_ours(model, [sample]).items():
        for call, values, found in zip(calls, sample, outputs, strict=True):
            expected = by_name()[call.op.name].evaluate(call, [values])
            assert expected is not None
            assert found.tobytes() == expected.tobytes(), f"{profile}, {call.op.name} {call.attrs}"


def test_a_constant_through_operators_is_a_constant() -> None:
    """x + dequantize(quantize(c)), c in steps of 0.5, then of 2.0: [-100, 3] comes to [-50, 2]."""
    known: Any = by_name()
    quantize, dequantize = known["rune.quantize"], known["rune.dequantize"]
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((2,), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            values = constant(np.array([-100, 3], "int8"))
            coarse = builder.emit(quantize.rescale(values, (0.5, 0), (2.0, 5), "int8"))
            real = builder.emit(dequantize.from_integers(coarse, 2.0, 5))
            total = known["rune.add"].call([x, real], {"activation": "NONE"}, (2,), "float32")
            result = builder.emit_output(relax.Tuple([builder.emit(total)]))
        builder.emit_func_output(result)
    removed: list[Removed] = []
    module = shrink(builder.get(), [fold_constants], removed.append)
    assert operators(module) == ["add"]
    assert constant_value(calls_of(module)[0].args[1]).tolist() == [-50.0, 2.0]
    # Eight bytes of floats where two of integers were.
    assert [(each.operations, each.weight_bytes) for each in removed] == [(2, 2 - 8)]


def test_what_hangs_on_an_input_stays() -> None:
    graph = Graph("input")
    x = graph.input("x", (1, 4), "int8", Quantization((0.5,), (1,)))
    y = graph.tensor("y", (1, 4), "int8", Quantization((0.7,), (1,)))
    graph.operator("QUANTIZE", [x], [y])
    graph.output(y)
    module, (removed,) = shrunk(graph.to_bytes(), fold_constants)
    assert (operators(module), removed.operations) == (["quantize"], 0)
