"""Containers onto a board: what is sent, what is not, and when it counts as done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from container.errors import LinkError, RuneError, TrapError
from container.sections import Container
from devices.board import load
from devices.flash import Flashed, flash
from devices.image import BoardImage
from devices.link.session import Session
from devices.link.upload import Progress
from tests.devices.link import applications
from tests.devices.link.fake_board import FakeBoard, Wire
from tests.devices.link.lines import Plug, Time

APP = applications.container()
OLD = applications.container("older")
UPLOAD = (1, 1)


def translated(app: Container, size: int = 3001) -> Callable[[int], BoardImage]:
    return lambda slot: applications.image(app, slot, size=size)


def flashed(board: FakeBoard, app: Container = APP, **options: object) -> Flashed:
    time = Time()
    with Session(Plug(Wire(board), time), clock=time.clock) as session:
        return flash(app, load("nrf52840"), session, translated(app), **options)  # type: ignore[arg-type]


def test_an_empty_board_gets_the_container() -> None:
    board = applications.board()
    done = flashed(board)
    assert done.transfer is not None
    assert (done.slot, done.transfer.resumed_at, done.looping) == (0, 0, False)
    assert board.slots[0].data == applications.image(APP, 0).encode()
    assert (board.active, board.slots[0].confirmed) == (0, True)
    assert (done.image_sha256, done.container_sha256) == (board.slots[0].data[-32:].hex(), APP.digest)


def test_the_next_container_goes_to_the_other_slot() -> None:
    board = applications.holding(OLD)
    done = flashed(board)
    assert (done.slot, board.active) == (1, 1)
    assert [slot.confirmed for slot in board.slots] == [False, True]
    assert board.slots[1].data == applications.image(APP, 1).encode()


def test_what_is_there_is_not_sent_again() -> None:
    board = applications.holding(APP, slot=1)
    board.handled.clear()
    assert flashed(board).transfer is None
    assert UPLOAD not in board.handled
    assert board.active == 1


def test_what_waits_in_the_other_slot_is_not_sent_again() -> None:
    board = applications.holding(OLD)
    board.slots[1].data = applications.image(APP, 1).encode()
    assert flashed(board).transfer is None
    assert board.active == 1


def test_a_container_that_was_tried_and_not_confirmed_makes_room() -> None:
    board = applications.holding(OLD)
    board.slots[1].data = applications.image(applications.container("tried"), 1).encode()
    board.active = 1
    assert flashed(board).slot == 1
    assert board.slots[1].data == applications.image(APP, 1).encode()


def test_another_board_is_refused_before_anything_is_sent() -> None:
    board = applications.board(name="microbit")
    with pytest.raises(LinkError, match="the board at this port is `microbit`, expected `nrf52840`"):
        flashed(board)
    assert UPLOAD not in board.handled


def test_an_upload_goes_on_where_a_broken_one_stopped() -> None:
    board = applications.board()
    time = Time()
    plug = Plug(Wire(board), time)

    def stop(progress: Progress) -> None:
        if progress.sent > 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Session(plug, clock=time.clock) as session:
        flash(APP, load("nrf52840"), session, translated(APP), report=stop)
    there = len(board.slots[0].data)
    assert 1000 < there < 2000
    board.power_cycle()
    transfer = flashed(board).transfer
    assert transfer is not None
    assert (transfer.resumed_at, transfer.bytes) == (there, len(board.slots[0].data) - there)


def test_a_container_that_faults_as_it_starts_is_told() -> None:
    board = applications.holding(OLD)

    def plant(phase: str) -> None:
        board.next_fault = {"cause": 7, "pc": 0x80123, "op": 1} if phase == "start" else None

    with pytest.raises(
        TrapError, match=r"stage `serial`, operator 1 \(write\) .*0x00080123.*stack is used up"
    ):
        flashed(board, tell=plant)
    assert board.active == 0
    assert board.slots[0].confirmed


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("other", "the board did not start the container"),
        ("unconfirmed", "not both active and confirmed"),
        ("container", "made from another container"),
    ],
)
def test_a_board_that_does_not_have_it_in_the_end_is_no_success(lie: str, message: str) -> None:
    board = applications.holding(OLD)
    start, facts, find = board._start, board._facts, board._find

    def other() -> None:
        start()
        board.active = 0

    if lie == "other":
        board._start = other  # type: ignore[method-assign]
    elif lie == "unconfirmed":
        board._find = lambda digest: type(find(digest))()  # type: ignore[method-assign]
        board._start = lambda: setattr(board, "active", 1)  # type: ignore[method-assign]
    else:
        board._facts = lambda: {**facts(), "container": bytes(32)}  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=message):
        flashed(board)


def test_a_board_that_damages_the_image_is_given_up() -> None:
    board = applications.board()
    upload = board._upload

    def damaged(request: dict[str, object]) -> dict[str, object]:
        data = request["data"]
        assert isinstance(data, bytes)
        return upload({**request, "data": data[:-1] + b"x" if data else data})

    board._upload = damaged  # type: ignore[method-assign]
    with pytest.raises(LinkError, match=r"did not take the image in 3 attempts: .*corrupted"):
        flashed(board)


@pytest.mark.parametrize("offset", [-1, 10**9, 8])
def test_offsets_that_make_no_sense_end_the_upload(offset: int) -> None:
    board = applications.board()
    board._upload = lambda request: {"off": offset}  # type: ignore[method-assign]
    with pytest.raises(RuneError, match=r"the board (says that it has|stays at)"):
        flashed(board)
    assert len(board.handled) < 50


def test_a_container_whose_sensors_are_all_the_boards_runs_by_itself() -> None:
    app = applications.container(target="RAND")
    board = applications.board(own_sensors=True)
    assert flashed(board, app).looping
    assert board.looping


def test_the_rate_at_115200_baud_and_what_limits_it() -> None:
    """60 KB in packets of 1 KB: the line carries 11,520 bytes a second, and is what limits them."""
    board = applications.board(buffer=1024)
    time = Time()
    reports: list[Progress] = []
    with Session(Plug(Wire(board), time), clock=time.clock) as session:
        done = flash(APP, load("nrf52840"), session, translated(APP, 60_000), report=reports.append)
    transfer = done.transfer
    assert transfer is not None
    assert transfer.framing == "cobs"
    assert 10_000 < transfer.rate < 11_520
    assert 0.9 < transfer.wire_share < 1
    assert transfer.wire_bytes < 1.06 * transfer.bytes
    assert reports[-1].sent == reports[-1].total == len(board.slots[0].data)
    assert reports[10].left_s == pytest.approx((reports[10].total - reports[10].sent) / reports[10].rate)
