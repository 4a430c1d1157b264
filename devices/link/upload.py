"""An image into a slot: chunk after chunk, from where the board stands.

A chunk is repeated and the link opened again by the session; here the file is sent anew, at most `FILES`
times, when the board says that what it has is wrong, or has forgotten that it was taking an image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from smp.image_management import ImageUploadWriteRequest, ImageUploadWriteResponse

from container.errors import LinkError
from devices.link import agent
from devices.link.session import LEAST_BITS_PER_BYTE, RefusedError, Session

FILES = 3
"""How often an image is begun."""
VERIFY_S = 15.0
"""For the board's SHA-256 over all of it, after the last chunk."""
IDLE_CHUNKS = 8
"""A board that takes nothing of so many chunks one after the other takes nothing."""


@dataclass(frozen=True)
class Progress:
    """How far an upload is."""

    sent: int
    """Bytes that the board has."""
    total: int
    rate: float
    """Bytes a second in this upload, what was there already left out."""
    left_s: float


@dataclass(frozen=True)
class Transfer:
    """What an upload took."""

    bytes: int
    """Of the image, sent this time."""
    resumed_at: int
    """Where it went on: so much was there from an earlier time."""
    seconds: float
    framing: str
    wire_bytes: int
    """Sent on the line, framing and repetitions included."""
    wire_share: float
    """Part of the time, 0..1, in which the line was carrying them."""
    repetitions: int
    reopened: int

    @property
    def rate(self) -> float:
        """Bytes of the image a second."""
        return self.bytes / self.seconds if self.seconds else 0.0


Report: TypeAlias = Callable[[Progress], None]


class _Upload:
    """One image on its way."""

    def __init__(self, session: Session, image: bytes, report: Report) -> None:
        self._session = session
        self._image = image
        self._report = report
        self._digest = hashlib.sha256(image).digest()
        self._began = session.clock.now()
        self._resumed_at: int | None = None

    def run(self) -> int:
        """Send it; returns the offset where it went on.  Raises LinkError."""
        for number in range(1, FILES + 1):
            try:
                self._send()
                break
            except RefusedError as error:
                if number == FILES:
                    raise LinkError(
                        f"the board did not take the image in {FILES} attempts: {error.message}",
                        hint="is it an image for this board? `rune flash` makes the right one",
                    ) from None
        return self._resumed_at or 0

    def _send(self) -> None:
        offset, idle = self._first(), 0
        if self._resumed_at is None:
            self._resumed_at = offset
        while offset < len(self._image):
            before, offset = offset, self._next(offset)
            self._tell(offset)
            idle = idle + 1 if offset <= before else 0
            if idle == IDLE_CHUNKS:
                raise LinkError(f"the board stays at {offset:,} of {len(self._image):,} bytes of the image")

    def _first(self) -> int:
        """Announce the image; the answer is how much of it is there from an earlier time."""
        return self._chunk(self._request(0, b""), agent.ERASE_S)

    def _next(self, offset: int) -> int:
        size = agent.room(self._session, len(self._request(offset, b"").BYTES) + 2)
        data = self._image[offset : offset + size]
        if offset == 0:
            return self._chunk(self._request(offset, data), agent.ERASE_S)
        last = offset + len(data) == len(self._image)
        return self._chunk(self._request(offset, data), VERIFY_S if last else None)

    def _request(self, offset: int, data: bytes) -> ImageUploadWriteRequest:
        if offset == 0:
            return ImageUploadWriteRequest(off=0, data=data, len=len(self._image), sha=self._digest)
        return ImageUploadWriteRequest(off=offset, data=data)

    def _chunk(self, request: ImageUploadWriteRequest, patience_s: float | None) -> int:
        answer = self._session.request(request, ImageUploadWriteResponse, patience_s=patience_s)
        if answer.off is None or not 0 <= answer.off <= len(self._image):
            raise LinkError(
                f"the board says that it has {answer.off} bytes of an image of {len(self._image):,}, "
                f"after a chunk at {request.off:,}"
            )
        if answer.match is False:
            raise RefusedError("the image arrived with another SHA-256", 9)
        return answer.off

    def _tell(self, offset: int) -> None:
        seconds = self._session.clock.now() - self._began
        rate = max(0, offset - (self._resumed_at or 0)) / seconds if seconds > 0 else 0.0
        left_s = (len(self._image) - offset) / rate if rate else 0.0
        self._report(Progress(offset, len(self._image), rate, left_s))


def upload(session: Session, image: bytes, report: Report = lambda progress: None) -> Transfer:
    """Send an image to the slot that takes uploads; `report` is told after each chunk.

    When it returns the board has verified the SHA-256 of the whole.  Raises LinkError.
    """
    clock, began = session.clock, session.clock.now()
    sent, repetitions, reopened = session.sent_bytes, session.repetitions, session.reopened
    resumed_at = _Upload(session, image, report).run()
    seconds = clock.now() - began
    wire_bytes = session.sent_bytes - sent
    line_s = wire_bytes * LEAST_BITS_PER_BYTE / session.baud
    return Transfer(
        len(image) - resumed_at,
        resumed_at,
        seconds,
        session.framing,
        wire_bytes,
        min(1.0, line_s / seconds) if seconds > 0 else 1.0,
        session.repetitions - repetitions,
        session.reopened - reopened,
    )
