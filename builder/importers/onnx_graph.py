"""An ONNX graph through TVM's frontend, node by node, so that every node that fails is known by name.

A few operators are read here instead, because TVM writes them in a form that hides what they are: padding
that is chosen automatically, and bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from tvm import relax
from tvm.ir import GenericConst
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter, _get_convert_map, onnx_input

from builder.c_types import C_TYPES
from builder.importers.onnx_composed import COMPOSED, is_needed
from builder.importers.onnx_file import OnnxModel, static_shapes
from builder.importers.onnx_qlinear import INTEGER_OPERATORS, converted
from builder.importers.ports import MAXIMUM_ELEMENTS
from builder.importers.problems import Problem
from builder.operators import by_name
from builder.operators.base import Unsupported, constant, constant_value, dtype_of, shape_of
from builder.passes.faults import summary
from builder.passes.kernels import missing_kernels
from builder.passes.rewriting import is_call

DOMAINS = ("", "ai.onnx", "com.microsoft")
DATA_DEPENDENT = (
    *("If", "Loop", "Scan", "Optional", "OptionalHasElement", "OptionalGetElement", "SequenceConstruct"),
    *("SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceAt", "SplitToSequence"),
    *("ConcatFromSequence", "NonZero", "Unique", "Compress", "NonMaxSuppression", "AllClassNMS"),
)
"""Operators whose result's shape, or whether they run at all, is known only when running."""
_LOWERED_OTHERWISE = ("relax.call_tir", "relax.quantize", "relax.dequantize")
_QDQ_HINT = (
    "export integers as pairs of QuantizeLinear and DequantizeLinear around float operators: "
    "onnxruntime.quantization.quantize_static(..., quant_format=QuantFormat.QDQ)"
)


def import_graph(model: OnnxModel) -> tuple[Any, list[Problem]]:
    """The Relax module of a model, of no use where there are problems."""
    importer = _Importer(model)
    return importer.from_onnx(model.proto.graph, _opset(model.proto)), importer.problems


def problems_of_kernels(model: OnnxModel, module: Any) -> list[Problem]:
    """The operators of the rewritten module that TVM cannot make C of, told as the nodes they come from."""
    problems = []
    names = [binding.var.name for block in module["main"].body.blocks for binding in block.bindings]
    for missing in missing_kernels(module):
        # What a node needs on its way to its result is bound before the result, under other names.
        later = (_node_of(name) for name in names[names.index(missing.variable) :])
        index = next((node for node in later if node is not None), len(model.proto.graph.node) - 1)
        problems.append(_problem(index, model.proto.graph.node[index], Unsupported(missing.reason)))
    return problems


def _variable_of(node: int) -> str:
    """Name of the variables that a node's results are bound to."""
    return f"node{node}"


def _node_of(variable: str) -> int | None:
    """The node that a variable of that name, or one made of it, belongs to."""
    found = re.match(r"node(\d+)(_|$)", variable)
    return int(found[1]) if found else None


def _opset(proto: Any) -> int:
    return next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 1)


