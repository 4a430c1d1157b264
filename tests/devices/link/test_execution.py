"""Inferences on a board, fed by the host."""

from __future__ import annotations

import pytest

from container.errors import ContainerError, ExitCode, LimitError, LinkError, TrapError, UsageError
from devices.execution import BoardApplication
from devices.link.session import Session
from runtime.verify import verify_on
from tests.devices.link import applications
from tests.devices.link.fake_board import FakeBoard, Wire
from tests.devices.link.lines import Plug, Time

APP = applications.container()
SAMPLE = bytes([1, 2, 3, 250, 0, 0, 0, 128])


def application(board: FakeBoard, app: object = APP) -> BoardApplication:
    time = Time()
    return BoardApplication(app, Session(Plug(Wire(board), time), clock=time.clock))  # type: ignore[arg-type]


@pytest.mark.parametrize("buffer", [128, 512, 4096])
def test_outputs_are_the_boards_whatever_its_packets(buffer: int) -> None:
    with application(applications.holding(APP, buffer=buffer)) as app:
        result = app.infer({"numbers": SAMPLE})
    assert result.outputs == applications.compute({applications.SOURCE: SAMPLE})
    assert result.outputs[applications.SMALL_PORT] == bytes([2, 4, 6, 244])
    assert (result.code, result.cycles, result.elapsed_ns) == (0, 64_000, 1_000_000)


def test_golden_vectors_are_verified_on_the_board() -> None:
    board = applications.holding(APP)
    report = verify_on(APP, application(board))
    assert (report.vectors, report.differences) == (3, ())
    assert board.memory == 1  # reset before each


def test_a_different_output_is_told() -> None:
    wrong = applications.container(wrong=True)
    report = verify_on(wrong, application(applications.holding(wrong), wrong))
    assert {difference.output for difference in report.differences} == {"serial.1"}


def test_the_container_remembers_until_it_is_reset() -> None:
    board = applications.holding(APP)
    app = application(board)
    for remembered in (1, 2):
        app.infer({"numbers": SAMPLE})
        assert board.memory == remembered
    app.reset()
    app.infer({"numbers": SAMPLE})
    assert board.memory == 1


def test_another_container_on_the_board_is_refused() -> None:
    with pytest.raises(ContainerError, match="holds another container") as caught:
        application(applications.holding(applications.container("other")))
    assert caught.value.exit_code is ExitCode.CONTAINER
    assert "rune flash APP.rune --board nrf52840" in (caught.value.hint or "")


def test_a_board_without_a_container_is_refused() -> None:
    with pytest.raises(ContainerError, match="no container is active"):
        application(applications.board())


def test_a_sample_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match="`numbers` has 3 bytes"):
        application(applications.holding(APP)).infer({"numbers": b"abc"})


def test_a_fault_tells_stage_operator_cause_and_function() -> None:
    board = applications.holding(APP)
    app = application(board)
    app._symbols = {0x10_0204: "conv_3"}.get
    board.next_fault = {"cause": 16, "pc": 0x10_0204, "op": 0}
    with pytest.raises(
        TrapError, match=r"stage `numbers`, operator 0 \(double\) in `conv_3`.*0x00100204.*unit"
    ):
        app.infer({"numbers": SAMPLE})
    assert app.infer({"numbers": SAMPLE}).code == 0


def test_a_deadline_is_a_limit() -> None:
    board = applications.holding(APP)
    board.next_fault = {"cause": 20, "pc": 0, "op": -1}
    with pytest.raises(LimitError, match=r"the container was ended on the board .*: it took longer"):
        application(board).infer({"numbers": SAMPLE})


def test_an_inference_that_a_reset_interrupts_is_begun_anew() -> None:
    board = applications.holding(APP)
    app = application(board)
    feed = board._feed

    def interrupted(request: dict[str, object]) -> dict[str, object]:
        board._feed = feed  # type: ignore[method-assign]
        board.power_cycle()
        return feed(request)

    board._feed = interrupted  # type: ignore[method-assign]
    assert app.infer({"numbers": SAMPLE}).outputs == applications.compute({applications.SOURCE: SAMPLE})


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_reset_is_told_where_the_container_had_to_remember(when: str) -> None:
    remembering = applications.container(state_bytes=4)
    board = applications.holding(remembering)
    app = application(board, remembering)
    app.infer({"numbers": SAMPLE})
    app.infer({"numbers": SAMPLE})
    feed = board._feed

    def interrupted(request: dict[str, object]) -> dict[str, object]:
        board._feed = feed  # type: ignore[method-assign]
        board.power_cycle()
        return feed(request)

    if when == "before":
        board.power_cycle()
    else:
        board._feed = interrupted  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="forgot what it has to remember"):
        app.infer({"numbers": SAMPLE})


def test_a_board_that_resets_every_time_is_given_up() -> None:
    board = applications.holding(APP)
    app = application(board)

    def reset(request: dict[str, object]) -> dict[str, object]:
        board.power_cycle()
        return board._status()

    board._feed = reset  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="forgot the inference 3 times"):
        app.infer({"numbers": SAMPLE})


@pytest.mark.parametrize(
    "state",
    [
        {"st": 1, "port": 9, "len": 8, "off": 0},
        {"st": 1, "port": applications.SOURCE, "len": 1 << 40, "off": 0},
        {"st": 1, "port": applications.SOURCE, "len": 8, "off": 9},
        {"st": 1, "port": applications.SOURCE, "len": 8, "off": 0},
        {"st": 2, "port": applications.SMALL_PORT, "len": 4, "off": 0},
        {"st": 2, "port": 77, "len": 4, "off": 0},
        {"st": 3, "code": 0},
        {"st": 3, "code": -7},
        {"st": 4, "cause": 99, "op": 12345},
        {"st": 0},
        {"st": 6},
    ],
)
def test_a_board_that_says_nonsense_for_ever_ends_in_an_error(state: dict[str, int]) -> None:
    board = applications.holding(APP)
    app = application(board)
    board._run = board._feed = board._take = lambda request: {**state, "n": request["n"]}  # type: ignore[method-assign]
    board.handled.clear()
    with pytest.raises((TrapError, LinkError)):
        app.infer({"numbers": SAMPLE})
    assert len(board.handled) < 40
