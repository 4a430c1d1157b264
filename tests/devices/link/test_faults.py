"""The link-fault campaign: whatever the line does, no hang, no false success, the right error.

Time is the tests' own, so that thousands of waits pass in seconds.  The board is the one written from the
protocol's page; `test_real_agent.py` does the same, with fewer seeds, to the agent itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from container.errors import ExitCode, RuneError
from devices.board import load
from devices.execution import BoardApplication
from devices.flash import flash
from devices.link.session import Session
from runtime.verify import verify_on
from tests.devices.link import applications
from tests.devices.link.fake_board import FakeBoard
from tests.devices.link.faults import Faults, FaultyPlug, Kind
from tests.devices.link.lines import Time

SEEDS = 40
"""For each kind of fault and each thing that is done; a third of them from the very first greeting on."""
LONGEST_S = 1800.0
"""Of the line's time; the bound of a session for each of some dozens of requests."""
APP = applications.container()
OLD = applications.container("older")
SAMPLES = [{"numbers": bytes([number] * 8)} for number in (1, 77, 200)]


def do_flash(session: Session, board: FakeBoard) -> None:
    done = flash(APP, load("nrf52840"), session, lambda slot: applications.image(APP, slot))
    assert board.active == done.slot == 1
    slot = board.slots[done.slot]
    assert slot.confirmed
    assert slot.data == applications.image(APP, done.slot).encode()


def do_run(session: Session, board: FakeBoard) -> None:
    application = BoardApplication(APP, session)
    for sample in SAMPLES:
        outputs = application.infer(sample).outputs
        assert outputs == applications.compute({applications.SOURCE: sample["numbers"]})


def do_verify(session: Session, board: FakeBoard) -> None:
    assert verify_on(APP, BoardApplication(APP, session)).differences == ()


ACTIONS: dict[str, Callable[[Session, FakeBoard], None]] = {
    "flash": do_flash,
    "run": do_run,
    "verify": do_verify,
}


def outcome(action: str, kind: Kind, seed: int) -> ExitCode:
    """Do it on a line with faults; a success is checked against what the board has."""
    board = applications.holding(OLD if action == "flash" else APP)
    time, faults = Time(), Faults(kind, seed)
    faults.armed = seed % 3 == 0
    try:
        plug = FaultyPlug(board, time, faults)
        with Session(plug.open_renamed, clock=time.clock, first_sequence=seed % 255 + 1) as session:
            faults.armed = True
            ACTIONS[action](session, board)
            code = ExitCode.OK
    except RuneError as error:
        code = error.exit_code
    assert time.now_s < LONGEST_S
    return code


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("action", ACTIONS)
def test_campaign(action: str, kind: Kind, record_property: Callable[[str, object], None]) -> None:
    found = Counter(outcome(action, kind, seed) for seed in range(SEEDS))
    record_property("outcomes", {code.name: count for code, count in found.items()})
    assert set(found) <= {ExitCode.OK, ExitCode.LINK}
    assert found[ExitCode.OK] >= SEEDS // 5
    assert found.total() == SEEDS
