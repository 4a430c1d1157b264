"""The kinds of sensors that a pipeline may begin with, their arguments and what they deliver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from container.manifest import Argument
from container.tensors import ElementType, TensorType
from runefile.signatures import Parameter, ParameterKind, TypeRuleError

DEFAULT_HZ = 16_000
AXES = 3
"""Values of a row of ACCEL: x, y, z."""
PIXEL_FORMATS = {"RGB": 3, "BGR": 3, "GrayScale": 1}
"""Pixel format -> channels."""
LAYOUTS = ("NHWC", "NCHW", "HW")
LARGEST_CHANNEL = 255
PERIOD_STEP_MS = 100
LARGEST_PERIOD_MS = 25_500
"""What a board counts in one byte, in steps of `PERIOD_STEP_MS`."""


@dataclass(frozen=True)
class CapabilityUse:
    """One use of a capability, as its type rule sees it."""

    arguments: Mapping[str, Argument]
    declared: TensorType | None = None
    consumer: TensorType | None = None
    """What the model that takes its data expects, where one takes it directly."""

    @property
    def expected(self) -> TensorType | None:
        """The type that the Runefile, or else the model behind the capability, asks for."""
        return self.declared or self.consumer

    def integer(self, name: str, minimum: int = 1) -> int | None:
        """An integer argument.  Raises TypeRuleError below `minimum`."""
        value = self.arguments.get(name)
        if not isinstance(value, int):
            return None
        if value < minimum:
            raise TypeRuleError(f"{name} must be at least {minimum}, not {value}", argument=name)
        return value


CapabilityType: TypeAlias = tuple[TensorType, Mapping[str, Argument]]
"""What a capability delivers, and its arguments with what follows from the type filled in."""


@dataclass(frozen=True)
class CapabilityKind:
    """A kind of sensor.  `rule` raises TypeRuleError."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    rule: Callable[[CapabilityUse], CapabilityType]


def _needed(use: CapabilityUse, kind: str, example: str) -> TensorType:
    if use.expected is None:
        message = f"{kind} needs a type: nothing says what it should deliver"
        raise TypeRuleError(message, hint=f"write CAPABILITY<{example}>")
    return use.expected


def _only(element: ElementType, delivered: TensorType, kind: str, what: str, cure: str) -> None:
    if delivered.element is not element:
        message = f"{kind} delivers {what} as {element.value.upper()}, not {delivered.element.value.upper()}"
        raise TypeRuleError(message, hint=cure)


def _raw(use: CapabilityUse) -> CapabilityType:
    delivered = _needed(use, "RAW", "F32[4]")
    length = use.integer("length")
    if delivered.element is ElementType.UTF8:
        if length is None:
            message, hint = "RAW text needs the number of bytes to read", "add --length 64"
            raise TypeRuleError(message, hint=hint)
        return replace(delivered, width=length), use.arguments
    if length is not None and length != delivered.bytes:
        message = f"{delivered} takes {delivered.bytes} bytes, but length says {length}"
        raise TypeRuleError(message, argument="length", hint="remove --length: it follows from the type")
    return delivered, use.arguments


def _rand(use: CapabilityUse) -> CapabilityType:
    count = use.integer("n")
    _check_period(use)
    delivered = use.expected
    if delivered is None:
        delivered = _needed(use, "RAND", "F32[4]") if count is None else TensorType(ElementType.F32, (count,))
    if delivered.element is ElementType.UTF8:
        raise TypeRuleError("RAND delivers numbers, not text", hint="declare a number type such as F32")
    if count is not None and count != delivered.count:
        message = f"{delivered} holds {delivered.count} numbers, but n says {count}"
        raise TypeRuleError(message, argument="n", hint="remove -n: it follows from the type")
    return delivered, use.arguments


def _sound(use: CapabilityUse) -> CapabilityType:
    hz = use.integer("hz") or DEFAULT_HZ
    duration_ms = use.integer("sample_duration_ms")
    samples = None if duration_ms is None else hz * duration_ms // 1000
    delivered = use.expected
    if delivered is None:
        if samples is None:
            _needed(use, "SOUND", "I16[16000]")
        delivered = TensorType(ElementType.I16, (samples or 0,))
    cure = "declare I16, and put a block such as audio_float_conversion or cast behind it"
    _only(ElementType.I16, delivered, "SOUND", "samples", cure)
    if len(delivered.squeezed) > 1:
        message = f"SOUND delivers one channel of samples, not {delivered}"
        raise TypeRuleError(message, hint=f"declare I16[{samples or delivered.count}]")
    if samples is not None and samples != delivered.count:
        message = (
            f"{hz} Hz for {duration_ms} ms are {samples} samples, but the type {delivered} "
            f"holds {delivered.count}"
        )
        hint = f"declare I16[{samples}], or --sample-duration-ms {delivered.count * 1000 // hz}"
        raise TypeRuleError(message, argument="sample_duration_ms", hint=hint)
    return delivered, {**use.arguments, "hz": hz}


