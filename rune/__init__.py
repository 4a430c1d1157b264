"""Rune from Python.

    import rune

    rune.build("examples/digits", "digits.rune")
    with rune.load("digits.rune") as digits:
        outputs = digits.run({"picture": pixels})
    rune.flash("digits.rune", board="nrf52840", port="/dev/ttyACM0")

`__all__` lists everything public.  Nothing heavy is imported before it is used: not even NumPy by `import
rune`, and the compiler by `build` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from container import __version__

if TYPE_CHECKING:
    from container.abi import Profile
    from container.errors import (
        BudgetError,
        CompileError,
        ContainerError,
        LimitError,
        LinkError,
        PortError,
        RuneError,
        RunefileError,
        SensorError,
        TrapError,
        UsageError,
        VerificationError,
    )
    from container.manifest import Optimization
    from devices.execution import BoardApplication
    from devices.flash import Flashed
    from rune.api import build, check, load, verify
    from rune.boards import connect, flash
    from runefile.pipeline import TypedPipeline
    from runtime.application import Application
    from runtime.limits import Limits
    from runtime.verify import VerificationReport

__all__ = [
    "Application",
    "BoardApplication",
    "BudgetError",
    "CompileError",
    "ContainerError",
    "Flashed",
    "LimitError",
    "Limits",
    "LinkError",
    "Optimization",
    "PortError",
    "Profile",
    "RuneError",
    "RunefileError",
    "SensorError",
    "TrapError",
    "TypedPipeline",
    "UsageError",
    "VerificationError",
    "VerificationReport",
    "__version__",
    "build",
    "check",
    "connect",
    "flash",
    "load",
    "verify",
]

_HOMES = {
    "Application": "runtime.application",
    "BoardApplication": "devices.execution",
    "Flashed": "devices.flash",
    "Limits": "runtime.limits",
    "Optimization": "container.manifest",
    "Profile": "container.abi",
    "TypedPipeline": "runefile.pipeline",
    "VerificationReport": "runtime.verify",
    "build": "rune.api",
    "check": "rune.api",
    "connect": "rune.boards",
    "flash": "rune.boards",
    "load": "rune.api",
    "verify": "rune.api",
}
"""The module of each public name; the errors have theirs in common."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "container.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
