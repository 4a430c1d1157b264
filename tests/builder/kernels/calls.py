"""Runs calls of operators with arguments of one's choice, all in one container, in both profiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from builder.blocks.base import Block, Emitter
from container.abi import Profile
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import ElementType, TensorType
from runefile.pipeline import TypedPipeline
from runefile.signatures import BlockUse
from tests.builder.kernels.vectors import Array
from tests.builder.support import container_of, run_container

FLOAT_TOLERANCE = 1e-5
"""Of the largest magnitude that is expected: kernels add up in different orders."""

Bind: TypeAlias = Callable[[Any], Any]
"""Binds a Relax expression to a variable, which is what other expressions may use."""
Express: TypeAlias = Callable[[Bind, Sequence[Any]], Any]
"""The result, as a Relax expression, of variables that hold the inputs."""


@dataclass(frozen=True)
class KernelCall:
    """One or several operators on inputs, and what must come out."""

    case: str
    inputs: tuple[Array, ...]
    express: Express = field(repr=False)
    expected: Array = field(repr=False)
    """In the order of memory; its shape is not looked at."""


class Calls(Block):
    """A proc block whose code is the calls, one after the other."""

    name = "calls"
    summary = "Calls of operators"

    def __init__(self, calls: Sequence[KernelCall]) -> None:
        self._calls = calls

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        return tuple(_type(call.expected) for call in self._calls)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        remaining = iter(inputs)
        results = []
        for call in self._calls:
            arguments = [next(remaining) for _ in call.inputs]
            bind = partial(emit, name=call.case)
            results.append(bind(call.express(bind, arguments)))
        return results


def differences(calls: Sequence[KernelCall]) -> dict[str, str]:
    """The cases whose result is not what was expected, and how it differs."""
    found: dict[str, str] = {}
    container = container_of(_pipeline(calls))
    sample = [array for call in calls for array in call.inputs]
    for profile in Profile:
        (results,) = run_container(container, profile, [sample])
        for call, result in zip(calls, results, strict=True):
            how = difference(result.reshape(-1), call.expected.reshape(-1))
            if how:
                found[call.case] = f"{profile}: {how}"
    return found


def difference(found: Array, expected: Array) -> str | None:
    """How two results in the order of memory differ; None where they are equal."""
    if expected.dtype.kind == "f":
        allowed = FLOAT_TOLERANCE * float(np.abs(expected).max())
        wrong = ~(np.abs(found - expected) <= allowed)
    else:
        wrong = found != expected
    if not wrong.any():
        return None
    first = int(np.argmax(wrong))
    return (
        f"{int(wrong.sum())} of {expected.size} elements, the first at {first}: "
        f"{found[first]} instead of {expected[first]}"
    )


def _pipeline(calls: Sequence[KernelCall]) -> TypedPipeline:
    """Sensors for each input, the calls, and one OUT stage that takes all of their results."""
    inputs = tuple(_type(array) for call in calls for array in call.inputs)
    outputs = tuple(_type(call.expected) for call in calls)
    sensors = tuple(
        StageRecord(f"in{k}", StageKind.CAPABILITY, "RAW", outputs=(kind,), port=k)
        for k, kind in enumerate(inputs)
    )
    block = StageRecord(
        "calls",
        StageKind.PROC_BLOCK,
        "calls",
        inputs=tuple(OutputReference(sensor.name, 0) for sensor in sensors),
        input_types=inputs,
        outputs=outputs,
    )
    out = StageRecord(
        "out",
        StageKind.OUT,
        "TENSOR",
        inputs=tuple(OutputReference("calls", k) for k in range(len(outputs))),
        input_types=outputs,
        port=0,
    )
    return TypedPipeline("kernels", (*sensors, block, out), {}, {"calls": Calls(calls)})


def _type(array: Array) -> TensorType:
    return TensorType(ElementType.from_dtype(array.dtype.name), array.shape)
