"""A container on a board, fed by this machine: the same interface as the runtime's application.

    begin        the board starts an inference and stops where the container reads or writes
    feed, take   samples go there and values come back, a packet at a time
    finish       the code that `run` returned, or how the container ended

What a repeated or late answer says is told by the number of the inference, the number of the call and the
offset, which each state carries.  A board that was reset meanwhile has forgotten the inference: it is begun
anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from container.abi import Profile
from container.errors import ContainerError, LimitError, LinkError, TrapError
from container.execution import check_outcome, samples_by_port, where_it_ended
from container.manifest import Manifest
from container.sections import Container
from devices.link import agent
from devices.link.messages import CAUSE_DEADLINE, CAUSE_WORDS, Facts, FeedWrite, Phase, State, Statistics
from devices.link.session import RefusedError, Session

if TYPE_CHECKING:
    from container.arrays import Array

ATTEMPTS = 3
"""How often an inference is begun that the board forgot."""
ROUND_TRIP_S = 4.0
"""Besides the time of the inference."""
UNKNOWN_COMMAND = 8
"""MCUmgr's error: an AVR board has no control command, nor a deadline to set."""
_WITHOUT_INFERENCE = (Phase.IDLE, Phase.LOOPS, Phase.EMPTY)
_LARGEST = 0xFFFF_FFFF

Symbols = Callable[[int], str | None]
"""The WebAssembly function at a program counter, where known."""


class Fault(Protocol):
    """How a container ended, as a state or the statistics tell it."""

    @property
    def cause(self) -> int: ...

    @property
    def pc(self) -> int: ...

    @property
    def op(self) -> int: ...


@dataclass(frozen=True)
class BoardResult:
    """What one inference on a board gave."""

    code: int
    """What `run` returned."""
    outputs: dict[int, bytes]
    """By the number passed to `write`."""
    elapsed_ns: int
    """As the board counted it, without the time that samples and values took on the line."""
    cycles: int
    """Of the board's counter."""
    fuel: int | None = None
    """Boards do not meter."""


class _ForgottenError(Exception):
    """The board knows nothing of the inference."""