class _Importer(ONNXGraphImporter):  # type: ignore[misc]
    def __init__(self, model: OnnxModel) -> None:
        super().__init__({port.name: list(port.shape) for port in model.inputs}, {})
        self.problems: list[Problem] = []
        self._shapes = static_shapes(model.proto.graph)
        self._unknown: set[str] = set()
        """Tensors that hang on a node with a problem."""

    def _check_for_unsupported_ops(self, graph: Any) -> None:
        """Leaves it to `_construct_nodes`, which names the nodes and goes on."""

    def _construct_nodes(self, graph: Any) -> None:
        for index, node in enumerate(graph.node):
            try:
                check_operator(node)
                if self._unknown.isdisjoint(node.input):
                    super()._construct_nodes(SimpleNamespace(node=[node]))
                    self._bind_outputs(index, node)
                    continue  # else its outputs are unknown as well
            except Exception as fault:  # the frontend raises of every kind
                self.problems.append(_problem(index, node, fault))
            self._unknown.update(node.output)
        for output in graph.output:
            self._nodes[output.name] = self._result(self._nodes.get(output.name))

    def _bind_outputs(self, index: int, node: Any) -> None:
        for name in filter(None, node.output):
            value = self._nodes[name]
            _check_value(value, self._shapes.get(name))
            if isinstance(value, relax.Call):
                self._nodes[name] = self.bb.emit(value, _variable_of(index))

    def _result(self, value: Any) -> Any:
        """An output as a tensor; a shape that is known is a constant."""
        if value is None:
            return relax.const(0.0)  # there are problems, so nobody looks at it
        if isinstance(value.ty, relax.ShapeType):
            return constant(np.array([int(size) for size in value.values], "int64"))
        return value

    def _convert_operator(
        self, op_name: str, inputs: Sequence[Any], attrs: dict[str, Any], opset: int
    ) -> Any:
        if op_name in ("Conv", "MaxPool", "AveragePool"):
            _make_padding_explicit(inputs, attrs)
        if op_name in INTEGER_OPERATORS:
            return self._convert_integers(op_name, inputs, attrs, opset)
        if op_name in COMPOSED and is_needed(op_name, inputs, attrs):
            return self.bb.normalize(COMPOSED[op_name](self.bb.emit, list(inputs), attrs))
        if op_name == "Upsample" and len(inputs) > 1:
            attrs = {**attrs, "coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
            return super()._convert_operator("Resize", onnx_input([inputs[0], None, inputs[1]]), attrs, 19)
        if op_name in ("ReduceMax", "ReduceMin") and dtype_of(inputs[0]) == "bool":
            integers = onnx_input([self.bb.emit(relax.op.astype(inputs[0], "uint8")), *list(inputs)[1:]])
            extremum = self.bb.emit(self._convert_operator(op_name, integers, attrs, opset))
            return self.bb.normalize(relax.op.astype(extremum, "bool"))
        if op_name == "ConvTranspose" and "output_shape" in attrs:
            _make_output_padding_explicit(inputs, attrs)
        if op_name == "Clip":
            bounds = _clip_bounds(inputs, attrs)
            if bounds is not None:
                return self.bb.normalize(relax.op.clip(inputs[0], *bounds))
        if op_name in ("ConstantOfShape", "Expand", "Tile"):
            _check_result_size(op_name, inputs)
        if op_name == "Resize":
            _check_scales(inputs)
        return super()._convert_operator(op_name, inputs, attrs, opset)

    def _convert_integers(
        self, op_name: str, inputs: Sequence[Any], attrs: dict[str, Any], opset: int
    ) -> Any:
        def convert(name: str, operands: Sequence[Any]) -> Any:
            bound = onnx_input(None if o is None else self.bb.normalize(o) for o in operands)
            return self._convert_operator(name, bound, attrs, int(attrs.get("opset", opset)))

        return self.bb.normalize(converted(op_name, inputs, attrs, convert))


def _problem(index: int, node: Any, fault: Exception) -> Problem:
    label = f"{node.op_type} {node.name!r}" if node.name else node.op_type
    outputs = ", ".join(repr(name) for name in node.output)
    if isinstance(fault, Unsupported):
        return Problem(index, label, outputs, fault.message, fault.hint)
    return Problem(index, label, outputs, summary(fault))


def check_operator(node: Any) -> None:
    """Raises Unsupported for an operator that cannot be compiled whatever its inputs."""
    if node.op_type in INTEGER_OPERATORS or (node.op_type in COMPOSED and node.domain in ("", "ai.onnx")):
        return
    if node.op_type.startswith(("QLinear", "ConvInteger", "DynamicQuantize")):
        raise Unsupported("this form of integer operator is not supported", hint=_QDQ_HINT)
    if node.op_type in DATA_DEPENDENT:
        raise Unsupported("what it computes has a shape, or a course, that is known only when running")
    given = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "BatchNormalization" and given.get("training_mode", 0):
        raise Unsupported("it is in training mode", hint="export the model for inference: model.eval()")
    if node.op_type in ("MaxPool", "SkipLayerNormalization") and any(node.output[1:]):
        raise Unsupported("of its outputs only the first is supported")
    if node.domain not in DOMAINS or node.op_type not in _get_convert_map():
        domain = f" of domain {node.domain!r}" if node.domain not in DOMAINS else ""
        raise Unsupported(
            f"the operator{domain} is unknown",
            hint="docs/models.md lists the ONNX operators that are; replace this one by several simpler ones",
        )


def _check_value(value: Any, expected: tuple[int, ...] | None) -> None:
    """Raises Unsupported unless a value is a tensor, or a shape, of fixed size, as ONNX expects it."""
    kind = value.ty
    if isinstance(kind, relax.ShapeType):
        return
    if not isinstance(kind, relax.TensorType):
        raise Unsupported(f"its result is no tensor but {kind}")
    shape = shape_of(value)
    if expected is not None and shape != expected:
        raise Unsupported(
            f"this use of it is not supported: its result would be {list(shape)}, not {list(expected)}"
        )
    if math.prod(shape) > MAXIMUM_ELEMENTS:
        raise Unsupported(f"its result has the shape {list(shape)}: more than {MAXIMUM_ELEMENTS} elements")
    if str(kind.dtype) not in C_TYPES:
        raise Unsupported(f"its result is {kind.dtype}; supported: {', '.join(C_TYPES)}")
    if is_call(value) and not _has_kernel(value.op):
        raise Unsupported(f"there is no kernel for `{value.op.name.removeprefix('relax.')}`")


def _has_kernel(operator: Any) -> bool:
    name = str(operator.name)
    return operator.has_attr("FLegalize") or name in _LOWERED_OTHERWISE or name in by_name()


def _check_result_size(operator: str, inputs: Sequence[Any]) -> None:
    """Refuses a huge result before the frontend allocates it."""
    sizes = inputs[0] if operator == "ConstantOfShape" else inputs[1]
    if not isinstance(sizes, GenericConst):
        return
    count = math.prod(max(int(size), 1) for size in constant_value(sizes).reshape(-1).tolist())
    if operator == "Tile":
        count *= math.prod(shape_of(inputs[0]))
    if count > MAXIMUM_ELEMENTS:
        raise Unsupported(f"its result would have {count} elements; at most {MAXIMUM_ELEMENTS} are compiled")


def _check_scales(inputs: Sequence[Any]) -> None:
    """TVM resizes by the quotient of the sizes, which is another scale where it is not exact."""
    scales = inputs[2] if len(inputs) > 2 else None
    if not isinstance(scales, GenericConst):
        return
    factors = constant_value(scales).reshape(-1).astype("float64")
    sizes = [size * factor for size, factor in zip(shape_of(inputs[0]), factors.tolist(), strict=False)]
    if any(abs(size - round(size)) > 1e-6 * size for size in sizes):
        raise Unsupported(
            f"its scales {factors.round(6).tolist()} come to fractions of elements, which is not supported",
            hint="export the model with sizes in place of scales",
        )


def _make_padding_explicit(inputs: Sequence[Any], attrs: dict[str, Any]) -> None:
    """Replaces `auto_pad` by the `pads` it stands for.  Source: the Conv and MaxPool operators of ONNX."""
    mode = attrs.pop("auto_pad", b"NOTSET").decode()
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return
    sizes = shape_of(inputs[0])[2:]
    kernel = attrs.get("kernel_shape") or shape_of(inputs[1])[2:]
    ones = (1,) * len(sizes)
    before, after = [], []
    for size, extent, stride, dilation in zip(
        sizes, kernel, attrs.get("strides", ones), attrs.get("dilations", ones), strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + (extent - 1) * dilation + 1 - size, 0)
        smaller, larger = total // 2, total - total // 2
        before.append(smaller if mode == "SAME_UPPER" else larger)
        after.append(larger if mode == "SAME_UPPER" else smaller)
    attrs["pads"] = (*before, *after)


def _make_output_padding_explicit(inputs: Sequence[Any], attrs: dict[str, Any]) -> None:
    """Replaces a transposed convolution's `output_shape` by the padding it stands for.

    Source: the ConvTranspose operator of ONNX.
    """
    wanted = attrs.pop("output_shape")
    is_upper = attrs.pop("auto_pad", b"NOTSET") == b"SAME_UPPER"
    sizes = shape_of(inputs[0])[2:]
    kernel, ones = shape_of(inputs[1])[2:], (1,) * len(sizes)
    before, after, extra = [], [], []
    for size, extent, stride, dilation, goal in zip(
        sizes,
        kernel,
        attrs.get("strides", ones),
        attrs.get("dilations", ones),
        wanted[-len(sizes) :],
        strict=True,
    ):
        total = (size - 1) * stride + (extent - 1) * dilation + 1 - goal
        smaller, larger = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        before.append(smaller if is_upper else larger)
        after.append(larger if is_upper else smaller)
        extra.append(max(-total, 0))
    attrs.update(pads=[*before, *after], output_padding=extra)


def _clip_bounds(inputs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[float, float] | None:
    """Constant bounds of a float32 Clip, from inputs or, before version 11, attributes."""
    if str(inputs[0].ty.dtype) != "float32":
        return None
    bounds = [float(attrs.get("min", -math.inf)), float(attrs.get("max", math.inf))]
    for position, given in enumerate(list(inputs)[1:3]):
        if given is None:
            continue
        if not isinstance(given, GenericConst) or constant_value(given).size != 1:
            return None
        value = float(np.asarray(constant_value(given)).reshape(()))
        if not math.isnan(value):
            bounds[position] = value
    return bounds[0], bounds[1]
