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
from dataclasses import asdict
from pathlib import Path

from container import errors
from container.abi import Profile
from container.errors import LimitError, RuneError, TrapError
from container.manifest import MemoryPlan
from container.sections import Container
from runtime import protocol
from runtime.limits import Limits
from runtime.progress import position
from runtime.result import Result

_PACKAGES = str(Path(__file__).resolve().parents[1])
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from runtime.worker import main; main()"
_EXIT_GRACE_S = 2.0
"""How long a worker may take to see that its pipe is closed."""


class Worker:
    """A process that holds one profile of one container.  Any error ends it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._plan: MemoryPlan | None = None
        self._progress = 0
        life, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, _PACKAGES, str(life)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(life,),
                bufsize=0,
            )
        except OSError as error:
            os.close(self._life)
            raise RuneError(f"no process can be started: {error.strerror}") from None
        finally:
            os.close(life)
        self.close = weakref.finalize(self, _end, self._process, self._life)
        """Ends the process; harmless when it is ended already."""

    def load(self, container: Container, profile: Profile) -> None:
        """Have the container compiled and set up; `wait_loaded` tells how that went."""
        header = {"kind": "load", "profile": profile, "limits": asdict(self._limits)}
        self._plan = container.manifest.plans[profile]
        self._send(header, [container.manifest.to_json(), container.modules[profile]])

    def wait_loaded(self) -> None:
        """Raises ContainerError, LimitError."""
        reply = self._receive(self._limits.load_s, "to load")
        self._progress = reply.header["progress"]

    def run(self, inputs: Mapping[int, bytes]) -> Result:
        """One inference.  Raises TrapError, LimitError."""
        self._send({"kind": "run", "ports": list(inputs)}, list(inputs.values()))
        reply = self._receive(self._limits.deadline_s, "for an inference")
        outputs = dict(zip(reply.header["ports"], reply.parts, strict=True))
        return Result(outputs, reply.header["elapsed_ns"], reply.header["fuel"])

    def operator(self) -> int | None:
        """The number in the progress cell, read from outside; None where the system does not let us."""
        try:
            with Path(f"/proc/{self._process.pid}/mem").open("rb", buffering=0) as memory:
                return int.from_bytes(os.pread(memory.fileno(), 4, self._progress), "little")
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
            raise _error(reply)
        return reply

    def _late(self, time_s: float, purpose: str) -> LimitError:
        operator = self.operator() if self._progress else None
        where = (
            f" {position(self._plan, operator)}" if self._plan is not None and operator is not None else ""
        )
        self.close()
        return LimitError(
            f"the container was ended{where}: it took longer than {time_s:g} s {purpose}",
            hint="if it is meant to take that long, allow a longer deadline",
        )

    def _crashed(self) -> TrapError:
        self.close()
        status = self._process.returncode
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        return TrapError(f"the process that ran the container ended {how}")


def _error(reply: protocol.Message) -> RuneError:
    """The exception that the worker met."""
    kind: type[RuneError] = getattr(errors, reply.header["error"])
    return kind(reply.header["message"], hint=reply.header["hint"])


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