class BoardApplication:
    """The active container of a board.

    with BoardApplication(container, session) as application:
        application.infer({"features": data})
    """

    profile = Profile.MCU

    def __init__(
        self,
        container: Container,
        session: Session,
        *,
        deadline_s: float = 10.0,
        symbols: Symbols = lambda pc: None,
    ) -> None:
        """Take over a board.  Raises ContainerError when its container is another, LinkError."""
        self.container = container
        self._session = session
        self._deadline_s = deadline_s
        self._symbols = symbols
        self._number = secrets.randbits(30)
        self._fresh = True
        self._runs = 0
        self._patience_s: float | None = None
        """For an answer; a board without an agent gives none while it computes."""
        check_container(agent.facts(session), container)
        self._set_deadline()

    @property
    def board(self) -> str:
        """Name of the board."""
        return self._session.facts.board

    @property
    def manifest(self) -> Manifest:
        """What the container says of itself."""
        return self.container.manifest

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """One inference on the board; takes and gives what `run` of an `Application` on this machine does.

        Raises UsageError, TrapError, LimitError, LinkError.
        """
        from container.values import outputs_to_arrays, samples_from_values

        samples = samples_from_values(self.manifest, inputs)
        return outputs_to_arrays(self.manifest, self.infer(samples).outputs)

    def infer(self, samples: Mapping[str, bytes]) -> BoardResult:
        """One inference on the very bytes of each capability's sample.

        Raises UsageError for a sample of another size, TrapError and LimitError when the container fails,
        LinkError.
        """
        by_port = samples_by_port(self.manifest, samples)
        for _ in range(ATTEMPTS):
            try:
                return self._infer(by_port)
            except _ForgottenError:
                self._check_memory()
        raise LinkError(
            f"the board forgot the inference {ATTEMPTS} times",
            hint="it resets again and again: look at its power supply",
        )

    @property
    def cycles_hz(self) -> int:
        """Of the counter that tells the cycles."""
        return self._session.facts.hz

    def statistics(self) -> Statistics:
        """What the last inference took, as the board tells it.  Raises LinkError."""
        return agent.statistics(self._session)

    def reset(self) -> None:
        """Forget what earlier inferences left behind: the next one is as the first."""
        self._fresh = True

    def close(self) -> None:
        """Close the link; the container stays on the board."""
        self._session.close()

    def __enter__(self) -> BoardApplication:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _infer(self, by_port: Mapping[int, bytes]) -> BoardResult:
        self._number = (self._number + 1) % (1 << 32)
        outputs = {port: b"" for port, kind in self.manifest.output_types.items() if kind.bytes == 0}
        state = self._begin()
        # Each capability is read and each output written at most once.
        for _ in range(len(by_port) + len(self.manifest.output_types) + 1):
            if state.st is Phase.WAITS_FOR_SAMPLE:
                state = self._feed(state, by_port)
            elif state.st is Phase.WAITS_FOR_TAKE:
                outputs[state.port], state = self._take(state)
            else:
                return self._finished(state, outputs)
        raise TrapError("the container reads a capability, or writes an output, twice in one inference")

    def _begin(self) -> State:
        return self._settled(
            lambda: agent.begin(self._session, self._number, reset=self._fresh, patience_s=self._patience_s)
        )

    def _feed(self, state: State, by_port: Mapping[int, bytes]) -> State:
        """Give the whole sample; returns the state after it."""
        sample = by_port.get(state.port)
        if sample is None or state.len != len(sample):
            raise TrapError(f"it reads {state.len:,} bytes of source {state.port}: its manifest knows none")
        call, offset = state.call, -1
        while state.st is Phase.WAITS_FOR_SAMPLE and state.call == call:
            if not offset < state.off < len(sample):
                raise LinkError(f"the board wants byte {state.off:,} of a sample after byte {offset:,}")
            offset = state.off
            state = self._fed(state, offset, sample[offset : offset + self._room])
        return state

    def _fed(self, state: State, offset: int, data: bytes) -> State:
        return self._settled(
            lambda: agent.feed(self._session, state, offset, data, patience_s=self._patience_s)
        )

    def _take(self, state: State) -> tuple[bytes, State]:
        """The whole value, and the state after it was taken."""
        kind = self.manifest.output_types.get(state.port)
        if kind is None or state.len != kind.bytes:
            raise TrapError(f"it writes {state.len:,} bytes to output {state.port}: its manifest knows none")
        value = b""
        while len(value) < state.len:
            answer = self._taken(state, len(value))
            if answer.st is not Phase.WAITS_FOR_TAKE or answer.call != state.call or not answer.data:
                raise LinkError(f"the board does not give output {state.port} from byte {len(value):,} on")
            value += answer.data[: state.len - len(value)]
        after = self._taken(state, len(value))
        if after.st is Phase.WAITS_FOR_TAKE and after.call == state.call:
            raise LinkError(f"the board does not go on after its output {state.port} was taken")
        return value, after

    def _taken(self, state: State, offset: int) -> State:
        return self._settled(lambda: agent.take(self._session, state, offset, patience_s=self._patience_s))

    def _settled(self, ask: Callable[[], State]) -> State:
        """The state once the board does not compute any more.  Raises TrapError where it failed."""
        clock = self._session.clock
        end = clock.now() + self._deadline_s + ROUND_TRIP_S
        while (state := ask()).st is Phase.COMPUTES and state.n == self._number:
            if clock.now() >= end:
                raise LimitError(f"the board computes longer than the {self._deadline_s:g} s it may take")
        if state.st in _WITHOUT_INFERENCE or state.n != self._number:
            raise _ForgottenError
        if state.st is Phase.FAILED:
            raise trap(self.manifest, state, self._symbols)
        return state

    def _check_memory(self) -> None:
        """After the board forgot an inference: what the container remembered of earlier ones is lost too."""
        check_container(agent.facts(self._session), self.container)
        self._set_deadline()
        if self._remembers and not self._fresh:
            raise self._forgot()

    def _finished(self, state: State, outputs: dict[int, bytes]) -> BoardResult:
        if self._remembers:
            self._check_history()
        self._fresh = False
        check_outcome(self.manifest, state.code, outputs)
        hz = self._session.facts.hz
        return BoardResult(state.code, outputs, state.cycles * 1_000_000_000 // hz if hz else 0, state.cycles)

    @property
    def _remembers(self) -> bool:
        """Whether what one inference leaves behind matters to the next."""
        return self.manifest.plans[Profile.MCU].state > 0

    def _check_history(self) -> None:
        """A board that was reset since the inference before has counted anew."""
        before, self._runs = self._runs, agent.statistics(self._session).runs
        if not self._fresh and self._runs != before + 1:
            raise self._forgot()

    def _forgot(self) -> LinkError:
        self._fresh = True
        return LinkError(
            "the board was reset, and the container forgot what it has to remember between inferences",
            hint="run the command again",
        )

    @property
    def _room(self) -> int:
        """Bytes of a sample that fit into a packet."""
        empty = FeedWrite(n=_LARGEST, call=_LARGEST, off=_LARGEST, data=b"")
        return agent.room(self._session, len(empty.BYTES) + 2)

    def _set_deadline(self) -> None:
        try:
            agent.control(self._session, run=False, deadline_ms=max(1, round(self._deadline_s * 1000)))
        except RefusedError as error:
            if error.code != UNKNOWN_COMMAND:
                raise
            self._patience_s = self._deadline_s + ROUND_TRIP_S


def check_container(facts: Facts, container: Container) -> None:
    """Raises ContainerError when the container that is active on a board is another, or there is none."""
    if facts.container is None:
        raise ContainerError(
            f"no container is active on the board `{facts.board}`",
            hint=f"put it there: `rune flash APP.rune --board {facts.board}`",
        )
    if facts.container.hex() != container.digest:
        raise ContainerError(
            f"the board `{facts.board}` holds another container: {facts.container.hex()[:12]}..., "
            f"expected {container.digest[:12]}... ({container.manifest.name})",
            hint=f"put this one there: `rune flash APP.rune --board {facts.board}`",
        )


def trap(manifest: Manifest | None, fault: Fault, symbols: Symbols = lambda pc: None) -> TrapError:
    """What to raise for a fault: its stage, operator, cause in words and, where known, function."""
    plan = manifest.plans.get(Profile.MCU) if manifest else None
    where = where_it_ended(plan.operators if plan else (), fault.op)
    function = symbols(fault.pc)
    at = f" in `{function}`" if function else ""
    words = CAUSE_WORDS.get(fault.cause, f"cause {fault.cause}, which is none we know")
    kind = LimitError if fault.cause == CAUSE_DEADLINE else TrapError
    hint = "allow a longer deadline with --deadline" if kind is LimitError else None
    return kind(f"{where}{at} on the board (pc {fault.pc:#010x}): {words}", hint=hint)
