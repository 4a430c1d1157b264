"""The table of sensors and outputs that the agent reads."""

from __future__ import annotations

from container.abi import ABI_VERSION, Profile
from container.manifest import Argument, Manifest, MemoryPlan, OutputReference, StageKind, StageRecord
from container.tensors import ElementType, TensorType
from devices.aot.ports import port_table

F32 = TensorType(ElementType.F32, (2,))


def source(target: str, kind: TensorType, **arguments: Argument) -> StageRecord:
    return StageRecord("in", StageKind.CAPABILITY, target, outputs=(kind,), arguments=arguments, port=0)


def out(target: str, kind: TensorType, **arguments: Argument) -> StageRecord:
    given = (OutputReference("in", 0),)
    return StageRecord("out", StageKind.OUT, target, given, (kind,), arguments=arguments, port=3)


def entries(*stages: StageRecord) -> list[str]:
    plan = MemoryPlan(8, 0, 0, 0, 0, ())
    table = port_table(Manifest(ABI_VERSION, "guest", stages, (), {Profile.MCU: plan}, {}))
    return [line.strip(" {},") for line in table.splitlines() if line.startswith("  {")]


def test_sensors_of_the_board_and_of_the_host() -> None:
    u16 = TensorType(ElementType.U16, (3,))
    assert entries(source("ADC", u16, channel=5, period_ms=200)) == [
        "RUNE_PORT_SOURCE, RUNE_SOURCE_ADC, 2, 2, 0u, 6u, 5u, 0u",
        "RUNE_PORT_END, 0, 0, 0, 0, 0, 0, 0",
    ]
    assert entries(source("TEMPERATURE", F32))[0].startswith(
        "RUNE_PORT_SOURCE, RUNE_SOURCE_TEMPERATURE, 8, 0"
    )
    assert entries(source("RAND", F32))[0].startswith("RUNE_PORT_SOURCE, RUNE_SOURCE_RAND, 8, 0, 0u, 8u")
    assert entries(source("SOUND", u16))[0].startswith("RUNE_PORT_SOURCE, RUNE_SOURCE_HOST, 2")


def test_a_pin_that_follows_a_threshold() -> None:
    found = entries(source("RAND", F32), out("PIN", F32, pin=13, threshold=0.5))[1]
    assert found == "RUNE_PORT_OUTPUT, RUNE_OUTPUT_PIN_ABOVE, 8, 0, 3u, 8u, 13u, 1056964608u"  # 0x3f000000
    i8 = TensorType(ElementType.I8, (1,))
    assert entries(source("RAND", i8), out("PIN", i8, pin=1, threshold=-3))[1].endswith("1u, 4294967293u")


def test_a_pin_that_follows_a_label() -> None:
    text = TensorType(ElementType.UTF8, (1,), width=8)
    found = entries(source("RAW", text), out("PIN", text, pin=2, label='"}; int x'))[1]
    assert found == "RUNE_PORT_OUTPUT, RUNE_OUTPUT_PIN_LABEL, 10, 0, 3u, 8u, 2u, (uint32_t)rune_label_1"


def test_arguments_that_nobody_checked_stay_in_their_bounds() -> None:
    found = entries(
        source("ADC", F32, channel=1 << 40, period_ms=-5), out("PIN", F32, pin="x", threshold=1e300)
    )
    assert found[0].endswith("8, 0, 0u, 8u, 255u, 0u")
    assert found[1].endswith("3u, 8u, 0u, 2139095040u")  # infinity
