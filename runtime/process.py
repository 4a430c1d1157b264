"""The host's side of a worker process: start it, ask it, end it when its time is up.

A deadline kept from outside costs a container nothing; counting fuel or epochs inside of its loops costs
about half of their speed (benchmarks/metering.py).  A process also keeps the host whole should
wasmtime crash.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container import errors
from container.abi import PROGRESS_BYTES, Profile
from container.errors import ContainerError, LimitError, RuneError, TrapError
from container.execution import check_outcome, where_it_ended
from container.wasm import START, sections
from runtime import protocol
from runtime.interface import Interface, Result
from runtime.limits import Limits

if TYPE_CHECKING:
    from container.manifest import Manifest
    from container.sections import Container

_PACKAGES = str(Path(__file__).resolve().parents[1])
_BOOT = "import sys; sys.path[:0] = sys.argv[2:]; from runtime.worker import main; main()"
_EXIT_GRACE_S = 2.0
"""How long a worker may take to see that its pipe is closed."""


class Worker:
    """A process that holds one profile of one container.  Any error ends it."""

    def __init__(self, limits: Limits) -> None:
        limits.check()
        self._limits = limits
        self._progress = 0
        try:
            self._process, life = _spawn()
        except OSError as error:
            raise RuneError(f"no process can be started: {error.strerror}") from None
        self.close = weakref.finalize(self, _end, self._process, life)
        """Ends the process; harmless when it is ended already."""

    def load(self, container: Container, profile: Profile) -> None:
        """Have the container compiled and set up; `wait_loaded` tells how that went.

        Raises ContainerError, LimitError.
        """
        _refuse_start(container.modules[profile])
        self._manifest = container.manifest
        self._operators = container.manifest.plans[profile].operators
        interface = _interface(container.manifest, profile, self._limits)
        _check_traffic(interface)
        self._send({"interface": interface._asdict()}, [container.modules[profile]])

    def wait_loaded(self) -> None:
        """Raises ContainerError, LimitError."""
        reply = self._receive(self._limits.load_s, "to load")
        self._progress = reply.header["progress"]

    def reset(self) -> None:
        """Make a new instance of the container, which remembers nothing.

        Raises ContainerError, LimitError.
        """
        self._send({"reset": True}, [])
        self.wait_loaded()

    def run(self, inputs: Mapping[int, bytes]) -> Result:
        """One inference.  Raises TrapError, LimitError."""
        self._send({"ports": list(inputs)}, list(inputs.values()))
        header, parts = self._receive(self._limits.deadline_s, "for an inference")
        outputs = dict(zip(header["ports"], parts, strict=True))
        result = Result(header["code"], outputs, header["elapsed_ns"], header["fuel"])
        check_outcome(self._manifest, result.code, outputs)
        return result

    def operator(self) -> int | None:
        """The number in the progress cell, read from outside; None where the system does not let us."""
        try:
            with Path(f"/proc/{self._process.pid}/mem").open("rb", buffering=0) as memory:
                return int.from_bytes(os.pread(memory.fileno(), PROGRESS_BYTES, self._progress), "little")
        except OSError:
            return None

    def _send(self, header: Mapping[str, object], parts: list[bytes]) -> None:
        assert self._process.stdin is not None
        try:
            protocol.send(self._process.stdin.fileno(), header, parts)
        except protocol.ClosedError:
            raise self._crashed() from None

    def _receive(self, time_s: float, purpose: str) -> protocol.Message:
        assert self._process.stdout is not None
        try:
            reply = protocol.receive(self._process.stdout.fileno(), time.monotonic() + time_s)
        except protocol.DeadlineError:
            raise self._late(time_s, purpose) from None
        except protocol.ClosedError:
            raise self._crashed() from None
        except BaseException:
            self.close()
            raise
        if "error" in reply.header:
            self.close()
            raise self._error(reply.header)
        return reply

    def _late(self, time_s: float, purpose: str) -> LimitError:
        where = (
            where_it_ended(self._operators, self.operator()) if self._progress else "the container was ended"
        )
        self.close()
        return LimitError(
            f"{where}: it took longer than {time_s:g} s {purpose}",
            hint="if it is meant to take that long, allow a longer deadline",
        )

    def _error(self, header: Mapping[str, Any]) -> RuneError:
        """The exception that the worker met."""
        kind: type[RuneError] = getattr(errors, header["error"])
        message = header["message"]
        if header["operator"] is not None:
            message = f"{where_it_ended(self._operators, header['operator'])}: {message}"
        return kind(message, hint=header["hint"])

    def _crashed(self) -> TrapError:
        self.close()
        status = self._process.returncode
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        return TrapError(f"the process that ran the container ended {how}")


def _interface(manifest: Manifest, profile: Profile, limits: Limits) -> Interface:
    plan = manifest.plans[profile]
    return Interface(
        sources={port: stage.outputs[0].bytes for port, stage in manifest.sources.items()},
        sinks={port: kind.bytes for port, kind in manifest.output_types.items()},
        simd=profile is Profile.SIMD,
        planned_memory_bytes=plan.linear_memory,
        maximum_memory_bytes=limits.memory_bytes,
        progress=plan.progress,
        fuel=limits.fuel,
    )


def _refuse_start(module: bytes) -> None:
    if any(section.identifier == START for section in sections(module)):
        raise ContainerError("the module has a start function: a container's only entry is `run`")


def _check_traffic(interface: Interface) -> None:
    """Samples and outputs are held in memory here too, and their types are the container's word."""
    total = sum(interface.sources.values()) + sum(interface.sinks.values())
    if total > interface.maximum_memory_bytes:
        raise LimitError(
            f"an inference of the container takes and gives {total:,} bytes, "
            f"the limit is {interface.maximum_memory_bytes:,}"
        )


def _spawn() -> tuple[subprocess.Popen[bytes], int]:
    """A worker process, and the pipe whose end it takes for ours.

    It is told where packages lie, and so spares itself Python's search for them (`-S`).
    """
    packages = [_PACKAGES, *(path for path in sys.path if Path(path).is_absolute())]
    theirs, ours = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-S", "-c", _BOOT, str(theirs), *packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs,),
            bufsize=0,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def _end(process: subprocess.Popen[bytes], life: int) -> None:
    """End the process whatever it is doing, and leave neither a zombie nor an open pipe."""
    os.close(life)
    try:
        process.wait(_EXIT_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
