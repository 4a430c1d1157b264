"""What a board's own loop says: whole inferences, put together from notifications.

The board is not reset.  It sends outputs for the time of a lease, which is renewed while somebody listens; a
link that vanished is opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from container.errors import ContainerError, LinkError, PortError
from container.manifest import Manifest
from devices.execution import trap
from devices.link import agent
from devices.link.messages import Fault, Output, Phase
from devices.link.session import Clock, RefusedError, Session

LEASE_S = 10
"""What is asked for at a time."""
RENEW_S = 3.0
"""How long before it is asked for again."""
IDLE_S = 0.5
"""Without a manifest: an inference is over when nothing more came for so long."""
RETRY_S = 0.5
LARGEST_VALUE_BYTES = 1 << 20
"""More than any board can send."""
LARGEST_PORTS = 256


@dataclass(frozen=True)
class Inference:
    """The outputs of one inference."""

    sequence: int
    outputs: Mapping[int, bytes]
    """By the number passed to `write`."""


@dataclass
class Losses:
    """What did not arrive."""

    inferences: int = 0
    """That came in part."""
    links: int = 0
    """How often the link broke."""


class Assembler:
    """Puts parts of values together; whatever does not fit is dropped."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._sizes = {port: kind.bytes for port, kind in manifest.output_types.items()} if manifest else None
        self._sequence: int | None = None
        self._parts: dict[int, bytearray] = {}
        self._lengths: dict[int, int] = {}
        self.lost = 0
        """Inferences of which only a part came."""

    def add(self, output: Output) -> list[Inference]:
        """The inferences that this part completes."""
        done = []
        if output.seq != self._sequence:
            done = self.flush()
            self._sequence = output.seq
        if self._fits(output):
            self._parts.setdefault(output.port, bytearray()).extend(output.data)
            self._lengths[output.port] = output.len
        if self._sizes is not None and self._whole():
            done += self.flush()
        return done

    def flush(self) -> list[Inference]:
        """What is there of the last inference, when it is whole."""
        done = []
        if self._whole():
            values = {port: bytes(part) for port, part in sorted(self._parts.items())}
            done = [Inference(self._sequence or 0, values)]
        elif self._parts:
            self.lost += 1
        self._parts, self._lengths = {}, {}
        return done

    def _fits(self, output: Output) -> bool:
        """Whether a part is the next one of its value."""
        there = len(self._parts.get(output.port, b""))
        known = output.len if self._sizes is None else self._sizes.get(output.port)
        return (
            output.len == self._lengths.get(output.port, output.len) == known
            and output.len <= LARGEST_VALUE_BYTES
            and output.off == there
            and there + len(output.data) <= output.len
            and (output.port in self._parts or len(self._parts) < LARGEST_PORTS)
        )

    def _whole(self) -> bool:
        ports = self._parts.keys() if self._sizes is None else self._sizes.keys()
        return bool(ports) and all(
            port in self._parts and len(self._parts[port]) == self._lengths[port] for port in ports
        )


class Monitor:
    """Listens to a board for some time, through broken links.

    `connect` opens a session to the board; the first must work, later ones are tried until the time is over.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        *,
        manifest_of: Callable[[bytes | None], Manifest | None] = lambda digest: None,
        for_s: float | None = None,
        clock: Clock | None = None,
        tell: Callable[[str], None] = lambda message: None,
    ) -> None:
        """`manifest_of` gives the manifest of the container with a digest, where it is known.

        `for_s` counts from when the board first answered, which may take a bootloader's time; None is for
        ever.  `tell` is told of broken links.
        """
        self.losses = Losses()
        self.manifest: Manifest | None = None
        """Of the container on the board, once it is connected and where it is known."""
        self._connect = connect
        self._manifest_of = manifest_of
        self._for_s = for_s
        self._until = float("inf")
        self._clock = clock or Clock()
        self._tell = tell

    def inferences(self) -> Iterator[Inference]:
        """Each inference as it comes.

        Raises PortError and LinkError when there is no link at first or none any more when the time is over;
        TrapError when the container faulted.
        """
        session = self._connect()
        if self._for_s is not None:
            self._until = self._clock.now() + self._for_s
        while True:
            try:
                with session:
                    yield from self._listen(session)
                return
            except LinkError as error:
                self.losses.links += 1
                self._tell(f"{error.message}; waiting for the board")
            session = self._again()

    def _again(self) -> Session:
        while True:
            try:
                return self._connect()
            except (LinkError, PortError):
                if self._left() <= RETRY_S:
                    raise
                self._clock.sleep(RETRY_S)

    def _listen(self, session: Session) -> Iterator[Inference]:
        """Ends when the time is over."""
        self.manifest = self._manifest_of(session.facts.container)
        assembler = Assembler(self.manifest)
        renew_at = self._clock.now()
        while self._left() > 0:
            if self._clock.now() >= renew_at:
                self._renew(session)
                renew_at = self._clock.now() + RENEW_S
            wait_s = min(IDLE_S, renew_at - self._clock.now(), self._left())
            outputs = session.outputs(self._clock.now() + wait_s)
            for output in outputs:
                yield from self._heard(assembler, output)
            if not outputs and wait_s >= IDLE_S:
                yield from assembler.flush()
            self.losses.inferences, assembler.lost = self.losses.inferences + assembler.lost, 0

    def _renew(self, session: Session) -> None:
        """Ask for outputs, and for the loop where it does not run."""
        try:
            state = agent.control(session, notify_s=LEASE_S)
            if state.st is Phase.FAILED:
                raise trap(self.manifest, state)
            if state.st is not Phase.LOOPS:
                agent.control(session, run=True)
        except RefusedError:
            board = session.facts.board
            if session.facts.container is None:
                cure = f"put one there: `rune flash APP.rune --board {board}`"
                raise ContainerError(f"no container is active on the board `{board}`", hint=cure) from None
            raise ContainerError(
                f"the container on the board `{board}` does not run by itself: its sensors are the host's",
                hint="feed it from here: `rune run APP.rune --port PORT`",
            ) from None

    def _heard(self, assembler: Assembler, output: Output) -> Iterator[Inference]:
        if output.cause is None:
            yield from assembler.add(output)
            return
        raise trap(self.manifest, Fault(cause=output.cause, pc=output.pc, op=output.op))

    def _left(self) -> float:
        return self._until - self._clock.now()
