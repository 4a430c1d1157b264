"""A small container that the tests share: four bytes in, the same four bytes out."""

from __future__ import annotations

from container.abi import ABI_VERSION, Profile
from container.manifest import (
    Manifest,
    MemoryPlan,
    ModelRecord,
    OperatorRecord,
    OutputReference,
    StageKind,
    StageRecord,
)
from container.tensors import ElementType, Quantization, TensorType
from container.wasm import EMPTY_MODULE

FOUR = TensorType(ElementType.I8, (1, 4), Quantization((0.5,), (-3,)))
PAIR = TensorType(ElementType.F32, (2,))
WORD = TensorType(ElementType.UTF8, (1,), width=8)
PLAN = MemoryPlan(65536, 16, 64, 1024, 0, (OperatorRecord("conv2d", "net", 1200, 64),))


def manifest(**changes: object) -> Manifest:
    """A pipeline with a stage of each kind and an argument of each type."""
    stages = (
        StageRecord("features", StageKind.CAPABILITY, "RAW", outputs=(FOUR,), port=0),
        StageRecord(
            "net",
            StageKind.MODEL,
            "./net.tflite",
            inputs=(OutputReference("features", 0),),
            input_types=(FOUR,),
            outputs=(PAIR,),
            output_names=("scores",),
        ),
        StageRecord(
            "word",
            StageKind.PROC_BLOCK,
            "label",
            inputs=(OutputReference("net", 0),),
            input_types=(PAIR,),
            outputs=(WORD,),
            arguments={"labels": ("ja", "né\n"), "threshold": 0.1, "count": 1, "strict": True},
        ),
        StageRecord(
            "serial",
            StageKind.OUT,
            "SERIAL",
            inputs=(OutputReference("word", 0), OutputReference("net", 0)),
            input_types=(WORD, PAIR),
            port=0,
        ),
    )
    parts: dict[str, object] = {
        "abi": ABI_VERSION,
        "name": "sample",
        "stages": stages,
        "models": (ModelRecord("net", "./net.tflite", "tensorflow-lite", "ab" * 32, 1234, "MIT"),),
        "plans": {Profile.SIMD: PLAN, Profile.MCU: PLAN},
        "tools": {"rune": "0.1.0"},
    }
    return Manifest(**{**parts, **changes})  # type: ignore[arg-type]


MODULES = {Profile.SIMD: EMPTY_MODULE, Profile.MCU: EMPTY_MODULE}
