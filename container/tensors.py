"""Tensor types: what flows between the stages of a pipeline, and the numbers behind the integers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class ElementType(StrEnum):
    """Type of one element of a tensor, by the name used in Runefiles (any case) and in JSON."""

    U8 = "u8"
    I8 = "i8"
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    UTF8 = "utf8"

    @property
    def is_float(self) -> bool:
        return self in (ElementType.F32, ElementType.F64)

    @property
    def is_integer(self) -> bool:
        return self is not ElementType.UTF8 and not self.is_float

    @property
    def dtype(self) -> str:
        """The NumPy and TVM name, such as `int8`; text is `uint8`, since it travels as bytes."""
        if self is ElementType.UTF8:
            return "uint8"
        kind = {"u": "uint", "i": "int", "f": "float"}[self.value[0]]
        return kind + self.value[1:]

    @property
    def bytes(self) -> int:
        """Size of one element; for text the size of one byte of it, see `TensorType.width`."""
        return 1 if self is ElementType.UTF8 else int(self.value[1:]) // 8

    @classmethod
    def from_dtype(cls, dtype: str) -> ElementType:
        """The element type of a NumPy dtype name such as `int8`.  Raises ValueError for any other dtype."""
        for element in cls:
            if element is not cls.UTF8 and element.dtype == dtype:
                return element
        raise ValueError(f"no element type for dtype {dtype!r}")


@dataclass(frozen=True)
class Quantization:
    """Affine quantisation: real = scale * (integer - zero_point).

    One scale and zero point for the whole tensor, or one per index of `axis`.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    def __str__(self) -> str:
        if len(self.scale) == 1:
            return f"scale {self.scale[0]:.9g}, zero point {self.zero_point[0]}"
        return f"{len(self.scale)} scales along axis {self.axis}"


@dataclass(frozen=True)
class TensorType:
    """Element type, shape and, where a model gives it, quantisation of a tensor, stored row-major.

    `width` is for text alone: bytes per element, each element padded with NULs to that many.
    """

    element: ElementType
    shape: tuple[int, ...]
    quantization: Quantization | None = None
    width: int | None = None

    def __str__(self) -> str:
        return f"{self.element.value.upper()}[{','.join(map(str, self.shape))}]"

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of the array that carries it: text has its bytes as a last dimension."""
        return (*self.shape, self.width or 0) if self.element is ElementType.UTF8 else self.shape

    @property
    def bytes(self) -> int:
        """Bytes it takes in linear memory."""
        return math.prod(self.array_shape) * self.element.bytes

    @property
    def squeezed(self) -> tuple[int, ...]:
        """The shape without its dimensions of size one."""
        return tuple(size for size in self.shape if size != 1)

    def accepts(self, other: TensorType) -> bool:
        """Whether `other` may be used where this type stands.

        Element types must be equal.  Shapes must be equal up to dimensions of size one, which change
        neither the number nor the order of the elements.
        """
        return self.element is other.element and self.squeezed == other.squeezed

    def with_quantization(self, quantization: Quantization | None) -> TensorType:
        return replace(self, quantization=quantization)
