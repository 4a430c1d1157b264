"""The process a container runs in.

It answers requests on standard input and output, see runtime/protocol.py.  A pipe that nothing is ever
written to tells when the host process is gone: a thread waits for its end and then ends this process,
whatever the container is doing (wasmtime releases the interpreter while a container runs).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import fields
from typing import TYPE_CHECKING

from container.abi import Profile
from container.errors import RuneError
from container.manifest import Manifest
from runtime import cache, protocol
from runtime.limits import Limits

if TYPE_CHECKING:
    from runtime.engine import Instance


def main() -> None:
    """Serve until the host process closes the pipe.  The one argument is the pipe that tells of its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle.
    threading.Thread(target=_end_with_host, args=(int(sys.argv[1]),), daemon=True).start()
    requests, replies = os.dup(0), os.dup(1)
    _silence()
    try:
        _serve(requests, replies)
    except protocol.ClosedError:
        os._exit(0)


def _end_with_host(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(0)


def _silence() -> None:
    """Whatever a library prints must not mix with the replies."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _serve(requests: int, replies: int) -> None:
    instance: Instance | None = None
    while True:
        message = protocol.receive(requests)
        try:
            if message.header["kind"] == "load":
                instance = _load(message)
                protocol.send(replies, {"progress": instance.progress_address})
            elif instance is not None:
                _run(instance, message, replies)
        except RuneError as error:
            protocol.send(
                replies, {"error": type(error).__name__, "message": error.message, "hint": error.hint}
            )


def _load(message: protocol.Message) -> Instance:
    try:
        from runtime.engine import Instance, Program
    except ImportError as error:
        raise RuneError(
            f"wasmtime cannot be used: {error}", hint="install it: pip install wasmtime"
        ) from None
    manifest, module = message.parts
    limits = Limits(**{field.name: message.header["limits"][field.name] for field in fields(Limits)})
    modules = cache.ModuleCache(cache.folder())
    profile = Profile(message.header["profile"])
    return Instance(Program(Manifest.from_json(manifest), profile, module, limits, modules))


def _run(instance: Instance, message: protocol.Message, replies: int) -> None:
    result = instance.run(dict(zip(message.header["ports"], message.parts, strict=True)))
    header = {"ports": list(result.outputs), "elapsed_ns": result.elapsed_ns, "fuel": result.fuel}
    protocol.send(replies, header, list(result.outputs.values()))
