"""Writes TensorFlow Lite models: a graph of tensors and operators in, the bytes of a `.tflite` file out.

The examples make their models with it and the tests make single operators with it.  It follows the schema
of the `tflite` package: an operator is named as in `BuiltinOperator`, its options as in the schema's table of
options, so a further operator takes one line in `OPTION_TABLES`.  A custom operator is `CUSTOM:` and its
code; its options become a flexbuffer.

    graph = Graph("twice")
    x = graph.input("x", (1, 4), "int8", Quantization((0.5,), (0,)))
    y = graph.tensor("y", (1, 4), "int8", Quantization((1.0,), (0,)))
    graph.operator("ADD", [x, x], [y])
    graph.output(y)
    data = graph.to_bytes()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers
from numpy.typing import ArrayLike, NDArray

from container.tensors import Quantization

Option: TypeAlias = bool | int | float | str | Sequence[int]

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"
DATA_ALIGNMENT = 16
"""Bytes; engines read constants in place and expect them aligned."""
CUSTOM = "CUSTOM:"
"""Begins the name of a custom operator; its code follows."""
OMITTED = -1
"""In place of an optional input, such as a bias that is not there."""
LARGEST_DEPRECATED_CODE = 127
"""Operators above it have no number in the older, one-byte field of an operator code."""

TENSOR_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "uint32": tflite.TensorType.UINT32,
    "int64": tflite.TensorType.INT64,
    "uint64": tflite.TensorType.UINT64,
    "bool": tflite.TensorType.BOOL,
    "resource": tflite.TensorType.RESOURCE,
    "int4": tflite.TensorType.INT4,
}
"""Number of each dtype in the schema, by its NumPy name where NumPy has it."""

OPTION_TABLES = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "CUMSUM": "CumsumOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "QUANTIZE": "QuantizeOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
}
"""The table of options of each operator that has one."""


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str
    """A key of `TENSOR_TYPES`."""
    quantization: Quantization | None = None
    data: NDArray[Any] | None = None
    """The value of a constant."""
    is_variable: bool = False
    """Whether operators change it and find it changed in the next run."""


@dataclass(frozen=True)
class Operator:
    builtin: str
    """Name in `tflite.BuiltinOperator`, or `CUSTOM:` and the code of a custom operator."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]
    """By the schema's names, such as `stride_h`; an option that is absent has the schema's default."""


