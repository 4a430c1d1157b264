"""Words for types that do not agree: what each side says, and the way from one to the other."""

from __future__ import annotations

from container.tensors import ElementType, Quantization, TensorType


def show(tensor: TensorType) -> str:
    """A type and, where it is known, what its integers stand for."""
    quantization = tensor.quantization
    if quantization is None:
        return str(tensor)
    return f"{tensor} ({quantization})"


def declaration_hint(declared: TensorType, actual: TensorType) -> str:
    """What to write instead of `declared`, and why it matters."""
    hint = f"write {_like(actual, declared)}"
    if {declared.element, actual.element} == {ElementType.U8, ElementType.I8}:
        hint += ". " + _same_bits(declared.element, actual)
    return hint


def edge_hint(given: TensorType, wanted: TensorType) -> str:
    """How to get from what flows along an edge to what its consumer takes."""
    if given.element is not wanted.element:
        return _element_hint(given, wanted)
    if given.count == wanted.count:
        return "put a transpose or reshape block between them"
    return f"one holds {given.count} elements, the other {wanted.count}: declare one size in both places"


def _element_hint(given: TensorType, wanted: TensorType) -> str:
    if {given.element, wanted.element} == {ElementType.U8, ElementType.I8}:
        cure = f"make the stage before deliver {wanted.element.value.upper()}"
        return f"{cure}. {_same_bits(given.element, wanted)}"
    if given.element.is_float and wanted.quantization is not None:
        return "put a quantize block between them"
    if wanted.element.is_float and given.quantization is not None:
        return "put a dequantize block between them"
    if ElementType.UTF8 in (given.element, wanted.element):
        return "text and numbers do not mix: put a block between them that reads or writes text"
    return f"put a cast block between them, or declare {wanted.element.value.upper()} before it"


def _like(actual: TensorType, declared: TensorType) -> TensorType:
    """The actual type, in the declared shape where that is right but for dimensions of one."""
    shape = declared.shape if declared.squeezed == actual.squeezed else actual.shape
    return TensorType(actual.element, shape)


def _same_bits(wrong: ElementType, right: TensorType) -> str:
    """The lesson of U8 against I8: one byte, two numbers."""
    byte = 200
    as_signed = byte - 256
    lesson = f"The same byte is another number: 0x{byte:02X} is {byte} as U8 and {as_signed} as I8"
    quantization = right.quantization
    if quantization is None or len(quantization.scale) != 1:
        return lesson
    values = {ElementType.U8: byte, ElementType.I8: as_signed}
    meant, misread = (_real(values[element], quantization) for element in (right.element, wrong))
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    formula = f"{scale:.6g} * (q {'-' if zero_point > 0 else '+'} {abs(zero_point)})"
    return f"{lesson}. Here a number q stands for {formula}: {meant:.6g}, not {misread:.6g}"


def _real(number: int, quantization: Quantization) -> float:
    return quantization.scale[0] * (number - quantization.zero_point[0])
