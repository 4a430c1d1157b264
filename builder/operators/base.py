"""What an operator is: one file that reads it from TensorFlow Lite, states its exact meaning and makes its
kernels.

In the Relax module an operator is a call of `rune.NAME` with constant attributes; nothing of a profile is in
it yet, so graph passes see whole operators.  Lowering then asks the operator for the kernel of one profile: a
TIR function, and the arguments it takes, which may be repacked constants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from tvm import relax
from tvm.ir import GenericConst, Op, register_op_attr

from builder.importers.tflite_file import Operator as FileOperator
from builder.importers.tflite_file import Tensor
from builder.state import Variable
from builder.target import Target
from container.tensors import Quantization

if TYPE_CHECKING:
    from builder.access_order import Overlap
    from builder.importers.tflite_state import ModelMemory

MAXIMUM_INTEGERS = 1 << 16
"""Of a list such as axes, begins or sizes; a longer one is damage."""


class Unsupported(Exception):
    """An operator, or a use of it, that cannot be compiled; the message says what is supported."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Kernel:
    """The code of one call, for one profile.

    `function` is a TIR PrimFunc whose parameters are the buffers of `arguments`, then those of the results.
    It returns 0, or a `Failure`.
    """

    function: Any
    arguments: Sequence[Any]
    in_place: Sequence[tuple[int, int]] = ()
    """Numbers of an argument and of a result that the function can compute where that argument lies."""
    overlaps: Sequence[Overlap] = ()
    """What results may overwrite of arguments while the function still works."""


@dataclass(frozen=True)
class Node:
    """One operator of a TensorFlow Lite graph, as its reader sees it."""

    operator: FileOperator
    tensors: Sequence[Tensor]
    """All tensors of the subgraph."""
    values: Mapping[int, Any] = field(repr=False)
    """Relax expressions of the tensors computed so far, by tensor number."""
    emit: Callable[[Any], Any] = field(repr=False)
    """Binds an intermediate expression to a variable; a call of an operator cannot stand inside another."""
    memory: ModelMemory = field(repr=False)
    """What the model keeps from one run to the next."""

    def options(self, table: str) -> Any:
        """The options table, which most operators must have.  Raises Unsupported when it is missing."""
        options = self.operator.options(table)
        if options is None:
            raise Unsupported(f"it has no {table}")
        return options

    def has_input(self, position: int) -> bool:
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def input(self, position: int) -> Tensor:
        """The tensor at an input.  Raises Unsupported when there is none."""
        if not self.has_input(position):
            raise Unsupported(f"input {position} is missing")
        return self.tensors[self.operator.inputs[position]]

    def output(self, position: int = 0) -> Tensor:
        if position >= len(self.operator.outputs):
            raise Unsupported(f"output {position} is missing")
        return self.tensors[self.operator.outputs[position]]

    def value(self, position: int) -> Any:
        """The Relax expression at an input, a constant's included."""
        tensor = self.input(position)
        if tensor.data is not None:
            return constant(tensor.data)
        if tensor.index not in self.values:
            raise Unsupported(f"input {position}, tensor {tensor.name!r}, is used before it is computed")
        return self.values[tensor.index]

    def variable(self, position: int) -> Variable:
        """The state behind an input that must be a variable tensor, which the operator changes."""
        tensor = self.input(position)
        if not tensor.is_variable:
            raise Unsupported(f"input {position}, tensor {tensor.name!r}, must be a variable tensor")
        return self.memory.of_tensor(tensor)

    def constant(self, position: int) -> np.ndarray[Any, Any]:
        """The value of an input that must be constant, such as weights: in the file, or folded from it."""
        tensor = self.input(position)
        if tensor.data is not None:
            return tensor.data
        folded = self.values.get(tensor.index)
        if not is_constant(folded):
            raise Unsupported(f"input {position}, tensor {tensor.name!r}, must be a constant")
        return constant_value(folded)

    def integers(self, position: int) -> list[int]:
        """The values of an input that must be a constant of whole numbers, such as axes, in one list."""
        values = self.constant(position)
        if values.dtype.kind not in "iu" or values.size > MAXIMUM_INTEGERS:
            raise Unsupported(
                f"input {position}, tensor {self.input(position).name!r}, is {values.dtype}[{values.size}]; "
                f"at most {MAXIMUM_INTEGERS} integers are expected"
            )
        return [int(value) for value in values.reshape(-1)]

    def require_output_shape(self, *shape: int, output: int = 0) -> None:
        """Raises Unsupported unless the file gives an output the shape that the operator computes."""
        tensor = self.output(output)
        if tensor.shape != shape:
            raise Unsupported(
                f"the file says that its output {tensor.name!r} is {list(tensor.shape)}, "
                f"but from its inputs follows {list(shape)}"
            )

    def require_dtype(self, *combinations: tuple[str, ...]) -> tuple[str, ...]:
        """The dtypes of (input 0, output 0), or longer as given, which must be one of `combinations`."""
        length = len(combinations[0])
        tensors = [self.input(i) for i in range(length - 1)] + [self.output(0)]
        found = tuple(tensor.dtype for tensor in tensors)
        if found not in combinations:
            wanted = " or ".join(_signature(combination) for combination in combinations)
            names = ", ".join(repr(tensor.name) for tensor in tensors)
            raise Unsupported(f"tensors {names} are {_signature(found)}; supported: {wanted}")
        return found

    def require_same_dtype(self, dtypes: Set[str], tensors: Sequence[Tensor]) -> None:
        """Raises Unsupported unless these tensors all have one dtype, which is among `dtypes`."""
        found = {tensor.dtype for tensor in tensors}
        if len(found) != 1 or not found <= dtypes:
            listed = ", ".join(f"{tensor.name!r} ({tensor.dtype})" for tensor in tensors)
            raise Unsupported(f"its tensors {listed} must have one dtype of {', '.join(sorted(dtypes))}")


