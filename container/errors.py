"""The exceptions of Rune and the exit code each one owns.

    RuneError                   1  failed
    ├── SensorError             1  a file cannot feed the capability it is given for
    ├── UsageError              2  the command was called wrongly
    ├── RunefileError           3  the Runefile is wrong
    ├── CompileError            4  the pipeline or its model cannot be compiled
    ├── ContainerError          5  the container is invalid or refused
    ├── TrapError               6  the container trapped
    │   └── LimitError          6  ... or ran over a limit (time, memory, output)
    ├── PortError               7  no, or several, matching serial ports
    ├── LinkError               8  the link or the board failed
    ├── VerificationError       9  an output differs from its golden vector
    └── BudgetError            10  the container does not fit the board

An interrupted command exits with 130.  Whatever leaves a public function is one of these; exceptions of
lower libraries (wasmtime, lark, Pillow...) are translated where they are caught.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a `rune` command's exit status means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    RUNEFILE = 3
    COMPILE = 4
    CONTAINER = 5
    TRAP = 6
    PORT = 7
    LINK = 8
    VERIFICATION = 9
    BUDGET = 10
    INTERRUPTED = 130


class RuneError(Exception):
    """Base of every error a user can meet.

    `message` says what is wrong, where, and what was expected; `hint` says what to do next.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RuneError):
    """A command or a public function was called with arguments that make no sense together."""

    exit_code = ExitCode.USAGE


class SensorError(RuneError):
    """A file cannot feed the capability it is given for."""


class RunefileError(RuneError):
    """The Runefile does not parse or does not check."""

    exit_code = ExitCode.RUNEFILE


class CompileError(RuneError):
    """A stage, or the model in it, cannot be compiled."""

    exit_code = ExitCode.COMPILE


class ContainerError(RuneError):
    """A `.rune` file is not a container, is damaged, or does not fit what is asked of it."""

    exit_code = ExitCode.CONTAINER


class TrapError(RuneError):
    """The container stopped before it finished an inference."""

    exit_code = ExitCode.TRAP


class LimitError(TrapError):
    """The container was ended because it ran over a limit of time, memory or output."""


class PortError(RuneError):
    """No serial port, or more than one, matches the board."""

    exit_code = ExitCode.PORT


class LinkError(RuneError):
    """The serial link or the board at its other end failed."""

    exit_code = ExitCode.LINK


class VerificationError(RuneError):
    """An output differs from the golden vector sealed in the container."""

    exit_code = ExitCode.VERIFICATION


class BudgetError(RuneError):
    """The container needs more flash or RAM than the board has."""

    exit_code = ExitCode.BUDGET
