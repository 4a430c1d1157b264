"""The agent's commands as functions."""

from __future__ import annotations

from smp.image_management import (
    ImageEraseRequest,
    ImageEraseResponse,
    ImageState,
    ImageStatesReadRequest,
    ImageStatesReadResponse,
    ImageStatesWriteRequest,
    ImageStatesWriteResponse,
)
from smp.os_management import ResetWriteRequest, ResetWriteResponse

from devices.link.messages import (
    ControlWrite,
    Facts,
    FactsRead,
    FeedWrite,
    RunWrite,
    State,
    Statistics,
    StatisticsRead,
    TakeWrite,
)
from devices.link.session import Session

ERASE_S = 40.0
"""A whole slot: 112 pages of 85 ms on an nRF52840, 3 sectors of 4 s on an STM32F4 (their data sheets'
maxima)."""


def facts(session: Session) -> Facts:
    """What the board is now.  This and all below raise LinkError, RefusedError."""
    return session.request(FactsRead(), Facts)


def images(session: Session) -> list[ImageState]:
    """The containers in the slots."""
    return session.request(ImageStatesReadRequest(), ImageStatesReadResponse).images


def erase(session: Session, slot: int) -> None:
    """Erase a slot that is neither active nor confirmed."""
    session.request(ImageEraseRequest(slot=slot), ImageEraseResponse, patience_s=ERASE_S)


def try_next(session: Session, digest: bytes) -> None:
    """Have the image with this SHA-256 tried at the next start."""
    _mark(session, digest, confirm=False)


def confirm(session: Session, digest: bytes) -> None:
    """Keep the image with this SHA-256 for good."""
    _mark(session, digest, confirm=True)


def control(
    session: Session,
    *,
    run: bool | None = None,
    start: bool | None = None,
    notify_s: int | None = None,
    deadline_ms: int | None = None,
) -> State:
    """Start or stop the container, or its loop; None leaves a thing as it is, and all of them only ask."""
    request = ControlWrite(run=run, start=start, notify=notify_s, deadline=deadline_ms)
    return session.request(request, State)


def begin(session: Session, number: int, *, reset: bool, patience_s: float | None = None) -> State:
    """Begin an inference."""
    return session.request(RunWrite(n=number, reset=reset or None), State, patience_s=patience_s)


def feed(session: Session, at: State, offset: int, data: bytes, *, patience_s: float | None = None) -> State:
    """The next bytes of the sample that the inference waits for in a state."""
    request = FeedWrite(n=at.n, call=at.call, off=offset, data=data)
    return session.request(request, State, patience_s=patience_s)


def take(session: Session, at: State, offset: int, *, patience_s: float | None = None) -> State:
    """Bytes from `offset` on of the value that the inference wrote in a state; at its end, take it."""
    return session.request(TakeWrite(n=at.n, call=at.call, off=offset), State, patience_s=patience_s)


def statistics(session: Session) -> Statistics:
    """What the active container used."""
    return session.request(StatisticsRead(), Statistics)


def reset(session: Session) -> None:
    """Restart the chip, and greet it when it is back."""
    session.request(ResetWriteRequest(), ResetWriteResponse)
    session.restart()


def room(session: Session, overhead_bytes: int) -> int:
    """How much data fits into a message beside so many other bytes; a multiple of four, as flash wants it."""
    return max(4, (session.largest_message - overhead_bytes) // 4 * 4)


def _mark(session: Session, digest: bytes, *, confirm: bool) -> None:
    session.request(ImageStatesWriteRequest(hash=digest, confirm=confirm), ImageStatesWriteResponse)
