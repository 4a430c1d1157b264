"""Uses of proc blocks, many of which run in one container, since a build takes half a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.blocks.base import Block, use_of
from builder.catalog import CATALOG
from container.abi import Profile
from container.arrays import from_bytes, to_bytes
from container.manifest import Argument, OutputReference, StageKind, StageRecord
from container.tensors import ElementType, Quantization, TensorType
from runefile.pipeline import TypedPipeline
from runefile.signatures import BlockUse
from tests.builder.support import Array, container_of, run_container


@dataclass(frozen=True, eq=False)
class Case:
    """A block, what flows into it, and the type of each output as its rule infers them."""

    block: Block
    inputs: tuple[Array, ...]
    use: BlockUse
    outputs: tuple[TensorType, ...]

    @property
    def reference(self) -> list[Array]:
        """What NumPy says must come out, text as `str`."""
        carried = [
            np.frombuffer(to_bytes(kind, value), kind.element.dtype).reshape(kind.array_shape)
            for kind, value in zip(self.use.inputs, self.inputs, strict=True)
        ]
        found = self.block.reference(carried, use_of(self.stage("block", ())), self.outputs)
        assert [value.dtype.name for value in found] == [kind.element.dtype for kind in self.outputs]
        return [
            from_bytes(kind, np.ascontiguousarray(value).tobytes())
            for kind, value in zip(self.outputs, found, strict=True)
        ]

    def stage(self, name: str, inputs: Sequence[OutputReference]) -> StageRecord:
        return StageRecord(
            name,
            StageKind.PROC_BLOCK,
            self.block.name,
            inputs=tuple(inputs),
            input_types=self.use.inputs,
            outputs=self.outputs,
            arguments=self.use.arguments,
        )


def tensor(
    element: str, *shape: int, scale: float | None = None, zero_point: int = 0, width: int | None = None
) -> TensorType:
    quantization = None if scale is None else Quantization((scale,), (zero_point,))
    return TensorType(ElementType(element), shape, quantization, width)


def use_block(
    name: str,
    *inputs: TensorType,
    declared: Sequence[TensorType | None] = (None,),
    consumer: TensorType | None = None,
    **arguments: Argument,
) -> tuple[Block, BlockUse]:
    """A built-in block and one use of it, defaults filled in; `_` in an argument stands for `-`."""
    block = CATALOG.find(name)
    assert block is not None
    return block, _use(block, inputs, declared, consumer, arguments)


def infer(name: str, *inputs: TensorType, **rest: Any) -> tuple[TensorType, ...]:
    """What the block's rule says of a use."""
    block, use = use_block(name, *inputs, **rest)
    return block.infer(use)


def case(
    name: str | Block,
    *values: Array | Sequence[Any],
    types: Sequence[TensorType] | None = None,
    declared: Sequence[TensorType | None] = (None,),
    consumer: TensorType | None = None,
    **arguments: Argument,
) -> Case:
    """A use on these values, whose types are those of the arrays unless given."""
    block = CATALOG.find(name) if isinstance(name, str) else name
    assert block is not None
    arrays = tuple(np.asarray(value) for value in values)
    kinds = tuple(types) if types else tuple(_type(array) for array in arrays)
    use = _use(block, kinds, declared, consumer, arguments)
    return Case(block, arrays, use, block.infer(use))


def run_cases(cases: Sequence[Case]) -> dict[Profile, list[list[Array]]]:
    """The outputs of each case in each profile, all from one container."""
    container = container_of(pipeline_of(cases))
    sample = [value for each in cases for value in each.inputs]
    found = {}
    for profile in container.modules:
        (outputs,) = run_container(container, profile, [sample])
        iterator = iter(outputs)
        found[profile] = [[next(iterator) for _ in each.outputs] for each in cases]
    return found


def check(cases: Sequence[Case], tolerance: float = 0.0) -> None:
    """Each output of each case equals its NumPy reference, in both profiles."""
    references = [each.reference for each in cases]
    for profile, results in run_cases(cases).items():
        for each, found, reference in zip(cases, results, references, strict=True):
            where = f"{each.block.name} of {each.use.inputs[0]} with {dict(each.use.arguments)}, {profile}"
            for value, wanted in zip(found, reference, strict=True):
                if tolerance:
                    np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=0, err_msg=where)
                else:
                    np.testing.assert_array_equal(value, wanted, err_msg=where)


def pipeline_of(cases: Sequence[Case]) -> TypedPipeline:
    """One pipeline with a sensor for each input and an OUT stage for each case."""
    sensors: list[StageRecord] = []
    stages: list[StageRecord] = []
    outs: list[StageRecord] = []
    port = 0
    for number, each in enumerate(cases):
        references = []
        for kind in each.use.inputs:
            name = f"in{len(sensors)}"
            sensors.append(StageRecord(name, StageKind.CAPABILITY, "RAW", outputs=(kind,), port=len(sensors)))
            references.append(OutputReference(name, 0))
        stages.append(each.stage(f"block{number}", references))
        results = tuple(OutputReference(f"block{number}", k) for k in range(len(each.outputs)))
        outs.append(
            StageRecord(
                f"out{number}", StageKind.OUT, "TENSOR", inputs=results, input_types=each.outputs, port=port
            )
        )
        port += len(each.outputs)
    blocks = {f"block{number}": each.block for number, each in enumerate(cases)}
    return TypedPipeline("test", (*sensors, *stages, *outs), {}, blocks)


def _use(
    block: Block,
    inputs: Sequence[TensorType],
    declared: Sequence[TensorType | None],
    consumer: TensorType | None,
    arguments: dict[str, Argument],
) -> BlockUse:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    values = {p.name: p.default for p in block.parameters if p.default is not None}
    for parameter in block.parameters:
        if parameter.name.replace("_", "-") in given:
            values[parameter.name] = given.pop(parameter.name.replace("_", "-"))
    assert not given, f"{block.name} has no arguments {sorted(given)}"
    return BlockUse(tuple(inputs), values, tuple(declared), consumer)


def _type(array: Array) -> TensorType:
    if array.dtype.kind in "UO":
        width = max(1, *(len(str(text).encode()) for text in array.reshape(-1)))
        return TensorType(ElementType.UTF8, array.shape, width=width)
    return TensorType(ElementType.from_dtype(array.dtype.name), array.shape)
