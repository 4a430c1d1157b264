"""The agent itself, on the virtual nRF52840, behind a cable with faults; and what a clean one carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from container.errors import ExitCode, RuneError
from container.sections import Container
from devices.board import find
from devices.emulators.base import start_emulator
from devices.execution import BoardApplication
from devices.firmware.build import build_agent
from devices.flash import flash
from devices.image import BoardImage
from devices.link import agent
from devices.link.session import Session
from devices.link.stream import SerialStream
from tests.devices.firmware.guests import guest
from tests.devices.link import applications
from tests.devices.link.faults import Faults, Kind
from tests.devices.link.proxy import HURRIED, cable
from tests.tools import needs

BOARD = find("nrf52840")
SEEDS = 1
"""For each kind of fault, and each of both things that are done."""
APPS = [applications.container(f"doubler {number}") for number in range(2)]
PORTS = """
const struct rune_port ports[] = {
  {.direction = RUNE_PORT_SOURCE, .kind = RUNE_SOURCE_HOST, .number = 3, .bytes = 8},
  {.direction = RUNE_PORT_OUTPUT, .kind = RUNE_OUTPUT_HOST, .number = 5, .bytes = 700},
  {.direction = RUNE_PORT_OUTPUT, .kind = RUNE_OUTPUT_HOST, .number = 6, .bytes = 4},
  {.direction = RUNE_PORT_END},
};
"""
BODY = """
static uint8_t numbers[8], large[700], small[4];
static int32_t run(void) {
  READ(3, numbers);
  for (int i = 0; i < 700; i++) large[i] = 2 * numbers[i % 8];
  for (int i = 0; i < 4; i++) small[i] = 2 * numbers[i];
  WRITE(5, large);
  WRITE(6, small);
  return 0;
}
"""


def image(app: Container, slot: int, padding: int = 9000, board: str = BOARD.name) -> BoardImage:
    """What `applications.compute` does, in machine code."""
    bare = guest(board, slot, BODY, PORTS)
    header = replace(bare.header, container_sha256=bytes.fromhex(app.digest))
    return BoardImage(header, bare.body + bytes(padding))


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with start_emulator(BOARD, firmware=build_agent(BOARD).image) as emulator:
        yield str(emulator.port)


def direct(port: str) -> Session:
    return Session(lambda: SerialStream(port, BOARD.uart.baud))


def put(session: Session, app: Container) -> bytes:
    """Flash it; returns the digest that the board must have."""
    done = flash(app, BOARD, session, lambda slot: image(app, slot))
    return bytes.fromhex(done.image_sha256)


def check_board(port: str, digest: bytes | None) -> None:
    """The agent is alive and, after a success, has what it must."""
    with direct(port) as session:
        states = agent.images(session)
        kept = [state.hash for state in states if state.active and state.confirmed]
        assert digest is None or kept == [digest]


TURN = count()


def do_flash(port: str, faults: Faults) -> ExitCode:
    """Always the container that the board has not."""
    digest = None
    try:
        with cable(port, faults) as line, Session(line.open, clock=HURRIED) as session:
            faults.armed = True
            digest = put(session, APPS[next(TURN) % 2])
            code = ExitCode.OK
    except RuneError as error:
        code = error.exit_code
    check_board(port, digest)
    return code


def do_run(port: str, faults: Faults) -> ExitCode:
    with direct(port) as session:
        put(session, APPS[0])
    sample = bytes(range(40, 48))
    try:
        with cable(port, faults) as line, Session(line.open, clock=HURRIED) as session:
            faults.armed = True
            application = BoardApplication(APPS[0], session)
            for _ in range(3):
                outputs = application.infer({"numbers": sample}).outputs
                assert outputs == applications.compute({applications.SOURCE: sample})
            code = ExitCode.OK
    except RuneError as error:
        code = error.exit_code
    check_board(port, None)
    return code


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("action", [do_flash, do_run])
def test_campaign(
    action: Callable[[str, Faults], ExitCode],
    kind: Kind,
    port: str,
    record_property: Callable[[str, object], None],
) -> None:
    found = Counter(action(port, Faults(kind, seed)) for seed in range(SEEDS))
    record_property("outcomes", {code.name: count for code, count in found.items()})
    assert found.total() == SEEDS
    assert set(found) <= {ExitCode.OK, ExitCode.LINK}


def test_sixty_kilobytes_at_115200_baud() -> None:
    """At an effective 8 KB/s or better, on a board whose emulation is faster than the line; that carries
    11.5."""
    needs("qemu-system-arm")
    board = find("mps2-an386")
    with (
        start_emulator(board, firmware=build_agent(board).image, baud_limit=True) as emulator,
        direct(str(emulator.port)) as session,
    ):
        done = flash(APPS[0], board, session, lambda slot: image(APPS[0], slot, 60_000, board.name))
    transfer = done.transfer
    assert transfer is not None
    assert transfer.bytes > 60_000
    assert transfer.framing == "cobs"
    assert transfer.wire_bytes < 1.02 * transfer.bytes
    assert 8_000 < transfer.rate < 11_600
