"""Reads a TensorFlow Lite flatbuffer into plain, checked data.

The generated reader of the `tflite` package follows offsets blindly and has no verifier, so everything is
read once, here, with every length and index checked against the file; what comes out is safe to use.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tflite

from builder.fixed_point import INTEGER_RANGE
from container.errors import CompileError
from container.tensors import Quantization

FILE_IDENTIFIER = b"TFL3"
MAXIMUM_ELEMENTS = 1 << 28
"""No tensor of a model for small machines comes near; larger ones are refused as damage."""

PACKED = "INT4"
"""Constants of this type come two to a byte, the lower half first; they are read as int8."""

READ_FAULTS = (
    struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError,
    UnicodeDecodeError
)  # fmt: skip
"""What the generated reader raises when it follows an offset out of the file."""


@dataclass(frozen=True)
class Tensor:
    index: int
    name: str
    dtype: str
    """NumPy name, or the schema's own in capitals where NumPy has none (`STRING`); for a constant of INT4
    `int8`."""
    shape: tuple[int, ...]
    quantization: Quantization | None
    data: np.ndarray[Any, Any] | None
    """The value of a constant, in the tensor's shape; read-only."""
    is_variable: bool


@dataclass(frozen=True)
class Operator:
    index: int
    name: str
    """As in `BuiltinOperator`; a custom operator is `CUSTOM:` and its code."""
    inputs: tuple[int, ...]
    """Tensor numbers; -1 stands for an optional input that is not there."""
    outputs: tuple[int, ...]
    raw: Any
    """The flatbuffer's own table."""

    def options(self, table: str) -> Any:
        """The operator's options, read as the schema's table of that name, or None where it has none."""
        raw = self.raw.BuiltinOptions()
        if raw is None:
            return None
        options = getattr(tflite, table)()
        options.Init(raw.Bytes, raw.Pos)
        return options