def _signature(dtypes: tuple[str, ...]) -> str:
    return f"({', '.join(dtypes[:-1])}) -> {dtypes[-1]}"


class Operator(ABC):
    """One operator.  Subclasses in this folder are found by themselves: a new file is all that is needed."""

    name: ClassVar[str]
    """Its name in Relax is `rune.` and this."""
    tflite: ClassVar[tuple[str, ...]] = ()
    """The TensorFlow Lite operators that it reads."""
    combinations: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Dtypes that it takes, as for `Node.require_dtype`: to be told here by those that ask for them late or
    never.  docs/operators.md is made of what operators tell or ask for."""

    @abstractmethod
    def read_tflite(self, node: Node) -> Any:
        """The Relax expression of the node's outputs.  Raises Unsupported."""

    def lower(self, call: Any, target: Target) -> Kernel:
        """The kernel of one call.  An operator that only rewrites to others has none."""
        raise Unsupported(f"`{call.op.name}` has no kernel for profile {target.profile}")

    def shares_rows(self, call: Any, target: Target) -> bool:
        """Whether calls that are the same but for `pad_top` can share a kernel (`SHARED_PAD`)."""
        return False

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
        """What the kernels compute of constant arguments, to the bit; None where only they can tell.

        An element-wise operator may be given arguments of other shapes than the call's.
        """
        return None

    def macs(self, call: Any) -> int:
        """Multiply-accumulates of one call; 0 where the notion makes no sense."""
        return 0

    def register(self) -> None:
        """Makes the operator known to Relax; pure, so that unused calls can be removed."""
        register_op_attr(f"rune.{self.name}", "FPurity", True)

    def call(
        self,
        arguments: Sequence[Any],
        attributes: Mapping[str, int | str | Sequence[int]],
        shape: Sequence[int],
        dtype: str,
    ) -> Any:
        """A call of this operator in Relax."""
        result = relax.TensorType(tuple(shape), dtype)
        return relax.Call(Op.get(f"rune.{self.name}"), list(arguments), attrs=dict(attributes), ret_ty=result)

    def call_tuple(
        self,
        arguments: Sequence[Any],
        attributes: Mapping[str, int | str],
        results: Sequence[tuple[Sequence[int], str]],
    ) -> Any:
        """A call with several results, each a shape and a dtype; Relax sees a tuple of them."""
        types = [relax.TensorType(tuple(shape), dtype) for shape, dtype in results]
        return relax.Call(
            Op.get(f"rune.{self.name}"),
            list(arguments),
            attrs=dict(attributes),
            ret_ty=relax.TupleType(types),
        )


def constant(values: np.ndarray[Any, Any]) -> Any:
    """A Relax constant.  NumPy's native byte order is asked for, since files carry little-endian views."""
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    # Without a dtype of its own TVM makes int32 of int64, and float32 of float64.
    return relax.const(native, native.dtype.name)


def is_constant(expression: Any) -> bool:
    return isinstance(expression, GenericConst)


def constant_value(expression: Any) -> np.ndarray[Any, Any]:
    """The array in a Relax constant."""
    return np.asarray(expression.value.numpy())


def shape_of(expression: Any) -> tuple[int, ...]:
    """Static shape of a Relax expression.  Raises Unsupported when a dimension is not known."""
    try:
        return tuple(int(size) for size in expression.ty.shape.values)
    except (AttributeError, TypeError) as fault:
        raise Unsupported(f"the shape {expression.ty} is not known when building") from fault


def dtype_of(expression: Any) -> str:
    return str(expression.ty.dtype)


def element_bytes(expression: Any) -> int:
    """Of each element of a Relax expression."""
    return np.dtype(dtype_of(expression)).itemsize


def normalised_axis(axis: int, rank: int) -> int:
    """An axis counted from the front.  Raises Unsupported when it is out of range."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of a tensor with {rank} dimensions")
    return axis % rank


def normalised_axes(axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once, in order.  Raises Unsupported when one is out of range."""
    return sorted({normalised_axis(axis, rank) for axis in axes})


def per_tensor(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of a tensor quantised as a whole.  Raises Unsupported."""
    quantization = tensor.quantization
    if quantization is None:
        raise Unsupported(f"tensor {tensor.name!r} is {tensor.dtype} but has no quantisation")
    if len(quantization.scale) != 1:
        raise Unsupported(f"tensor {tensor.name!r} has a scale per channel; one for the whole is expected")
    if quantization.scale[0] <= 0.0:
        raise Unsupported(f"tensor {tensor.name!r} has the scale {quantization.scale[0]}")
    return quantization.scale[0], quantization.zero_point[0]


def per_channel(tensor: Tensor, channels: int) -> tuple[float, ...]:
    """A scale for each output channel of a weight tensor, which must be symmetric.  Raises Unsupported."""
    quantization: Quantization | None = tensor.quantization
    if quantization is None:
        raise Unsupported(f"weights {tensor.name!r} are {tensor.dtype} but have no quantisation")
    if any(quantization.zero_point):
        raise Unsupported(f"weights {tensor.name!r} have a zero point other than 0")
    scales = quantization.scale
    if len(scales) not in (1, channels):
        raise Unsupported(f"weights {tensor.name!r} have {len(scales)} scales for {channels} channels")
    return scales if len(scales) == channels else scales * channels
