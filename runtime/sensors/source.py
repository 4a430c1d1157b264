"""The seam between a pipeline and its sensors."""

from __future__ import annotations

from typing import Protocol, TypeVar

from container.errors import ContainerError, SensorError
from container.manifest import StageRecord

T = TypeVar("T", int, str)

MAXIMUM_FILE_BYTES = 256 << 20
"""The largest file that is read for a sensor."""


class SensorSource(Protocol):
    """Gives one sample per inference, as the bytes of the capability's type."""

    def sample(self) -> bytes: ...


class Repeated:
    """The same sample for each inference."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def sample(self) -> bytes:
        return self._data


class Windows:
    """Successive windows of a recording; when less than one is left it begins again."""

    def __init__(self, data: bytes, window_bytes: int) -> None:
        self._data = data
        self._window_bytes = window_bytes
        self._position = 0

    def sample(self) -> bytes:
        end = self._position + self._window_bytes
        if end > len(self._data):
            self._position, end = 0, self._window_bytes
        window = self._data[self._position : end]
        self._position = end
        return window


def argument(stage: StageRecord, name: str, kind: type[T]) -> T | None:
    """A capability's argument, `-` and `_` in its name being the same; None where it is not given.

    Raises ContainerError when it is of another type.
    """
    for key, value in stage.arguments.items():
        if key.replace("-", "_") == name:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ContainerError(
                    f"`{stage.name}`: the argument `{name}` is {value!r}, expected {kind.__name__}"
                )
            return value
    return None


def unfit(path: object, message: str, *, hint: str | None = None) -> SensorError:
    """A file that cannot feed its capability."""
    return SensorError(f"{path}: {message}", hint=hint)