@dataclass(frozen=True)
class Subgraph:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """One way to call a model: tensors of one of its subgraphs, each with the name that callers know."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


def read_signatures(data: bytes, file: str) -> tuple[Signature, ...]:
    """The signatures of a model that `read_subgraphs` has read.  Raises CompileError."""
    graphs = read_subgraphs(data, file)
    with damage_as_compile_error(file):
        model = tflite.Model.GetRootAs(bytes(data), 0)
        reader = _Reader(model, len(data))
        return tuple(
            reader.signature(model.SignatureDefs(i), graphs)
            for i in reader.range(model.SignatureDefsLength())
        )


def read_subgraphs(data: bytes, file: str) -> tuple[Subgraph, ...]:
    """All subgraphs of a model.  Raises CompileError when the data is no sound TensorFlow Lite model."""
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        raise CompileError(
            f"{file}: not a TensorFlow Lite model: bytes 4 to 8 are {data[4:8]!r}, not {FILE_IDENTIFIER!r}",
            hint="a model file ends in .tflite or .onnx; check that the file was downloaded whole",
        )
    with damage_as_compile_error(file):
        model = tflite.Model.GetRootAs(bytes(data), 0)
        reader = _Reader(model, len(data))
        return tuple(reader.subgraph(model.Subgraphs(i)) for i in reader.range(model.SubgraphsLength()))


@contextmanager
def damage_as_compile_error(file: str) -> Iterator[None]:
    """Turns whatever the generated reader stumbles over into one clear error."""
    try:
        yield
    except READ_FAULTS as fault:
        raise CompileError(
            f"{file}: damaged TensorFlow Lite model ({fault})",
            hint="the file is truncated or was changed; copy or export it again",
        ) from fault


class _Reader:
    """Reads one model; every count in it is at most the file's size."""

    def __init__(self, model: Any, size: int) -> None:
        self._model = model
        self._size = size

    def range(self, count: int) -> range:
        if count > self._size:
            raise ValueError(f"a list of {count} items in a file of {self._size} bytes")
        return range(count)

    def subgraph(self, raw: Any) -> Subgraph:
        tensors = tuple(self._tensor(i, raw.Tensors(i)) for i in self.range(raw.TensorsLength()))
        count = len(tensors)
        return Subgraph(
            tensors=tensors,
            operators=tuple(
                self._operator(i, raw.Operators(i), count) for i in self.range(raw.OperatorsLength())
            ),
            inputs=self._indices(raw.InputsLength(), raw.Inputs, count, optional=False),
            outputs=self._indices(raw.OutputsLength(), raw.Outputs, count, optional=False),
        )

    def signature(self, raw: Any, graphs: Sequence[Subgraph]) -> Signature:
        number = raw.SubgraphIndex()
        if not 0 <= number < len(graphs):
            raise ValueError(f"a signature of subgraph {number}")
        tensors = len(graphs[number].tensors)

        def named(length: int, get: Callable[[int], Any]) -> tuple[tuple[str, int], ...]:
            entries = tuple(get(i) for i in self.range(length))
            self._check_indices([entry.TensorIndex() for entry in entries], tensors)
            return tuple((_text(entry.Name()), entry.TensorIndex()) for entry in entries)

        return Signature(
            key=_text(raw.SignatureKey()),
            subgraph=number,
            inputs=named(raw.InputsLength(), raw.Inputs),
            outputs=named(raw.OutputsLength(), raw.Outputs),
        )

    def _tensor(self, index: int, raw: Any) -> Tensor:
        shape = tuple(int(raw.Shape(i)) for i in self.range(raw.ShapeLength()))
        if any(size < 0 for size in shape) or math.prod(shape) > MAXIMUM_ELEMENTS:
            raise ValueError(f"tensor {index} has the shape {list(shape)}")
        dtype = _dtype_name(raw.Type())
        data = self._data(index, raw.Buffer(), dtype, shape)
        if dtype == PACKED and data is not None:
            dtype = "int8"
        return Tensor(
            index=index,
            name=(raw.Name() or b"").decode("utf-8", "replace"),
            dtype=dtype,
            shape=shape,
            quantization=self._quantization(index, raw.Quantization(), shape, dtype),
            data=data,
            is_variable=bool(raw.IsVariable()),
        )

    def _quantization(self, index: int, raw: Any, shape: tuple[int, ...], dtype: str) -> Quantization | None:
        if raw is None or raw.ScaleLength() == 0:
            return None
        scales = tuple(float(raw.Scale(i)) for i in self.range(raw.ScaleLength()))
        zeros = tuple(int(raw.ZeroPoint(i)) for i in self.range(raw.ZeroPointLength())) or (0,) * len(scales)
        axis = int(raw.QuantizedDimension()) if len(scales) > 1 else None
        if len(zeros) != len(scales) or not all(np.isfinite(scales)) or min(scales) < 0:
            raise ValueError(f"tensor {index} has broken quantisation parameters")
        low, high = INTEGER_RANGE.get(dtype, (0, 0))
        if dtype in INTEGER_RANGE and not low <= min(zeros) <= max(zeros) <= high:
            raise ValueError(f"tensor {index} has a zero point outside of {dtype}")
        if axis is not None and (not 0 <= axis < len(shape) or shape[axis] != len(scales)):
            raise ValueError(f"tensor {index} has {len(scales)} scales along axis {axis} of {list(shape)}")
        return Quantization(scales, zeros, axis)

    def _data(
        self, index: int, buffer: int, dtype: str, shape: tuple[int, ...]
    ) -> np.ndarray[Any, Any] | None:
        if not 0 <= buffer < self._model.BuffersLength():
            raise ValueError(f"tensor {index} points at buffer {buffer}")
        raw = self._model.Buffers(buffer)
        if raw.DataLength() == 0 or not (dtype.islower() or dtype == PACKED):
            return None
        values = _values(raw.DataAsNumpy().tobytes(), dtype, math.prod(shape))
        if values.size != math.prod(shape):
            raise ValueError(f"tensor {index} of shape {list(shape)} has {values.size} values")
        values = values.reshape(shape)
        values.flags.writeable = False
        return values

    def _operator(self, index: int, raw: Any, tensors: int) -> Operator:
        code = raw.OpcodeIndex()
        if not 0 <= code < self._model.OperatorCodesLength():
            raise ValueError(f"operator {index} has the code number {code}")
        return Operator(
            index=index,
            name=_operator_name(self._model.OperatorCodes(code)),
            inputs=self._indices(raw.InputsLength(), raw.Inputs, tensors, optional=True),
            outputs=self._indices(raw.OutputsLength(), raw.Outputs, tensors, optional=False),
            raw=raw,
        )

    def _indices(
        self, length: int, get: Callable[[int], int], tensors: int, *, optional: bool
    ) -> tuple[int, ...]:
        indices = tuple(int(get(i)) for i in self.range(length))
        self._check_indices(indices, tensors, lowest=-1 if optional else 0)
        return indices

    @staticmethod
    def _check_indices(indices: Sequence[int], tensors: int, *, lowest: int = 0) -> None:
        if any(not lowest <= index < tensors for index in indices):
            raise ValueError(f"tensor numbers {list(indices)} in a graph of {tensors} tensors")


def _values(data: bytes, dtype: str, count: int) -> np.ndarray[Any, Any]:
    """The values of a constant in one row; there may be more or fewer than `count`."""
    if dtype != PACKED:
        return np.frombuffer(data, dtype=np.dtype(dtype).newbyteorder("<"))
    pairs = np.frombuffer(data, "int8")
    values = np.stack([(pairs << 4).astype("int8") >> 4, pairs >> 4], axis=-1).reshape(-1)
    return values[:count] if len(pairs) == -(-count // 2) else values


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _operator_name(code: Any) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _names(tflite.BuiltinOperator).get(number, f"BUILTIN_{number}")
    if name == "CUSTOM":
        return f"CUSTOM:{(code.CustomCode() or b'').decode('utf-8', 'replace')}"
    return name


def _dtype_name(number: int) -> str:
    name = _names(tflite.TensorType).get(number, f"TYPE_{number}")
    known = {"BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64"}
    return name.lower() if name in known | {"FLOAT32", "FLOAT64", "FLOAT16"} else name


@cache
def _names(enumeration: type) -> dict[int, str]:
    """Number to name of one of the schema's enumerations."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
