"""What the runtime of an AVR image does with bytes that make no sense, and with requests that come twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import cbor2
import pytest
from smp.header import OP, Flag, Header, Version
from smpclient.transport.serial.framing.cobs import Cobs

from container.golden import GoldenVector, parse
from devices import board as boards
from devices.avr.stream import BootedStream
from devices.emulators.base import start_emulator
from tests.devices.aot import containers
from tests.devices.avr.support import example_image
from tests.tools import needs_simavr

ANSWER_S = 5.0
ATTEMPTS = 2
SILENCE_S = 0.3
GROUP, RUN, FEED, TAKE, STATISTICS = 64, 2, 3, 4, 5
INVALID, UNSUPPORTED = 3, 8


class Line:
    """Requests and answers, byte by byte."""

    def __init__(self, stream: BootedStream) -> None:
        self.stream = stream
        self._framing = Cobs()
        self._sequence = 0

    def frame(self, group: int, command: int, body: bytes) -> bytes:
        self._sequence = self._sequence % 255 + 1
        header = Header(OP.WRITE, Version.V1, Flag(0), len(body), group, self._sequence, command)
        return b"".join(self._framing.encode(bytes(header) + body))

    def ask(self, group: int, command: int, **values: Any) -> dict[str, Any]:
        return self.answer(self.frame(group, command, cbor2.dumps(values)))

    def answer(self, frame: bytes) -> dict[str, Any]:
        # A busy machine may lose a byte on the emulated line, as a cable may: requests may be sent again.
        answers = (self._tried(frame) for _ in range(ATTEMPTS))
        answer = next((answer for answer in answers if answer is not None), None)
        assert answer is not None
        return answer

    def _tried(self, frame: bytes) -> dict[str, Any] | None:
        self.stream.write(frame)
        return self.heard(ANSWER_S)

    def heard(self, timeout_s: float) -> dict[str, Any] | None:
        """The answer to the last request; None when there is none."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            packet = self._framing.take()
            if packet is not None and packet[6] == self._sequence:
                found: dict[str, Any] = cbor2.loads(packet[Header.SIZE :])
                return found
            if packet is None:
                self._framing.feed(self.stream.read(end - time.monotonic()))
        return None


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    needs_simavr()
    uno = boards.load("uno")
    image = example_image("sine/int8.Runefile", "uno")
    with start_emulator(uno, firmware=image.data) as emulator:
        stream = BootedStream(str(emulator.port), uno.uart.baud)
        yield Line(stream)
        stream.close()


def vector() -> GoldenVector:
    container = containers.example("sine/int8.Runefile")
    assert container.golden is not None
    return parse(container.golden, container.manifest)[0]


def check_alive(line: Line) -> None:
    assert line.ask(0, 0, d="alive") == {"r": "alive"}


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_survived(line: Line, seed: int) -> None:
    line.stream.write(random.Random(seed).randbytes(500) + b"\0")
    check_alive(line)


def test_a_damaged_frame_has_no_answer(line: Line) -> None:
    frame = bytearray(line.frame(0, 0, cbor2.dumps({"d": "hello"})))
    frame[14] ^= 0x10
    line.stream.write(bytes(frame))
    assert line.heard(SILENCE_S) is None
    check_alive(line)


@pytest.mark.parametrize("size", [86, 87, 200, 5000])
def test_a_packet_that_is_too_long_is_dropped(line: Line, size: int) -> None:
    # The buffer has 96 bytes: 8 of header, 2 of CRC.
    line.stream.write(line.frame(0, 0, b"\0" * size))
    answer = line.heard(SILENCE_S)
    assert answer == ({"rc": INVALID} if size == 86 else None)
    check_alive(line)


@pytest.mark.parametrize("text", ["", "x" * 24, "x" * 79])
def test_an_echo_gives_every_length_back(line: Line, text: str) -> None:
    assert line.ask(0, 0, d=text) == {"r": text}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xa1",
        b"\xa1\x61n",
        b"\xa1\x61n\x1b\0\0\0\0\0\0\0\1",
        b"\xa1\x61n\x61x",
        b"\xa1\x01\x02",
        b"\xbf\x61n\x01\xff",
        b"\xa1\x61n\x01\0",
        b"\xa1\x64data\x5a\xff\xff\xff\xff",
        b"\xa1\x7a\xff\xff\xff\xff",
        b"\xba\xff\xff\xff\xff\x61n\x01",
        b"\xa1\x61z\x81\x01",
    ],
)
def test_a_request_that_is_no_map_of_ours_is_invalid(line: Line, body: bytes) -> None:
    assert line.answer(line.frame(GROUP, RUN, body)) == {"rc": INVALID}


@pytest.mark.parametrize(("group", "command"), [(1, 0), (0, 5), (64, 6), (64, 255), (0x4000, 0)])
def test_what_it_does_not_know_it_says_so(line: Line, group: int, command: int) -> None:
    assert line.ask(group, command) == {"rc": UNSUPPORTED}


def test_requests_that_come_twice_change_nothing(line: Line) -> None:
    given, taken = vector().inputs["angle"], vector().outputs[0]
    line.ask(GROUP, RUN, n=5, reset=True)
    state = line.ask(GROUP, RUN, n=5)
    assert (state["st"], state["len"], state["off"]) == (1, 4, 0)
    line.ask(GROUP, FEED, n=5, call=1, off=0, data=given[:2])
    assert line.ask(GROUP, FEED, n=5, call=1, off=0, data=b"\xff\xff")["off"] == 2
    # More than the sample has room for.
    assert line.ask(GROUP, FEED, n=5, call=1, off=2, data=given[2:] + b"\xff")["off"] == 2
    line.ask(GROUP, FEED, n=5, call=1, off=2, data=given[2:])
    state = line.ask(GROUP, FEED, n=5, call=1, off=2, data=given[2:])
    assert (state["st"], state["call"], state["len"]) == (2, 2, 4)
    for _ in range(2):
        assert line.ask(GROUP, TAKE, n=5, call=2, off=0)["data"] == taken
    assert line.ask(GROUP, TAKE, n=5, call=2, off=5)["st"] == 2
    runs = line.ask(GROUP, STATISTICS)["runs"]
    assert line.ask(GROUP, TAKE, n=5, call=2, off=4)["st"] == 3
    assert line.ask(GROUP, TAKE, n=5, call=2, off=4)["st"] == 3
    assert line.ask(GROUP, RUN, n=5)["st"] == 3
    assert line.ask(GROUP, STATISTICS)["runs"] == runs + 1
