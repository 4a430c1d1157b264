"""The board's own loop in an AVR image: macros that say what it reads, and which pins follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.manifest import Manifest
from container.tensors import ElementType
from devices.aot.ports import PERIOD_STEP_MS, Port, ports_of
from devices.board import Board

_SENSORS = {"RUNE_SOURCE_RAND": "RAND", "RUNE_SOURCE_ADC": "ADC"}
"""Those that these chips have, by the kind of the port; `fill_NAME` in firmware/avr/loop.c reads them."""
_ELEMENTS = {
    ElementType.U8: ("uint8_t", "uint32_t"),
    ElementType.I8: ("int8_t", "int32_t"),
    ElementType.U16: ("uint16_t", "uint32_t"),
    ElementType.I16: ("int16_t", "int32_t"),
    ElementType.U32: ("uint32_t", "uint32_t"),
    ElementType.I32: ("int32_t", "int32_t"),
    ElementType.F32: ("float", "float"),
}
"""What is compared with a threshold: the type of an element, and that of the threshold."""


@dataclass(frozen=True)
class Loop:
    """What is compiled into the image of a container that runs by itself."""

    capabilities: tuple[str, ...]
    """Sensors and outputs of the board that it uses, as facts name them."""
    header: str
    """For `image.h`."""


def loop_of(manifest: Manifest, board: Board) -> Loop | None:
    """None where a sensor is not the board's, or there is none: then the host feeds the container."""
    ports = ports_of(manifest)
    sources = [port for port in ports if port.direction == "RUNE_PORT_SOURCE"]
    if not sources or not all(_has(port) for port in sources):
        return None
    pins = [line for port in ports if (line := _pin(port, board)) is not None]
    sensors = sorted({_SENSORS[port.kind].lower() for port in sources})
    return Loop((*sensors, *(["pin"] if pins else [])), _header(sources, pins))


def _has(port: Port) -> bool:
    """Whether the chip has a sensor, and readings of it have this type."""
    return port.kind in _SENSORS and (port.kind != "RUNE_SOURCE_ADC" or port.type.element is ElementType.U16)


def _header(sources: Sequence[Port], pins: Sequence[str]) -> str:
    sensors = " ".join(f"SOURCE({port.number}, {_SENSORS[port.kind]}, {port.argument})" for port in sources)
    return f"""\
#define IMAGE_LOOPS 1
#define IMAGE_PERIOD_MS {PERIOD_STEP_MS * max(port.period for port in sources)}UL
#define IMAGE_SOURCES(SOURCE) {sensors}
#define IMAGE_PINS(ABOVE, LABEL) {" ".join(pins)}"""


def _pin(port: Port, board: Board) -> str | None:
    """What makes a pin of the board follow an output; None where it has no such pin, or nothing to follow."""
    if port.kind not in ("RUNE_OUTPUT_PIN_ABOVE", "RUNE_OUTPUT_PIN_LABEL"):
        return None
    if port.argument >= len(board.chip.pins):
        return None
    pin = board.chip.pins[port.argument]
    letter, bit = pin[0], pin[1]
    if port.label is not None:
        text = "".join(f"\\{byte:03o}" for byte in port.label.encode())
        return f'LABEL({port.number}, "{text}", {letter}, {bit})'
    if port.type.element not in _ELEMENTS:
        return None
    element, wide = _ELEMENTS[port.type.element]
    return f"ABOVE({port.number}, {element}, {wide}, {port.threshold}UL, {letter}, {bit})"