@dataclass
class Graph:
    """One subgraph in the making.  Tensors are referred to by number."""

    name: str
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    subgraphs: list[Graph] = field(default_factory=list)
    signature: str | None = None
    """Key under which the graph can be called; its inputs and outputs go by the names of their tensors."""
    """Further graphs of the model, numbered from 1, which operators can call."""

    def tensor(
        self, name: str, shape: Sequence[int], dtype: str, quantization: Quantization | None = None
    ) -> int:
        """Add a tensor that an operator computes."""
        return self._add(Tensor(name, tuple(shape), dtype, quantization))

    def input(
        self, name: str, shape: Sequence[int], dtype: str, quantization: Quantization | None = None
    ) -> int:
        """Add a tensor that whoever runs the model fills in."""
        self.inputs.append(self.tensor(name, shape, dtype, quantization))
        return self.inputs[-1]

    def variable(
        self, name: str, shape: Sequence[int], dtype: str, quantization: Quantization | None = None
    ) -> int:
        """Add a tensor whose value lasts from one run to the next."""
        return self._add(Tensor(name, tuple(shape), dtype, quantization, is_variable=True))

    def constant(self, name: str, value: ArrayLike, quantization: Quantization | None = None) -> int:
        """Add a tensor with a value; its shape and dtype are those of the array."""
        data = np.asarray(value, order="C")
        return self._add(Tensor(name, data.shape, data.dtype.name, quantization, data))

    def constant_int4(self, name: str, value: ArrayLike, quantization: Quantization | None = None) -> int:
        """Add a tensor of values from -8 to 7, stored two to a byte, the first in the lower half."""
        values = np.asarray(value, np.int8)
        halves = np.zeros((values.size + 1) // 2 * 2, np.uint8)
        halves[: values.size] = values.reshape(-1) & 15
        packed = halves[::2] | halves[1::2] << 4
        return self._add(Tensor(name, values.shape, "int4", quantization, packed))

    def operator(
        self, builtin: str, inputs: Sequence[int], outputs: Sequence[int], **options: Option
    ) -> None:
        """Append an operator; they run in this order."""
        self.operators.append(Operator(builtin, tuple(inputs), tuple(outputs), options))

    def output(self, tensor: int) -> None:
        """Make a tensor a result of the model."""
        self.outputs.append(tensor)

    def to_bytes(self) -> bytes:
        """The `.tflite` file.  The same graph gives the same bytes."""
        return _Writer().model(self)

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1


class _Writer:
    """Turns a graph into a flatbuffer, innermost tables first, as flatbuffers demand."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def model(self, graph: Graph) -> bytes:
        graphs = [graph, *graph.subgraphs]
        builtins = sorted({operator.builtin for each in graphs for operator in each.operators})
        # Buffer number 0 is by convention the empty one.
        data = [None, *(t.data for each in graphs for t in each.tensors if t.data is not None)]
        buffers = [self._buffer(values) for values in data]
        numbers = iter(range(1, len(data)))
        fields = {
            "version": SCHEMA_VERSION,
            "operator_codes": self._tables([self._operator_code(name) for name in builtins]),
            "subgraphs": self._tables([self._subgraph(each, builtins, numbers) for each in graphs]),
            "description": self._builder.CreateString(graph.name),
            "buffers": self._tables(buffers),
        }
        signatures = [self._signature(each, n) for n, each in enumerate(graphs) if each.signature is not None]
        if signatures:
            fields["signature_defs"] = self._tables(signatures)
        root = self._table("Model", **fields)
        self._builder.Finish(root, file_identifier=FILE_IDENTIFIER)
        return bytes(self._builder.Output())

    def _signature(self, graph: Graph, number: int) -> int:
        def named(numbers: Sequence[int]) -> int:
            return self._tables(
                [
                    self._table(
                        "TensorMap",
                        name=self._builder.CreateString(graph.tensors[i].name),
                        tensor_index=i,
                    )
                    for i in numbers
                ]
            )

        return self._table(
            "SignatureDef",
            inputs=named(graph.inputs),
            outputs=named(graph.outputs),
            signature_key=self._builder.CreateString(graph.signature or ""),
            subgraph_index=number,
        )

    def _subgraph(self, graph: Graph, builtins: Sequence[str], buffers: Iterator[int]) -> int:
        """`buffers` gives the number of the next constant's buffer."""
        tensors = [
            self._tensor(tensor, 0 if tensor.data is None else next(buffers)) for tensor in graph.tensors
        ]
        operators = [self._operator(op, builtins.index(op.builtin)) for op in graph.operators]
        return self._table(
            "SubGraph",
            tensors=self._tables(tensors),
            inputs=self._integers(graph.inputs),
            outputs=self._integers(graph.outputs),
            operators=self._tables(operators),
            name=self._builder.CreateString(graph.name),
        )

    def _tensor(self, tensor: Tensor, buffer: int) -> int:
        fields = {
            "shape": self._integers(tensor.shape),
            "type": TENSOR_TYPES[tensor.dtype],
            "buffer": buffer,
            "name": self._builder.CreateString(tensor.name),
        }
        if tensor.quantization is not None:
            fields["quantization"] = self._quantization(tensor.quantization)
        if tensor.is_variable:
            fields["is_variable"] = True
        return self._table("Tensor", **fields)

    def _quantization(self, quantization: Quantization) -> int:
        return self._table(
            "QuantizationParameters",
            scale=self._builder.CreateNumpyVector(np.array(quantization.scale, np.float32)),
            zero_point=self._builder.CreateNumpyVector(np.array(quantization.zero_point, np.int64)),
            quantized_dimension=quantization.axis or 0,
        )

    def _operator(self, operator: Operator, opcode_index: int) -> int:
        fields = {
            "opcode_index": opcode_index,
            "inputs": self._integers(operator.inputs),
            "outputs": self._integers(operator.outputs),
        }
        table = OPTION_TABLES.get(operator.builtin)
        if operator.builtin.startswith(CUSTOM):
            fields["custom_options"] = self._bytes(bytes(flexbuffers.Dumps(dict(operator.options))))
        elif table is not None:
            fields["builtin_options_type"] = getattr(tflite.BuiltinOptions, table)
            fields["builtin_options"] = self._options(table, operator.options)
        elif operator.options:
            raise ValueError(f"OPTION_TABLES does not say which options {operator.builtin} takes")
        return self._table("Operator", **fields)

    def _options(self, table: str, options: Mapping[str, Option]) -> int:
        return self._table(table, **{name: self._option(value) for name, value in options.items()})

    def _option(self, value: Option) -> int | float:
        if isinstance(value, str):
            return int(self._builder.CreateString(value))
        return value if isinstance(value, (bool, int, float)) else self._integers(value)

    def _operator_code(self, builtin: str) -> int:
        if builtin.startswith(CUSTOM):
            number = tflite.BuiltinOperator.CUSTOM
            code = self._builder.CreateString(builtin.removeprefix(CUSTOM))
            return self._table(
                "OperatorCode", builtin_code=number, deprecated_builtin_code=number, custom_code=code
            )
        number = getattr(tflite.BuiltinOperator, builtin)
        return self._table(
            "OperatorCode",
            builtin_code=number,
            deprecated_builtin_code=min(number, LARGEST_DEPRECATED_CODE),
            version=1,
        )

    def _buffer(self, data: NDArray[Any] | None) -> int:
        if data is None:
            return self._table("Buffer")
        content = self._bytes(data.astype(data.dtype.newbyteorder("<")).tobytes())
        return self._table("Buffer", data=content)

    def _bytes(self, content: bytes) -> int:
        self._builder.StartVector(1, len(content), DATA_ALIGNMENT)
        self._builder.head -= len(content)
        self._builder.Bytes[self._builder.head : self._builder.head + len(content)] = content
        return int(self._builder.EndVector())

    def _integers(self, values: Sequence[int]) -> int:
        return int(self._builder.CreateNumpyVector(np.array(values, np.int32)))

    def _tables(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _table(self, name: str, /, **fields: Any) -> int:
        """Write a table of the schema; fields are named as there, and hold scalars or offsets."""
        getattr(tflite, f"{name}Start")(self._builder)
        for field_name, value in fields.items():
            camel = "".join(word.capitalize() for word in field_name.split("_"))
            getattr(tflite, f"{name}Add{camel}")(self._builder, value)
        return int(getattr(tflite, f"{name}End")(self._builder))
