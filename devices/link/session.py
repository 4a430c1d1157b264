"""A session with the agent of a board: requests with deadlines over a line that may lose, damage and delay.

    request   sent, and sent again every `answer_s` until an answer came or `request_s` is over
    link      then closed, opened again (under whatever name the board has now), greeted
    session   after `reopens` of those given up with a LinkError

Sending twice is harmless: the agent's commands give the same result when they come twice
(docs/device-protocol.md), and an answer counts only with the sequence number, group and command of its
request.

`smpclient`'s own client takes the next frame for the answer and looks for bytes every 5 ms; on a line of 11
bytes a millisecond that costs a third of the rate, and one late answer ends it.  So its framings and `smp`'s
messages are used here, without its event loop.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import cbor2
from smp import message
from smp.header import OP, Header
from smpclient.transport.serial.framing import SerialFraming

from container.errors import LinkError, PortError
from devices.link.framing import RESYNCHRONIZE, framings
from devices.link.messages import ERROR_WORDS, GROUP, Command, Facts, FactsRead, Output
from devices.link.stream import BrokenStreamError, ByteStream

Answer = TypeVar("Answer", bound=message.Response)
Opener = Callable[[], ByteStream]
"""Opens the line to the board, wherever it is now.  Raises PortError, BrokenStreamError."""

LEAST_BITS_PER_BYTE = 10
"""On the line, 8N1."""
FRAME_BYTES = 4
"""Length and CRC, which share the board's buffer with a message."""
HEARD_BYTES = 64
"""How much of what came is shown when it makes no sense."""
KEPT_OUTPUTS = 1024
"""Notifications that wait to be read; older ones are dropped."""
REOPEN_PAUSE_S = 0.1
NO_AGENT_HINT = "is it the right port? `rune agent --board B` installs the agent on a board that has none"


class RefusedError(LinkError):
    """The board understood a request and answered with an error; `code` is its number."""

    def __init__(self, text: str, code: int, *, hint: str | None = None) -> None:
        super().__init__(text, hint=hint)
        self.code = code


class SilenceError(Exception):
    """No answer within the time of a request."""


class Clock(NamedTuple):
    """Where a session has its time from, in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a session waits; in seconds."""

    answer_s: float = 1.0
    """Until a request is sent again, besides the time that its bytes are under way."""
    request_s: float = 4.0
    """For a request on one link."""
    greeting_s: float = 6.0
    """For the first answer on one link: a bootloader may wait before it starts the program."""
    reopen_s: float = 10.0
    """For a vanished port to come back."""
    reopens: int = 2
    """How often a link is opened again for one request."""


