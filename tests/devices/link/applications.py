"""A container, its images, and the board that computes what it would: eight bytes in, each doubled, twelve
out."""

from __future__ import annotations

import random
from collections.abc import Mapping

from container.abi import ABI_VERSION, Profile
from container.golden import GoldenVector, encode
from container.manifest import Manifest, MemoryPlan, OperatorRecord, OutputReference, StageKind, StageRecord
from container.sections import Container, seal
from container.tensors import ElementType, TensorType
from container.wasm import EMPTY_MODULE
from devices.image import BoardImage, ImageHeader
from tests.devices.link.fake_board import FakeBoard

INPUT = TensorType(ElementType.U8, (8,))
LARGE = TensorType(ElementType.U8, (700,))
SMALL = TensorType(ElementType.U8, (4,))
SOURCE, LARGE_PORT, SMALL_PORT = 3, 5, 6


def compute(samples: Mapping[int, bytes]) -> dict[int, bytes]:
    """Larger than a packet, and smaller."""
    doubled = bytes(2 * byte % 256 for byte in samples[SOURCE])
    return {LARGE_PORT: (doubled * 100)[: LARGE.bytes], SMALL_PORT: doubled[: SMALL.bytes]}


def container(
    name: str = "doubler", *, target: str = "RAW", wrong: bool = False, state_bytes: int = 0
) -> Container:
    """`wrong` seals golden vectors that are not met; with `state_bytes` it remembers earlier inferences."""
    stages = (
        StageRecord("numbers", StageKind.CAPABILITY, target, outputs=(INPUT,), port=SOURCE),
        StageRecord(
            "serial",
            StageKind.OUT,
            "SERIAL",
            inputs=(OutputReference("numbers", 0), OutputReference("numbers", 0)),
            input_types=(LARGE, SMALL),
            port=LARGE_PORT,
        ),
    )
    operators = (OperatorRecord("double", "numbers", 0, 8), OperatorRecord("write", "serial", 0, 8))
    plan = MemoryPlan(1024, 16, 64, 64, 0, operators, state_bytes)
    about = Manifest(
        ABI_VERSION, name, stages, (), {Profile.MCU: plan}, {"rune": "0"}, golden_engines=("by hand",)
    )
    samples = [bytes(range(start, start + 8)) for start in (0, 100, 200)]
    vectors = []
    for sample in samples:
        outputs = compute({SOURCE: sample})
        outputs[SMALL_PORT] = bytes(4) if wrong else outputs[SMALL_PORT]
        vectors.append(GoldenVector({"numbers": sample}, outputs, "by hand"))
    return Container.parse(seal(about, {Profile.MCU: EMPTY_MODULE}, encode(vectors)))


def image(app: Container, slot: int, *, size: int = 3001, board: str = "nrf52840") -> BoardImage:
    """Not code, but as long as some, and different for each slot and container."""
    address = (0x10000, 0x80000)[slot]
    digest = bytes.fromhex(app.digest)
    body = random.Random(digest + bytes([slot])).randbytes(size)
    header = ImageHeader(
        board, address, address + 128, 0x20000000, 4096, 512, 0x20000200, address + 128, digest
    )
    return BoardImage(header, body)


def board(**options: object) -> FakeBoard:
    return FakeBoard({SOURCE: INPUT.bytes}, compute, **options)  # type: ignore[arg-type]


def holding(app: Container, slot: int = 0, **options: object) -> FakeBoard:
    """A board on which a container is active and confirmed."""
    found = board(**options)
    found.slots[slot].data = image(app, slot).encode()
    found.slots[slot].confirmed = True
    found.power_cycle()
    found.resets = 0
    return found
