"""Inferences out of notifications: parts put together, broken links waited for, faults told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp.header import OP

from container.errors import ContainerError, LinkError, PortError, TrapError
from container.manifest import Manifest
from devices.link.messages import Output
from devices.link.session import Session
from devices.monitor import Assembler, Inference, Monitor
from tests.devices.link import applications
from tests.devices.link.applications import LARGE, LARGE_PORT, SMALL_PORT
from tests.devices.link.fake_board import FakeBoard, Wire, encoded
from tests.devices.link.lines import Plug, Time

APP = applications.container()
VALUES = {LARGE_PORT: bytes(number % 251 for number in range(LARGE.bytes)), SMALL_PORT: b"wxyz"}


def parts(board: FakeBoard, sequence: int, values: dict[int, bytes], size: int = 96) -> list[bytes]:
    """The notifications of one inference, as an agent sends them."""
    return [
        board.output(sequence, port, data[start : start + size], start, len(data))
        for port, data in values.items()
        for start in range(0, len(data), size)
    ]


def listening(
    board: FakeBoard, for_s: float = 20.0, manifest: Manifest | None = APP.manifest
) -> tuple[Monitor, Plug]:
    time = Time()
    plug = Plug(Wire(board), time)

    def connect() -> Session:
        return Session(plug, clock=time.clock)

    return Monitor(connect, manifest_of=lambda digest: manifest, for_s=for_s, clock=time.clock), plug


def say(plug: Plug, messages: Sequence[bytes]) -> None:
    assert plug.line is not None
    for message in messages:
        plug.line.arrive(plug.wire.notify(message))


def looping() -> FakeBoard:
    return applications.holding(APP, own_sensors=True)


def heard(monitor: Monitor, plug: Plug, messages: Sequence[bytes]) -> list[Inference]:
    """What comes of notifications that are sent once the board was asked for them."""
    listen = monitor._listen

    def after_renewal(session: Session) -> object:
        say(plug, messages)
        return listen(session)

    monitor._listen = after_renewal  # type: ignore[method-assign, assignment]
    return list(monitor.inferences())


def test_parts_become_inferences() -> None:
    board = looping()
    monitor, plug = listening(board)
    found = heard(monitor, plug, [*parts(board, 4, VALUES), *parts(board, 5, VALUES)])
    assert found == [Inference(4, VALUES), Inference(5, VALUES)]
    assert (monitor.losses.inferences, board.resets) == (0, 0)
    assert plug.time.now_s == pytest.approx(20.0, abs=0.1)


def test_the_time_begins_when_the_board_has_answered() -> None:
    time = Time()
    plug = Plug(Wire(looping()), time)

    def connect() -> Session:
        time.clock.sleep(7.0)  # As a bootloader takes it.
        return Session(plug, clock=time.clock)

    monitor = Monitor(connect, for_s=5.0, clock=time.clock)
    assert list(monitor.inferences()) == []
    assert plug.time.now_s == pytest.approx(12.0, abs=0.1)


def test_parts_that_come_twice_count_once() -> None:
    board = looping()
    monitor, plug = listening(board)
    twice = [part for part in parts(board, 4, VALUES) for _ in range(2)]
    assert heard(monitor, plug, twice) == [Inference(4, VALUES)]


def test_an_inference_with_a_lost_part_is_counted_and_not_shown() -> None:
    board = looping()
    monitor, plug = listening(board)
    broken = parts(board, 4, VALUES)
    del broken[2]
    assert heard(monitor, plug, broken + parts(board, 5, VALUES)) == [Inference(5, VALUES)]
    assert monitor.losses.inferences == 1


def test_without_a_manifest_outputs_come_by_number() -> None:
    board = looping()
    monitor, plug = listening(board, manifest=None)
    assert heard(monitor, plug, parts(board, 0, {9: b"ab", 12: b""})) == [Inference(0, {9: b"ab"})]


def test_the_lease_is_renewed() -> None:
    board = looping()
    monitor, _ = listening(board, for_s=20.0)
    board.handled.clear()
    assert list(monitor.inferences()) == []
    assert board.handled.count((64, 1)) == 7  # at 0, 3, 6, ... 18 s


def test_a_broken_link_is_waited_for() -> None:
    board = looping()
    told: list[str] = []
    monitor, plug = listening(board, for_s=1000.0)
    monitor._tell = told.append
    connected = iter([None, *parts(board, 8, VALUES)])
    listen = monitor._listen

    def pulled(session: Session) -> object:
        if next(connected, None) is None:
            plug.pull(300.0)
        else:
            say(plug, parts(board, 8, VALUES))
        return listen(session)

    monitor._listen = pulled  # type: ignore[method-assign, assignment]
    assert list(islice(monitor.inferences(), 1)) == [Inference(8, VALUES)]
    assert (monitor.losses.links, plug.opened) == (1, 2)
    assert "waiting for the board" in told[0]


def test_a_board_that_stays_away_ends_with_the_time() -> None:
    monitor, plug = listening(looping(), for_s=60.0)
    listen = monitor._listen

    def pulled(session: Session) -> object:
        plug.pull(1e9)
        return listen(session)

    monitor._listen = pulled  # type: ignore[method-assign, assignment]
    with pytest.raises((PortError, LinkError)):
        list(monitor.inferences())
    assert plug.time.now_s < 100


def test_a_fault_of_the_loop_is_told() -> None:
    board = looping()
    monitor, plug = listening(board)
    fault = encoded(OP.WRITE_RSP, 64, 6, 0, {"seq": 3, "cause": 3, "pc": 0x10100, "op": 0})
    with pytest.raises(TrapError, match=r"stage `numbers`, operator 0 \(double\).*division by zero"):
        heard(monitor, plug, [fault])


def test_a_container_that_the_host_must_feed_is_refused() -> None:
    monitor, _ = listening(applications.holding(APP))
    with pytest.raises(ContainerError, match="does not run by itself") as caught:
        list(monitor.inferences())
    assert "rune run" in (caught.value.hint or "")


def test_a_board_without_a_container_is_refused() -> None:
    monitor, _ = listening(applications.board())
    with pytest.raises(ContainerError, match="no container is active"):
        list(monitor.inferences())


OUTPUTS = st.builds(
    lambda **fields: Output.loads(encoded(OP.WRITE_RSP, 64, 6, 0, fields)),
    seq=st.integers(0, 3),
    port=st.sampled_from([LARGE_PORT, SMALL_PORT, 7, 1 << 40]),
    len=st.sampled_from([0, 4, LARGE.bytes, 1 << 62]),
    off=st.sampled_from([0, 2, 4, 1 << 62]),
    data=st.binary(max_size=LARGE.bytes),
)


@given(st.lists(OUTPUTS, max_size=30), st.booleans())
def test_whatever_parts_come_values_have_their_lengths(outputs: list[Output], known: bool) -> None:
    assembler = Assembler(APP.manifest if known else None)
    found = [inference for output in outputs for inference in assembler.add(output)]
    for inference in found + assembler.flush():
        for port, data in inference.outputs.items():
            lengths = {output.len for output in outputs if output.port == port}
            assert len(data) in lengths
        if known:
            sizes = {port: len(data) for port, data in inference.outputs.items()}
            assert sizes == {LARGE_PORT: LARGE.bytes, SMALL_PORT: 4}