@dataclass(frozen=True)
class _Frame:
    """How an image lies in a tensor."""

    layout: str
    height: int
    width: int
    channels: int

    def fits(self, arguments: Mapping[str, Argument]) -> bool:
        given = {name: arguments.get(name) for name in ("layout", "height", "width")}
        pixel_format = arguments.get("pixel_format")
        return (
            given["layout"] in (None, self.layout)
            and given["height"] in (None, self.height)
            and given["width"] in (None, self.width)
            and (pixel_format is None or PIXEL_FORMATS[str(pixel_format)] == self.channels)
        )


def _frames(shape: tuple[int, ...]) -> Iterator[_Frame]:
    """The ways to see a shape as an image, the usual one first."""
    if len(shape) == 2:
        yield _Frame("HW", *shape, 1)
    if len(shape) == 3 and shape[0] == 1:
        yield _Frame("HW", *shape[1:], 1)
    if len(shape) in (3, 4) and prod(shape[:-3]) == 1:
        first, second, third = shape[-3:]
        if third in (1, 3):
            yield _Frame("NHWC", first, second, third)
        if first in (1, 3):
            yield _Frame("NCHW", second, third, first)


def _image(use: CapabilityUse) -> CapabilityType:
    for side in ("width", "height"):
        use.integer(side)
    delivered = use.expected or _image_type(use)
    if delivered.element is ElementType.UTF8:
        raise TypeRuleError("IMAGE delivers pixels, not text", hint="declare U8")
    frame = next((frame for frame in _frames(delivered.shape) if frame.fits(use.arguments)), None)
    if frame is None:
        raise TypeRuleError(_image_mismatch(use, delivered), hint=_image_hint(use))
    pixel_format = use.arguments.get("pixel_format") or ("GrayScale" if frame.channels == 1 else "RGB")
    sides: dict[str, Argument] = {"width": frame.width, "height": frame.height}
    return delivered, {**use.arguments, **sides, "layout": frame.layout, "pixel_format": pixel_format}


def _image_type(use: CapabilityUse) -> TensorType:
    """The type that the arguments alone make: U8, and RGB where no pixel format is given."""
    width, height = use.integer("width"), use.integer("height")
    if width is None or height is None:
        _needed(use, "IMAGE", "U8[1,96,96,1]")
    channels = PIXEL_FORMATS[str(use.arguments.get("pixel_format", "RGB"))]
    sides = (height or 0, width or 0)
    shapes = {"NCHW": (1, channels, *sides), "HW": sides}
    shape = shapes.get(str(use.arguments.get("layout")), (1, *sides, channels))
    return TensorType(ElementType.U8, shape)


def _image_mismatch(use: CapabilityUse, delivered: TensorType) -> str:
    given = [f"{name} {use.arguments[name]}" for name in _IMAGE_NAMES if name in use.arguments]
    if not given:
        return f"{delivered} is no shape of an image"
    return f"{delivered} is no image of {', '.join(given)}"


def _image_hint(use: CapabilityUse) -> str:
    if "width" in use.arguments and "height" in use.arguments:
        return f"these arguments make {_image_type(use)}"
    return "an image is [1,height,width,channels], [1,channels,height,width] or [height,width]"


def _accel(use: CapabilityUse) -> CapabilityType:
    rows = use.integer("n")
    use.integer("hz")
    delivered = use.expected
    if delivered is None:
        if rows is None:
            _needed(use, "ACCEL", "F32[128,3]")
        delivered = TensorType(ElementType.F32, (rows or 0, AXES))
    cure = "declare F32, and put a block such as quantize or cast behind it"
    _only(ElementType.F32, delivered, "ACCEL", "rows of x, y, z", cure)
    sizes = delivered.squeezed
    if not sizes or sizes[-1] != AXES or len(sizes) > 2:
        message = f"ACCEL delivers rows of {AXES} values, not {delivered}"
        raise TypeRuleError(message, hint=f"declare F32[{rows or max(1, delivered.count // AXES)},{AXES}]")
    found = delivered.count // AXES
    if rows is not None and rows != found:
        message = f"{delivered} holds {found} rows, but n says {rows}"
        raise TypeRuleError(message, argument="n", hint=f"declare F32[{rows},{AXES}], or -n {found}")
    return delivered, {**use.arguments, "n": found}


