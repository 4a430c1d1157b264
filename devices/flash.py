"""A container onto a board with an agent: translate, upload, read back, try, confirm.

Success means that the board itself says that the image is active and confirmed, with the SHA-256 that was
computed here, and that it was made from this very container.  Until it is confirmed a power failure brings
the board back to the container it had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smp.image_management import ImageState

from container.errors import LinkError
from container.sections import Container
from devices.board import Board
from devices.execution import trap
from devices.image import BoardImage
from devices.link import agent
from devices.link.messages import Facts, Phase, State, Statistics
from devices.link.session import Session
from devices.link.upload import Report, Transfer, upload

FIRST_INFERENCE_S = 12.0
"""For a container that runs by itself: longer than it may take (docs/device-protocol.md, control)."""
POLL_S = 0.05

Translate = Callable[[int], BoardImage]
"""The container's image for a slot.  Raises BudgetError, CompileError, RuneError."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Flashed:
    """What a board has now."""

    board: str
    serial: str
    """The chip's own number; empty where it has none."""
    slot: int | None
    """None where a container is the board's whole image."""
    image_bytes: int
    image_sha256: str
    container_sha256: str
    transfer: Transfer | None
    """None where the image was there already and nothing was sent."""
    looping: bool
    """Whether the board runs it by itself: all its sensors are the board's own."""


def flash(
    container: Container,
    board: Board,
    session: Session,
    translate: Translate,
    *,
    report: Report = lambda progress: None,
    tell: Tell = lambda phase: None,
) -> Flashed:
    """Put a container on the board at the other end of a session and start it.

    `report` is told after each chunk, `tell` each phase as it begins.  Raises LinkError when the board is
    another, fails, or does not say at the end that it has this image; TrapError when the container faults as
    it starts.
    """
    check_board(session.facts, board)
    agent.control(session, run=False)
    slot, image = _present(container, session, translate, tell) or _target(session, translate, tell)
    data = image.encode()
    digest = data[-32:]
    transfer = None
    if digest not in _digests(agent.images(session), slot):
        _check_writable(session.facts, board)
        tell("upload")
        transfer = upload(session, data, report)
        _check_arrived(session, slot, digest)
    tell("start")
    looping = _start(container, session, digest)
    return Flashed(
        board.name, session.facts.serial, slot, len(data), digest.hex(), container.digest, transfer, looping
    )


def check_board(facts: Facts, board: Board) -> None:
    """Raises LinkError when another board is connected."""
    if facts.board != board.name:
        raise LinkError(
            f"the board at this port is `{facts.board}`, expected `{board.name}`",
            hint=f"name another port with --port, or flash this one with --board {facts.board}",
        )


def _check_writable(facts: Facts, board: Board) -> None:
    """Raises LinkError for a board in an emulator that would lose what is sent.

    There the chip's own number is zero: the emulator has not that part of the chip either.
    """
    choice = board.emulator
    if choice is not None and choice.read_only_flash and not facts.serial.strip("0"):
        raise LinkError(
            f"this is an emulated {board.name}: its emulator cannot write flash",
            hint="it can be started with the container in its flash: `rune flash` with --port sim",
        )


def _present(
    container: Container, session: Session, translate: Translate, tell: Tell
) -> tuple[int, BoardImage] | None:
    """The active slot, when it holds the very image already."""
    if agent.facts(session).container != bytes.fromhex(container.digest):
        return None
    active = next((state for state in agent.images(session) if state.active), None)
    if active is None:
        return None
    tell("translate")
    image = translate(active.slot)
    return (active.slot, image) if image.sha256 == active.hash else None


def _target(session: Session, translate: Translate, tell: Tell) -> tuple[int, BoardImage]:
    """The slot that takes an upload, and the image for it."""
    slot = _free_slot(session)
    if slot is None:
        # A container that was tried and never confirmed: the board goes back to the confirmed one.
        agent.control(session, start=True)
        agent.control(session, run=False)
        slot = _free_slot(session)
    if slot is None:
        raise LinkError(
            "both slots of the board are taken: one is confirmed, the other active",
            hint="reset the board and run the command again",
        )
    tell("translate")
    return slot, translate(slot)


def _free_slot(session: Session) -> int | None:
    """The first that is neither active nor confirmed."""
    taken = {state.slot for state in agent.images(session) if state.active or state.confirmed}
    return next((slot for slot in range(len(session.facts.slots)) if slot not in taken), None)


def _digests(images: Sequence[ImageState], slot: int) -> list[bytes | None]:
    return [state.hash for state in images if state.slot == slot]


def _check_arrived(session: Session, slot: int, digest: bytes) -> None:
    found = _digests(agent.images(session), slot)
    if digest not in found:
        what = found[0].hex() if found and found[0] else "no valid image"
        raise LinkError(f"slot {slot} of the board holds {what}, expected {digest.hex()}")


def _start(container: Container, session: Session, digest: bytes) -> bool:
    """Try the image and confirm it; returns whether it runs by itself.  Raises LinkError, TrapError."""
    before = agent.statistics(session)
    if not _has(session, digest, active=True, confirmed=True):
        agent.try_next(session, digest)
    agent.control(session, start=True)
    state = _first_inference(session, before)
    after = agent.statistics(session)
    if after.faults > before.faults and after.fault is not None:
        raise trap(container.manifest, after.fault)
    if state.st is Phase.FAILED:
        raise trap(container.manifest, state)
    _check_active(session, digest)
    agent.confirm(session, digest)
    if not _has(session, digest, active=True, confirmed=True):
        raise LinkError("the board did not keep the container: it is not both active and confirmed")
    if agent.facts(session).container != bytes.fromhex(container.digest):
        raise LinkError("the board says that its image was made from another container")
    return state.st is Phase.LOOPS


def _first_inference(session: Session, before: Statistics) -> State:
    """Wait until the container is set up and, where it runs by itself, has run once."""
    end = session.clock.now() + FIRST_INFERENCE_S
    while session.clock.now() < end:
        state = agent.control(session)
        statistics = agent.statistics(session)
        ran = statistics.runs > before.runs or statistics.faults > before.faults
        if state.st is not Phase.COMPUTES and (state.st is not Phase.LOOPS or ran):
            return state
        session.clock.sleep(POLL_S)
    return agent.control(session)


def _check_active(session: Session, digest: bytes) -> None:
    if not _has(session, digest, active=True):
        raise LinkError(
            "the board did not start the container, and keeps the one it had",
            hint="was it reset meanwhile? Run the command again: what was sent is not sent again",
        )


def _has(session: Session, digest: bytes, *, active: bool = False, confirmed: bool = False) -> bool:
    return any(
        state.hash == digest and (state.active or not active) and (state.confirmed or not confirmed)
        for state in agent.images(session)
    )
