"""The kinds of outputs that a pipeline may end in, their arguments and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from container.manifest import Argument
from container.tensors import ElementType, TensorType
from runefile.signatures import Parameter, ParameterKind, TypeRuleError

LARGEST_PIN = 255
_LARGEST_F32 = 3.4028234663852886e38


@dataclass(frozen=True)
class OutputUse:
    """One use of an output, as its type rule sees it."""

    inputs: tuple[TensorType, ...]
    arguments: Mapping[str, Argument]


def _anything(use: OutputUse) -> None:
    """SERIAL and TENSOR take whatever comes."""


@dataclass(frozen=True)
class OutputKind:
    """A kind of output.  `rule` raises TypeRuleError."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    rule: Callable[[OutputUse], None] = _anything
    maximum_inputs: int | None = None
    """None for any number of them."""


def _pin(use: OutputUse) -> None:
    pin, [given] = use.arguments["pin"], use.inputs
    if not isinstance(pin, int) or not 0 <= pin <= LARGEST_PIN:
        raise TypeRuleError(f"a pin is a number from 0 to {LARGEST_PIN}, not {pin}", argument="pin")
    text = given.element is ElementType.UTF8
    wanted, other = ("label", "threshold") if text else ("threshold", "label")
    if other in use.arguments:
        what = "text, which is compared with --label" if text else "numbers, which take --threshold"
        both = wanted in use.arguments
        hint = f"remove --{other}" if both else f"write --{wanted} instead"
        raise TypeRuleError(f"this pin follows {what}, not --{other}", argument=other, hint=hint)
    if wanted not in use.arguments:
        what = "the text" if text else "the least number"
        message = f'PIN needs the argument "{wanted}": {what} at which the pin is high'
        raise TypeRuleError(message, hint=f"add --{wanted} {'WORD' if text else 'X'}")
    if text:
        _check_label(str(use.arguments["label"]), given)
    else:
        _check_threshold(use.arguments["threshold"], given)


def _check_label(label: str, given: TensorType) -> None:
    size = len(label.encode())
    if not label or (given.width is not None and size > given.width):
        most = "" if given.width is None else f" and at most {given.width}"
        message = f"the label has {size} bytes; the text that it is compared with has at least 1{most}"
        raise TypeRuleError(message, argument="label", hint="write one of the labels of the stage before")


def _check_threshold(threshold: Argument, given: TensorType) -> None:
    element = given.element
    if element.bytes > 4:
        message = f"PIN takes numbers of at most 32 bits, not {given}"
        raise TypeRuleError(message, input=0, hint="put a block such as cast before it")
    assert isinstance(threshold, int | float)
    low, high = _range(element)
    if not low <= threshold <= high:
        message = f"no {element.value.upper()} is compared with {threshold:g}: it has {low:g} to {high:g}"
        raise TypeRuleError(message, argument="threshold", hint="choose a threshold in this range")
    if element.is_integer and threshold != int(threshold):
        message = f"{element.value.upper()} is compared with an integer, not {threshold:g}"
        raise TypeRuleError(message, argument="threshold", hint=f"write {int(threshold // 1) + 1}")


def _range(element: ElementType) -> tuple[float, float]:
    bits = element.bytes * 8
    if element.is_float:
        return -_LARGEST_F32, _LARGEST_F32
    signed = element.value.startswith("i")
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


OUTPUTS: Mapping[str, OutputKind] = {
    kind.name: kind
    for kind in (
        OutputKind("SERIAL", "one line of JSON per inference"),
        OutputKind(
            "TENSOR",
            "the bytes of the tensors, row-major, little-endian",
            (Parameter("file", ParameterKind.TEXT, "the file they are written to"),),
        ),
        OutputKind(
            "PIN",
            "a pin of the board, high or low",
            (
                Parameter("pin", ParameterKind.INTEGER, "its number", required=True),
                Parameter("threshold", ParameterKind.NUMBER, "high while the first element is at least this"),
                Parameter("label", ParameterKind.TEXT, "high while the text is this"),
            ),
            _pin,
            maximum_inputs=1,
        ),
    )
}
