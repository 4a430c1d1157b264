"""The process a container runs in.

It answers requests on standard input and output, see runtime/protocol.py.  A pipe that nothing is ever
written to tells when the host process is gone: a thread waits for its end and then ends this process,
whatever the container is doing (wasmtime releases the interpreter while a container runs).
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from container.cache import cache_folder
from container.errors import RuneError
from runtime import protocol
from runtime.cache import ModuleCache
from runtime.interface import Interface

if TYPE_CHECKING:
    from runtime.engine import Guest

MAXIMUM_DATA_BYTES = 4 << 30
"""Memory that the process may write to: linear memory, the compiler's and the interpreter's own."""


def main() -> None:
    """Serve until the host process closes the pipe.  The one argument is the pipe that tells of its end."""
    _confine()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle.
    threading.Thread(target=_end_with_host, args=(int(sys.argv[1]),), daemon=True).start()
    requests, replies = os.dup(0), os.dup(1)
    _silence()
    try:
        _serve(requests, replies)
    except protocol.ClosedError:
        os._exit(0)


def _confine() -> None:
    """A module that wasmtime chokes on must not take the machine's memory, nor leave a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > MAXIMUM_DATA_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (MAXIMUM_DATA_BYTES, MAXIMUM_DATA_BYTES))


def _end_with_host(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(0)


def _silence() -> None:
    """Whatever a library prints must not mix with the replies."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _serve(requests: int, replies: int) -> None:
    guest: Guest | None = None
    with suppress(ImportError):
        # While the host reads the container.  That it fails is told when one is to be loaded.
        import runtime.engine  # noqa: F401
    while True:
        message = protocol.receive(requests)
        try:
            if guest is None:
                guest = _load(message)
                protocol.send(replies, {"progress": guest.progress_address})
            elif "reset" in message.header:
                guest.reset()
                protocol.send(replies, {"progress": guest.progress_address})
            else:
                _run(guest, message, replies)
        except RuneError as error:
            operator = None if guest is None else guest.operator
            failure = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
            protocol.send(replies, {**failure, "operator": operator})


def _load(message: protocol.Message) -> Guest:
    try:
        from runtime.engine import Guest
    except ImportError as error:
        raise RuneError(
            f"wasmtime cannot be used: {error}", hint="install it: pip install wasmtime"
        ) from None
    interface = Interface.from_json(message.header["interface"])
    return Guest(interface, message.parts[0], ModuleCache(cache_folder()))


def _run(guest: Guest, message: protocol.Message, replies: int) -> None:
    code, outputs, elapsed_ns, fuel = guest.run(
        dict(zip(message.header["ports"], message.parts, strict=True))
    )
    header = {"code": code, "ports": list(outputs), "elapsed_ns": elapsed_ns, "fuel": fuel}
    protocol.send(replies, header, list(outputs.values()))
