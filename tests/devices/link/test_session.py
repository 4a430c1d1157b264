"""Requests, deadlines, repetitions, framings and refusals of a session."""

from __future__ import annotations

import binascii
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp.header import OP
from smp.os_management import EchoWriteRequest, EchoWriteResponse

from container.errors import ExitCode, LinkError
from devices.link import agent
from devices.link.framing import Console, framings
from devices.link.messages import FactsRead, Phase
from devices.link.session import Patience, RefusedError, Session
from tests.devices.link.fake_board import FakeBoard, Wire, encoded
from tests.devices.link.lines import Line, Plug, Time


def echoing() -> FakeBoard:
    return FakeBoard({1: 4}, lambda samples: {0: samples[1]})


def connected(
    board: FakeBoard, *, understands: tuple[str, ...] = ("cobs", "console")
) -> tuple[Session, Plug]:
    time = Time()
    plug = Plug(Wire(board, understands), time)
    return Session(plug, clock=time.clock, first_sequence=1), plug


def echo(session: Session, text: str = "hello") -> str:
    return session.request(EchoWriteRequest(d=text), EchoWriteResponse).r


@pytest.mark.parametrize("framing", ["cobs", "console"])
def test_a_board_is_greeted_in_the_framing_it_understands(framing: str) -> None:
    session, plug = connected(echoing(), understands=(framing,))
    assert session.framing == framing
    assert (session.facts.board, session.facts.buf) == ("nrf52840", 512)
    assert echo(session) == "hello"
    assert plug.opened == 1


def test_a_lost_answer_is_asked_for_again() -> None:
    session, plug = connected(echoing())
    lost = iter([True, False])
    assert plug.line is not None
    arrive = plug.line.arrive
    plug.line.arrive = lambda data, delay_s=0.0: None if data and next(lost) else arrive(data)  # type: ignore[method-assign]
    assert echo(session) == "hello"
    assert (session.repetitions, plug.opened) == (1, 1)
    assert plug.time.now_s == pytest.approx(1.0, abs=0.1)


def test_a_repetition_is_not_taken_for_the_end_of_a_request_that_was_cut() -> None:
    session, plug = connected(echoing())
    receive, cut = plug.wire.receive, iter([True])
    plug.wire.receive = lambda data: receive(data[:-5] if next(cut, False) else data)  # type: ignore[method-assign]
    assert echo(session) == "hello"
    assert session.repetitions == 1


def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    session, plug = connected(echoing())
    assert plug.line is not None
    plug.line.wire.receive, receive = lambda data: b"", plug.line.wire.receive  # type: ignore[method-assign]
    stale = b"".join(framings()["cobs"].encode(encoded(OP.WRITE_RSP, 0, 0, session._sequence, {"r": "old"})))
    plug.line.wire.receive = receive  # type: ignore[method-assign]
    plug.line.arrive(stale)
    assert echo(session, "new") == "new"


def test_a_link_that_vanishes_is_opened_again() -> None:
    session, plug = connected(echoing())
    plug.pull(3.0)
    assert echo(session) == "hello"
    assert (session.reopened, plug.opened) == (1, 2)


def test_a_board_that_stays_away_is_given_up() -> None:
    session, plug = connected(echoing())
    plug.pull(1e9)
    with pytest.raises(LinkError, match="the port did not come back in 10 s") as caught:
        echo(session)
    assert caught.value.exit_code is ExitCode.LINK
    patience = Patience()
    assert plug.time.now_s < (patience.reopens + 1) * (patience.reopen_s + 1)


def test_silence_is_given_up_with_what_came() -> None:
    session, plug = connected(echoing())
    noise = b"\xff\xfe login: "
    plug.wire.receive = lambda data: noise  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"does not answer `EchoWrite`.*ff fe 20 6c 6f 67 69 6e.*login:"):
        echo(session)
    assert plug.time.now_s < 60


def test_a_port_without_an_agent_is_told() -> None:
    time = Time()
    wire = Wire(echoing())
    wire.receive = lambda data: b""  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"no agent of Rune answers: .* nothing came at all") as caught:
        Session(Plug(wire, time), clock=time.clock)
    assert "rune agent --board" in (caught.value.hint or "")


def test_another_board_after_a_broken_link_is_refused() -> None:
    board = echoing()
    session, plug = connected(board)
    plug.pull(1.0)
    board.serial = "BEEF"
    with pytest.raises(LinkError, match="another board answers: `nrf52840` BEEF where `nrf52840` F00D was"):
        echo(session)


