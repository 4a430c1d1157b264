"""The commands of our own SMP group, 64, as docs/device-protocol.md defines them; and MCUmgr's codes in
words."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from smp import message

GROUP = 64

ERROR_WORDS = {
    1: "an error that it does not name",
    2: "it has not enough memory",
    3: "it does not accept a value",
    4: "it took too long",
    5: "there is no such thing",
    6: "not in its present state",
    7: "the answer would be too long",
    8: "it does not know the command",
    9: "what it has is corrupted",
    10: "it is busy",
    11: "it does not allow that",
    12: "our version of the protocol is too old",
    13: "our version of the protocol is too new",
}
"""What the `rc` of an answer means (MCUmgr, `enum mcumgr_err_t`)."""

CAUSE_WORDS = {
    1: "it accessed memory outside of its own",
    2: "integer overflow in a division or conversion",
    3: "division by zero",
    4: "conversion of a float that is no number",
    5: "it gave itself up (`unreachable`)",
    6: "an indirect call to no function of that type",
    7: "its stack is used up",
    16: "the memory protection unit refused an access",
    17: "it accessed an address where there is nothing",
    18: "an instruction that cannot be executed",
    19: "a fault of the processor",
    20: "it took longer than allowed",
    21: "a call to the agent that does not exist, or with an address that is not its own",
    22: "the board was reset while it ran",
}
"""Why a container ended: RUNE_CAUSE_... in devices/firmware/core/container_abi.h."""
CAUSE_DEADLINE = 20

Unsigned: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 64)]
Signed: TypeAlias = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]
Pair: TypeAlias = tuple[Unsigned, Unsigned]

_LENIENT = ConfigDict(extra="ignore", frozen=True)
"""A later agent may say more."""


class Command(IntEnum):
    """The commands of the group."""

    FACTS = 0
    CONTROL = 1
    RUN = 2
    FEED = 3
    TAKE = 4
    STATISTICS = 5
    OUTPUT = 6


class Phase(IntEnum):
    """What a container is doing: `st`."""

    IDLE = 0
    WAITS_FOR_SAMPLE = 1
    WAITS_FOR_TAKE = 2
    FINISHED = 3
    FAILED = 4
    LOOPS = 5
    EMPTY = 6
    COMPUTES = 7


class _FactsFields(BaseModel):
    board: str
    abi: Unsigned
    agent: str = ""
    serial: str = ""
    mpu: bool = False
    ram: Pair = (0, 0)
    slots: tuple[Pair, ...] = ()
    hz: Unsigned = 0
    buf: Annotated[int, Field(ge=64, le=1 << 16)]
    caps: tuple[str, ...] = ()
    container: bytes | None = None


class _StateFields(BaseModel):
    st: Phase
    n: Unsigned = 0
    port: Unsigned = 0
    len: Unsigned = 0
    off: Unsigned = 0
    call: Unsigned = 0
    data: bytes = b""
    code: Signed = 0
    cycles: Unsigned = 0
    cause: Unsigned = 0
    pc: Unsigned = 0
    op: Signed = -1


class Fault(BaseModel):
    """How a container ended before its time."""

    model_config = _LENIENT

    cause: Unsigned
    pc: Unsigned = 0
    op: Signed = -1
    slot: Signed = -1


class FactsRead(message.ReadRequest):
    """Asks what the board is."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.FACTS


class Facts(message.ReadResponse, _FactsFields):
    """What the board is."""

    model_config = _LENIENT
    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.FACTS


class ControlWrite(message.WriteRequest):
    """Starts and stops the container; None leaves a thing as it is."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.CONTROL

    run: bool | None = None
    start: bool | None = None
    notify: int | None = None
    """Seconds."""
    deadline: int | None = None
    """Milliseconds."""


class RunWrite(message.WriteRequest):
    """Begins inference `n`."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.RUN

    n: int
    reset: bool | None = None


class FeedWrite(message.WriteRequest):
    """The next bytes of a sample."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.FEED

    n: int
    call: int
    off: int
    data: bytes


class TakeWrite(message.WriteRequest):
    """Asks for a value from `off` on."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.TAKE

    n: int
    call: int
    off: int


class State(message.WriteResponse, _StateFields):
    """What the container is doing: the answer to control, run, feed and take."""

    model_config = _LENIENT
    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.CONTROL


class StatisticsRead(message.ReadRequest):
    """Asks what the active container used."""

    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.STATISTICS


class Statistics(message.ReadResponse):
    """What the active container used; `stack`, `ram` and `agent` are bytes at most."""

    model_config = _LENIENT
    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.STATISTICS

    runs: Unsigned = 0
    faults: Unsigned = 0
    cycles: Unsigned = 0
    marks: tuple[Pair, ...] = ()
    stack: Unsigned = 0
    ram: Unsigned = 0
    agent: Unsigned = 0
    fault: Fault | None = None


class Output(message.WriteResponse):
    """A part of a value of the board's own loop, or how the loop ended."""

    model_config = _LENIENT
    _GROUP_ID: ClassVar[Any] = GROUP
    _COMMAND_ID: ClassVar[Any] = Command.OUTPUT

    seq: Unsigned
    port: Unsigned = 0
    len: Unsigned = 0
    off: Unsigned = 0
    data: bytes = b""
    cause: Unsigned | None = None
    pc: Unsigned = 0
    op: Signed = -1