def _temperature(use: CapabilityUse) -> CapabilityType:
    cure = "declare F32, and put a block such as quantize or cast behind it"
    return _readings(use, "TEMPERATURE", ElementType.F32, "degrees Celsius", cure)


def _adc(use: CapabilityUse) -> CapabilityType:
    channel = use.integer("channel", minimum=0)
    if channel is not None and channel > LARGEST_CHANNEL:
        message = f"a channel is a number from 0 to {LARGEST_CHANNEL}, not {channel}"
        raise TypeRuleError(message, argument="channel")
    cure = "declare U16, and put a block such as cast behind it"
    return _readings(use, "ADC", ElementType.U16, "readings", cure)


def _readings(use: CapabilityUse, kind: str, element: ElementType, what: str, cure: str) -> CapabilityType:
    """One after the other, as many as the type or `n` says; one where neither does."""
    count = use.integer("n")
    _check_period(use)
    delivered = use.expected or TensorType(element, (count or 1,))
    _only(element, delivered, kind, what, cure)
    if count is not None and count != delivered.count:
        message = f"{delivered} holds {delivered.count} readings, but n says {count}"
        raise TypeRuleError(message, argument="n", hint="remove -n: it follows from the type")
    return delivered, use.arguments


def _check_period(use: CapabilityUse) -> None:
    period_ms = use.integer("period_ms")
    if period_ms is None:
        return
    if period_ms % PERIOD_STEP_MS or period_ms > LARGEST_PERIOD_MS:
        message = (
            f"period_ms is a multiple of {PERIOD_STEP_MS} up to {LARGEST_PERIOD_MS:,}, not {period_ms:,}"
        )
        nearest = min(max(PERIOD_STEP_MS, round(period_ms, -2)), LARGEST_PERIOD_MS)
        raise TypeRuleError(message, argument="period_ms", hint=f"write {nearest}")


def _integer(name: str, summary: str, *aliases: str) -> Parameter:
    return Parameter(name, ParameterKind.INTEGER, summary, aliases=aliases)


def _choice(name: str, summary: str, choices: tuple[str, ...]) -> Parameter:
    return Parameter(name, ParameterKind.TEXT, summary, choices=choices)


_SOURCE = _integer("source", "which of the files given for this kind feeds it, counted from 0")
_PERIOD = _integer("period_ms", "milliseconds from one reading to the next when a board runs by itself")
_IMAGE_NAMES = ("width", "height", "pixel_format", "layout")

CAPABILITIES: Mapping[str, CapabilityKind] = {
    kind.name: kind
    for kind in (
        CapabilityKind(
            "RAW",
            "the bytes of a file as they are, little-endian",
            (_integer("length", "bytes of one sample; of text, bytes of one element"), _SOURCE),
            _raw,
        ),
        CapabilityKind(
            "RAND",
            "random numbers",
            (
                _integer("n", "how many numbers", "count"),
                _integer("seed", "where the sequence begins"),
                _PERIOD,
                _SOURCE,
            ),
            _rand,
        ),
        CapabilityKind(
            "SOUND",
            "samples of sound, one channel",
            (
                _integer("hz", "samples per second; 16000 unless given"),
                _integer("sample_duration_ms", "milliseconds of one sample"),
                _SOURCE,
            ),
            _sound,
        ),
        CapabilityKind(
            "IMAGE",
            "the pixels of an image",
            (
                _integer("width", "pixels of a row"),
                _integer("height", "rows"),
                _choice("pixel_format", "order of the colours", tuple(PIXEL_FORMATS)),
                _choice("layout", "order of the dimensions", LAYOUTS),
                _SOURCE,
            ),
            _image,
        ),
        CapabilityKind(
            "ACCEL",
            "rows of x, y and z from an accelerometer",
            (
                _integer("n", "rows of one sample", "samples"),
                _integer("hz", "rows per second"),
                _SOURCE,
            ),
            _accel,
        ),
        CapabilityKind(
            "TEMPERATURE",
            "the temperature of the board's chip in degrees Celsius",
            (_integer("n", "how many readings, one after the other", "count"), _PERIOD, _SOURCE),
            _temperature,
        ),
        CapabilityKind(
            "ADC",
            "readings of the board's analogue-to-digital converter, as it counts them",
            (
                Parameter("channel", ParameterKind.INTEGER, "which of its inputs", required=True),
                _integer("n", "how many readings, one after the other", "count"),
                _PERIOD,
                _SOURCE,
            ),
            _adc,
        ),
    )
}