def test_refusals_are_words() -> None:
    session, _ = connected(echoing())
    with pytest.raises(RefusedError, match=r"refused `ImageStatesWrite`: there is no such thing \(error 5\)"):
        agent.confirm(session, bytes(32))


def test_refusals_of_smp_version_2_are_understood() -> None:
    board = echoing()
    session, _ = connected(board)
    board.handle = lambda message: encoded(  # type: ignore[method-assign]
        OP.WRITE_RSP, 0, 0, message[6], {"err": {"group": 0, "rc": 8}}
    )
    with pytest.raises(RefusedError, match="it does not know the command"):
        echo(session)


def test_an_answer_of_another_shape_is_shown() -> None:
    board = echoing()
    session, _ = connected(board)
    board.handle = lambda message: encoded(OP.WRITE_RSP, 64, 1, message[6], {"st": "busy"})  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"expected State; it was 0b 00 .*st.*busy"):
        agent.control(session, run=False)


def test_notifications_wait_for_their_reader() -> None:
    board = echoing()
    session, plug = connected(board)
    assert plug.line is not None
    plug.line.arrive(plug.wire.notify(board.output(7, 0, b"abcd")))
    assert echo(session) == "hello"
    (output,) = session.outputs(until=plug.time.now_s)
    assert (output.seq, output.port, output.data) == (7, 0, b"abcd")
    assert session.outputs(until=plug.time.now_s + 1) == []


def test_a_flood_does_not_hold_a_request_for_ever() -> None:
    session, plug = connected(echoing())

    class Flood(Line):
        def read(self, timeout_s: float) -> bytes:
            self.time.sleep(0.05)
            return b"\x01\x02\x00" * 100

    plug.make = lambda: Flood(plug.wire, plug.time)  # type: ignore[method-assign]
    plug.pull(0.0)
    with pytest.raises(LinkError):
        echo(session)
    assert plug.time.now_s < 120


@given(st.binary(max_size=300))
def test_hostile_bytes_never_crash_a_session(data: bytes) -> None:
    """Whatever comes, valid frames of it included, ends in an answer or a LinkError, within a bounded
    time."""
    session, plug = connected(echoing())
    cobs = framings()["cobs"]
    header = encoded(OP.WRITE_RSP, 0, 0, session._sequence + 1, {})[:2] + len(data).to_bytes(2, "big")
    framed = header + bytes([0, 0, session._sequence + 1, 0]) + data
    hostile = b"".join(cobs.encode(framed)) + data
    plug.wire.receive = lambda data: hostile  # type: ignore[method-assign]
    with contextlib.suppress(LinkError):
        assert isinstance(echo(session), str)
    assert plug.time.now_s < 120


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=4), st.binary(max_size=40), st.integers(1, 64))
def test_console_messages_survive_any_division_of_their_bytes(
    messages: list[bytes], noise: bytes, step: int
) -> None:
    framing = Console()
    wire = noise.replace(b"\x06\x09", b"").replace(b"\n", b"") + b"\n"
    wire += b"".join(b"".join(framing.encode(message)) for message in messages)
    found = []
    for start in range(0, len(wire), step):
        framing.feed(wire[start : start + step])
        while (message := framing.take()) is not None:
            found.append(message)
    assert found == messages


@given(st.binary(max_size=2000))
def test_noise_gives_no_console_message(noise: bytes) -> None:
    framing = Console()
    framing.feed(noise)
    while framing.take() is not None:
        raise AssertionError("a message with a right CRC-16 out of noise")


def test_the_documented_frame_of_a_request() -> None:
    """Read facts, sequence number 1: the bytes that docs/device-protocol.md leads to."""
    message = bytes.fromhex("08 00 00 01 00 40 01 00 a0")
    request = FactsRead(sequence=1)
    assert message == request.BYTES
    assert binascii.crc_hqx(message, 0) == 0x8019
    assert b"".join(framings()["cobs"].encode(message)).hex(" ") == "02 08 01 02 01 03 40 01 04 a0 80 19 00"
    assert b"".join(framings()["console"].encode(message)) == b"\x06\x09AAsIAAABAEABAKCAGQ==\n"


def test_states_are_phases() -> None:
    session, _ = connected(echoing())
    assert agent.control(session, run=False).st is Phase.EMPTY
