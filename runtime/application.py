"""A container, loaded and ready to run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from container.abi import Profile
from container.errors import ContainerError, RuneError, UsageError
from container.execution import samples_by_port
from runtime.interface import Result
from runtime.limits import Limits
from runtime.process import Worker

if TYPE_CHECKING:
    # Imported later: the worker makes its own start meanwhile.
    from container.arrays import Array
    from container.manifest import Manifest
    from container.sections import Container

Answer = TypeVar("Answer")


class Application:
    """A container that runs in a process of its own.

        with Application.load("kws.rune") as application:
            outputs = application.run({"features": features})

    What a container remembers from one inference for the next, when its models work on streams, lasts until
    `reset`.  A container that is ended by a limit or a trap is started afresh by the next inference.  Safe to
    use from several threads; inferences run one after another.
    """

    def __init__(
        self,
        container: Container,
        *,
        profile: Profile | str | None = None,
        limits: Limits | None = None,
        worker: Worker | None = None,
    ) -> None:
        """Compile a container and set it up.  Raises ContainerError, LimitError, UsageError.

        `worker` is a process that was started beforehand, with the same limits.
        """
        self.container = container
        self.profile = choose_profile(container, profile)
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._closed = False
        self._worker: Worker | None = self._start(worker)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        profile: Profile | str | None = None,
        limits: Limits | None = None,
        worker: Worker | None = None,
    ) -> Application:
        """Load a `.rune` file.

        `profile` is `simd` or `mcu`; left out, it is `simd` where the container has it.  `worker` is a
        process that was started beforehand, with the same limits.  Raises ContainerError, LimitError;
        UsageError for a profile there is not.
        """
        worker = worker or Worker(limits or Limits())
        try:
            from container.sections import load

            return cls(load(path), profile=profile, limits=limits, worker=worker)
        except ContainerError as error:
            worker.close()
            raise _named(error, path) from None
        except BaseException:
            worker.close()
            raise

    @property
    def manifest(self) -> Manifest:
        """What the container says of itself."""
        return self.container.manifest

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """One inference.

        `inputs` has an array, or a number or list, for each capability stage by name.  An array must have the
        capability's element type or hold values that it can represent exactly, and its shape up to dimensions
        of size one; plain Python numbers are rounded to the float type.

        Returns an array per output, by the name of the OUT stage, or `NAME.K` for its K-th input where it has
        several.  Text comes as an array of `str`.  Raises UsageError, TrapError, LimitError.
        """
        from container.values import outputs_to_arrays, samples_from_values

        samples = samples_from_values(self.manifest, inputs)
        return outputs_to_arrays(self.manifest, self.infer(samples).outputs)

    def infer(self, samples: Mapping[str, bytes]) -> Result:
        """One inference on the very bytes of each capability's sample.  Raises as `run` does."""
        by_port = samples_by_port(self.manifest, samples)
        with self._lock:
            return self._ask(lambda worker: worker.run(by_port))

    def reset(self) -> None:
        """Forget what earlier inferences left behind: the next one is as the first.

        Raises LimitError, and UsageError when the application is closed.
        """
        with self._lock:
            self._ask(Worker.reset)

    def operator(self) -> int | None:
        """The number of the operator at work, seen from outside; None where the system does not tell."""
        worker = self._worker
        return worker.operator() if worker is not None else None

    def close(self) -> None:
        """End the process.  An application that is closed runs no more."""
        self._closed = True
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def __enter__(self) -> Application:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, worker: Worker | None = None) -> Worker:
        worker = worker or Worker(self._limits)
        try:
            worker.load(self.container, self.profile)
            worker.wait_loaded()
        except BaseException:
            worker.close()
            raise
        return worker

    def _ask(self, question: Callable[[Worker], Answer]) -> Answer:
        """What the worker answers; one that fails is ended, and the next question is for another."""
        if self._closed:
            raise UsageError("the application is closed")
        if self._worker is None:
            self._worker = self._start()
        try:
            return question(self._worker)
        except BaseException:
            self._worker.close()
            self._worker = None
            raise


def choose_profile(container: Container, wanted: Profile | str | None) -> Profile:
    """The profile to run.  Raises UsageError when the container has not the one that is wanted."""
    held = [profile for profile in Profile if profile in container.modules]
    if wanted is None:
        return held[0]
    if wanted not in held:
        raise UsageError(
            f"{container.manifest.name!r} has no profile {str(wanted)!r}; it has {' and '.join(held)}",
            hint=f"build it in with `rune build --profile {wanted}`" if wanted in list(Profile) else None,
        )
    return Profile(wanted)


def _named(error: RuneError, path: Path | str) -> RuneError:
    message = error.message if error.message.startswith(str(path)) else f"{path}: {error.message}"
    return type(error)(message, hint=error.hint)
