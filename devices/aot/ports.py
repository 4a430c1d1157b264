"""Sensors and outputs of a container in C: the `struct rune_port` of firmware/core/container_abi.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from container.manifest import Argument, Manifest, StageRecord
from container.tensors import ElementType, TensorType

_SOURCES = {"RAND": "RUNE_SOURCE_RAND", "TEMPERATURE": "RUNE_SOURCE_TEMPERATURE", "ADC": "RUNE_SOURCE_ADC"}
"""The capabilities that a board may have itself; samples of all others come from the host."""
PERIOD_STEP_MS = 100
_ELEMENTS = tuple(ElementType)


@dataclass(frozen=True)
class Port:
    """A sensor or an output, with the words of container_abi.h."""

    direction: str
    kind: str
    number: int
    type: TensorType
    period: int = 0
    """In steps of 100 ms."""
    argument: int = 0
    threshold: int = 0
    """Its 32 bits."""
    label: str | None = None

    def initializer(self, label: str) -> str:
        """`label` is the C name of its label, if it has one."""
        threshold = f"{self.threshold}u" if self.label is None else f"(uint32_t){label}"
        element, size = _ELEMENTS.index(self.type.element), self.type.bytes
        return (
            f"{{{self.direction}, {self.kind}, {element}, {self.period}, {self.number}u, {size}u, "
            f"{self.argument}u, {threshold}}}"
        )


def ports_of(manifest: Manifest) -> list[Port]:
    """All sensors, then all outputs."""
    ports = [_source(number, stage) for number, stage in sorted(manifest.sources.items())]
    for stage in manifest.stages:
        if stage.kind == "out":
            ports += [_output(stage, position, kind) for position, kind in enumerate(stage.input_types)]
    return ports


def port_table(manifest: Manifest) -> str:
    """C that defines `rune_ports`."""
    lines, entries = [], []
    for position, port in enumerate(ports_of(manifest)):
        name = f"rune_label_{position}"
        if port.label is not None:
            text = ",".join(str(byte) for byte in port.label.encode() + b"\0")
            lines.append(f"static const uint8_t {name}[] = {{{text}}};")
        entries.append(port.initializer(name))
    entries.append("{RUNE_PORT_END, 0, 0, 0, 0, 0, 0, 0}")
    table = ",\n  ".join(entries)
    return "\n".join([*lines, f"const struct rune_port rune_ports[] = {{\n  {table},\n}};"]) + "\n"


def _source(number: int, stage: StageRecord) -> Port:
    return Port(
        "RUNE_PORT_SOURCE",
        _SOURCES.get(stage.target, "RUNE_SOURCE_HOST"),
        number,
        stage.outputs[0],
        period=_integer(stage.arguments.get("period_ms"), 255 * PERIOD_STEP_MS) // PERIOD_STEP_MS,
        argument=_integer(stage.arguments.get("channel"), 255),
    )


def _output(stage: StageRecord, position: int, kind: TensorType) -> Port:
    number, arguments = (stage.port or 0) + position, stage.arguments
    if stage.target != "PIN":
        return Port("RUNE_PORT_OUTPUT", "RUNE_OUTPUT_HOST", number, kind)
    pin, label = _integer(arguments.get("pin"), 255), arguments.get("label")
    if isinstance(label, str):
        return Port("RUNE_PORT_OUTPUT", "RUNE_OUTPUT_PIN_LABEL", number, kind, argument=pin, label=label)
    threshold = _threshold(arguments.get("threshold"), kind.element)
    return Port("RUNE_PORT_OUTPUT", "RUNE_OUTPUT_PIN_ABOVE", number, kind, argument=pin, threshold=threshold)


def _integer(value: Argument | None, largest: int) -> int:
    """An argument that the container's maker checked, and that another may have made up."""
    return min(max(value, 0), largest) if isinstance(value, int) else 0


def _threshold(value: Argument | None, element: ElementType) -> int:
    """The 32 bits of a threshold."""
    number = float(value) if isinstance(value, (int, float)) else 0.0
    if element.is_float:
        try:
            return int.from_bytes(struct.pack("<f", number), "little")
        except OverflowError:
            return 0x7F800000 if number > 0 else 0xFF800000
    low, high = (-(1 << 31), (1 << 31) - 1) if element.value.startswith("i") else (0, (1 << 32) - 1)
    return min(max(round(number), low), high) & 0xFFFFFFFF