class Session:
    """Requests and answers, one after another; notifications are kept until they are asked for."""

    def __init__(
        self,
        opener: Opener,
        *,
        baud: int = 115_200,
        patience: Patience | None = None,
        clock: Clock | None = None,
        first_sequence: int | None = None,
    ) -> None:
        """Open the line and greet the agent.  Raises PortError, LinkError."""
        self.patience = patience or Patience()
        self.clock = clock or Clock()
        self.baud = baud
        self.framing = ""
        """Name of the framing that the board answered in."""
        self.sent_bytes = 0
        """On the line, framing and repetitions included."""
        self.repetitions = 0
        """Requests that were sent again."""
        self.reopened = 0
        """How often the link was opened again."""
        self._opener = opener
        self._stream: ByteStream | None = None
        self._framing: SerialFraming
        self._outputs: deque[Output] = deque(maxlen=KEPT_OUTPUTS)
        self._heard = b""
        self._sequence = first_sequence or secrets.randbelow(255) + 1
        self.facts = self._first_facts()
        """What the board said of itself when it was greeted."""

    def request(
        self, request: message.Request, answer: type[Answer], *, patience_s: float | None = None
    ) -> Answer:
        """What the board answers.

        `patience_s` is for requests that take the board long.  Raises RefusedError when it answers with an
        error, LinkError when it does not answer or not as it should.
        """
        reason = ""
        links = self.patience.reopens + 1
        for _ in range(links):
            try:
                if self._stream is None:
                    self._reopen()
                return self._ask(request, answer, patience_s or self.patience.request_s)
            except (BrokenStreamError, SilenceError) as error:
                reason = str(error)
                self._drop()
        raise LinkError(
            f"the board does not answer `{_name(request)}` on {links} links: {reason}{self._came()}",
            hint="look at the cable and the board's power, then run the command again",
        )

    def outputs(self, until: float) -> list[Output]:
        """Notifications, as soon as there are any; none when nothing came until a time of the clock.

        Raises LinkError when the link broke; the next request opens it again.
        """
        if self._stream is None:
            raise LinkError("the link to the board is broken")
        try:
            while not self._outputs and (frame := self._frame(until)) is not None:
                self._keep_output(frame)
                if self.clock.now() >= until:
                    break
        except BrokenStreamError as error:
            self._drop()
            raise LinkError(f"the link to the board broke: {error}") from None
        found = list(self._outputs)
        self._outputs.clear()
        return found

    def restart(self) -> None:
        """Close the link and greet the board anew, after it was told to reset.  Raises LinkError."""
        self._drop()
        self.request(FactsRead(), Facts)

    def close(self) -> None:
        """Close the line."""
        self._drop()

    @property
    def largest_message(self) -> int:
        """Bytes of the largest message that the board takes."""
        return self.facts.buf - FRAME_BYTES

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Opening.

    def _first_facts(self) -> Facts:
        try:
            self._stream = self._opener()
            return self._greet()
        except (BrokenStreamError, SilenceError, RefusedError) as error:
            self._drop()
            raise LinkError(f"no agent of Rune answers: {error}{self._came()}", hint=NO_AGENT_HINT) from None
        except BaseException:
            self._drop()
            raise

    def _reopen(self) -> None:
        """Open the line again as soon as the port is back, and make sure that the same board is there."""
        self.reopened += 1
        end = self.clock.now() + self.patience.reopen_s
        while True:
            try:
                self._stream = self._opener()
                break
            except (PortError, BrokenStreamError) as error:
                if self.clock.now() >= end:
                    reason = f"the port did not come back in {self.patience.reopen_s:g} s: {error}"
                    raise BrokenStreamError(reason) from None
                self.clock.sleep(REOPEN_PAUSE_S)
        facts = self._greet()
        if (facts.board, facts.serial) != (self.facts.board, self.facts.serial):
            self._drop()
            raise LinkError(
                f"another board answers: `{facts.board}` {facts.serial} where "
                f"`{self.facts.board}` {self.facts.serial} was",
                hint="connect the first one again",
            )
        self.facts = facts

    def _greet(self) -> Facts:
        """Ask for facts in each framing in turn until the board answers in one."""
        end = self.clock.now() + self.patience.greeting_s
        while True:
            for name, framing in framings().items():
                self.framing, self._framing = name, framing
                self._write(RESYNCHRONIZE)
                try:
                    return self._ask(FactsRead(), Facts, self.patience.answer_s)
                except SilenceError:
                    if self.clock.now() >= end:
                        raise

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # Asking.

    def _ask(self, request: message.Request, answer: type[Answer], patience_s: float) -> Answer:
        self._heard = b""
        self._sequence = self._sequence % 255 + 1  # 0 is for notifications
        header = dataclasses.replace(request.header, sequence=self._sequence)
        data = bytes(header) + request.BYTES[Header.SIZE :]
        encoded = b"".join(self._framing.encode(data))
        under_way_s = 2 * LEAST_BITS_PER_BYTE * len(encoded) / self.baud
        began = self.clock.now()
        end = began + patience_s + under_way_s
        while True:
            self._write(encoded)
            frame = self._answer_to(header, min(end, self.clock.now() + self.patience.answer_s + under_way_s))
            if frame is not None:
                return self._understood(request, answer, frame)
            if self.clock.now() >= end:
                raise SilenceError(f"nothing came within {self.clock.now() - began:.1f} s")
            self.repetitions += 1
            self._write(RESYNCHRONIZE)

    def _answer_to(self, header: Header, until: float) -> bytes | None:
        """The frame that answers a request; None when it does not come until then."""
        while (frame := self._frame(until)) is not None:
            found = _header(frame)
            if found is not None and _key(found) == (header.op + 1, *_key(header)[1:]):
                return frame
            self._keep_output(frame)
            if self.clock.now() >= until:
                break
        return None

    def _frame(self, until: float) -> bytes | None:
        assert self._stream is not None
        while (frame := self._framing.take()) is None:
            left = until - self.clock.now()
            if left <= 0:
                return None
            data = self._stream.read(left)
            self._heard = (self._heard + data)[-HEARD_BYTES:]
            self._framing.feed(data)
        return frame

    def _keep_output(self, frame: bytes) -> None:
        """Keep a notification; other frames are late answers, which nobody waits for any more."""
        header = _header(frame)
        if header is None or (header.op, header.group_id, header.sequence) != (OP.WRITE_RSP, GROUP, 0):
            return
        output = _decoded(Output, frame) if header.command_id == Command.OUTPUT else None
        if output is not None:
            self._outputs.append(output)

    def _understood(self, request: message.Request, answer: type[Answer], frame: bytes) -> Answer:
        code = _error_code(frame)
        if code is not None:
            words = ERROR_WORDS.get(code, "an error of its own")
            raise RefusedError(f"the board refused `{_name(request)}`: {words} (error {code})", code)
        decoded = _decoded(answer, frame)
        if decoded is not None:
            return decoded
        raise LinkError(
            f"the board's answer to `{_name(request)}` is not what the protocol says, expected "
            f"{answer.__name__}; it was {_shown(frame)}",
            hint="its agent may be of another version: `rune agent --board B` installs this one",
        )

    def _write(self, data: bytes) -> None:
        assert self._stream is not None
        self._stream.write(data)
        self.sent_bytes += len(data)

    def _came(self) -> str:
        return f"; the last that came was {_shown(self._heard)}" if self._heard else "; nothing came at all"


def _key(header: Header) -> tuple[int, int, int, int]:
    return header.op, int(header.group_id), int(header.command_id), header.sequence


def _header(frame: bytes) -> Header | None:
    """The header of a message; None where it is none, or its length is not that of the message."""
    try:
        header = Header.loads(frame[: Header.SIZE])
    except (ValueError, AssertionError):
        return None
    return header if header.length == len(frame) - Header.SIZE else None


def _decoded(kind: type[Answer], frame: bytes) -> Answer | None:
    """The message in a frame; None where it is no such message."""
    try:
        return kind.loads(frame)
    except Exception:  # Whatever CBOR and its validation may raise for hostile bytes.
        return None


def _error_code(frame: bytes) -> int | None:
    """The `rc` of an answer, in either version of SMP's errors."""
    try:
        found: Any = cbor2.loads(frame[Header.SIZE :])
    except Exception:
        return None
    found = found.get("err", found) if isinstance(found, dict) else None
    code = found.get("rc") if isinstance(found, dict) else None
    return code if isinstance(code, int) and code != 0 else None


def _name(request: message.Request) -> str:
    return type(request).__name__.removesuffix("Request")


def _shown(data: bytes) -> str:
    """Bytes for an error message: in hexadecimal and, where that says something, as text."""
    data = data[-HEARD_BYTES:]
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{data.hex(' ')} ({text})"
