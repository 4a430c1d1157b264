"""What users hand in and get back: checked against the types of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from container.arrays import Array, from_bytes, to_bytes
from container.errors import UsageError
from container.execution import named_outputs
from container.manifest import Manifest, StageKind, StageRecord
from container.tensors import ElementType, TensorType


def samples_from_values(manifest: Manifest, inputs: Mapping[str, Any]) -> dict[str, bytes]:
    """The samples of all capabilities, by name.

    Raises UsageError where one is missing, there is one too many, or one is not of its capability's type.
    """
    capabilities = list(manifest.sources.values())
    _check_names(inputs, capabilities)
    return {stage.name: sample_from_value(stage, inputs[stage.name]) for stage in capabilities}


def sample_from_value(stage: StageRecord, value: Any) -> bytes:
    """The bytes of a capability's sample.  Raises UsageError that names the capability."""
    try:
        return checked_bytes(stage.outputs[0], value)
    except ValueError as error:
        raise UsageError(f"the input {stage.name!r}: {error}") from None


def checked_bytes(kind: TensorType, value: Any) -> bytes:
    """The bytes of an array (or number, or list) that has, or can exactly be given, the type `kind`.

    Raises ValueError that says what was expected.
    """
    array = _text(value) if kind.element is ElementType.UTF8 else _number(kind, value)
    squeezed = tuple(size for size in array.shape if size != 1)
    if squeezed != kind.squeezed:
        raise ValueError(f"has the shape {list(array.shape)}, expected {list(kind.shape)}")
    return to_bytes(kind, array)


def outputs_to_arrays(manifest: Manifest, outputs: Mapping[int, bytes]) -> dict[str, Array]:
    """Arrays by the names that users know the outputs by."""
    return {
        name: from_bytes(kind, outputs[port])
        for stage in manifest.of_kind(StageKind.OUT)
        for name, port, kind in named_outputs(stage)
    }


def _text(value: Any) -> Array:
    array = np.asarray(value)
    if not all(isinstance(item, str) for item in array.reshape(-1).tolist()):
        raise ValueError("expected text")
    return array


def _number(kind: TensorType, value: Any) -> Array:
    plain = not isinstance(value, (np.ndarray, np.generic))
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        raise ValueError("the lists have different lengths, or hold what is no number") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"has the element type {array.dtype}, expected {kind.element.dtype}")
    with np.errstate(all="ignore"):
        converted = array.astype(kind.element.dtype)
    if not (plain and array.dtype.kind == "f" and kind.element.is_float):
        _check_exact(kind, array, converted)
    return converted


def _check_exact(kind: TensorType, array: Array, converted: Array) -> None:
    """A conversion must not change a value: neither round nor wrap."""
    if array.dtype == converted.dtype:
        return
    with np.errstate(all="ignore"):
        back = converted.astype(array.dtype)
    same = (back == array) | ((back != back) & (array != array))
    if array.dtype.kind != kind.element.dtype[0] and kind.element.is_integer:
        same &= (converted < 0) == (array < 0)  # A sign that wraps comes back as it was.
    if not same.all():
        where = np.unravel_index(int(np.argmin(same)), array.shape)
        raise ValueError(
            f"has the element type {array.dtype}, expected {kind.element.dtype}, which cannot hold "
            f"{array[where]} at {[int(index) for index in where]}"
        )


def _check_names(inputs: Mapping[str, Any], capabilities: Sequence[StageRecord]) -> None:
    names = [stage.name for stage in capabilities]
    takes = ", ".join(f"`{stage.name}` {stage.outputs[0]}" for stage in capabilities) or "none"
    for name in inputs:
        if name not in names:
            raise UsageError(f"there is no input {name!r}", hint=f"the inputs are {takes}")
    for name in names:
        if name not in inputs:
            raise UsageError(f"the input {name!r} is missing", hint=f"the inputs are {takes}")
