"""From what a user says, a board, a port or nothing, to the board at the other end of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from container.errors import RuneError, UsageError
from container.sections import Container
from devices.board import Architecture, Board, find
from devices.execution import BoardApplication, Symbols
from devices.flash import check_board
from devices.image import BoardImage
from devices.link import agent, ports
from devices.link.ports import Port, Remembered
from devices.link.session import Session
from devices.link.stream import ByteStream, SerialStream

SIM = "sim"
"""Instead of a port: an emulated board, started for the command; its flash is kept in the project."""
SIM_BOARD = "nrf52840"
"""Which one, where no board is named: the one that needs nothing but Python packages."""
DEFAULT_BAUD = 115_200


class Place:
    """A board at a port, found and maybe started; ends an emulated one with its context.

    `board` is None where neither the user nor the memory of the project says which it is.
    """

    def __init__(
        self, folder: Path, *, board: Board | None = None, port: str | None = None, fresh: bool = False
    ) -> None:
        """Find the port.  With `fresh`, `sim` is a new board, which nobody flashed.

        Raises PortError where the port is not clear, UsageError, and what the emulator raises.
        """
        self._folder = folder
        self._stack = ExitStack()
        self._remembered = ports.recall(folder)
        self.board = board or self._remembered_board(port)
        self.is_sim = port == SIM or (port is None and self._remembers_sim(board))
        self._state = self._state_file() if self.is_sim and not fresh else None
        self.port = self._emulated(self._state) if self.is_sim else self._real(port)

    def connect(self) -> Session:
        """A session with the board.  Raises PortError, LinkError."""
        return Session(self.opener(), baud=self.baud)

    def opener(self) -> Callable[[], ByteStream]:
        """Opens the port, under whatever name it has then."""
        if self.board is not None and self.board.cpu.architecture is Architecture.AVR:
            from devices.avr.stream import BootedStream

            return ports.opener(self.port, self.baud, open_stream=BootedStream)
        if self.board is None:
            from devices.avr.stream import open_unknown

            return ports.opener(self.port, self.baud, open_stream=open_unknown)
        return ports.opener(self.port, self.baud, open_stream=SerialStream)

    @property
    def baud(self) -> int:
        """Of the board's serial line."""
        return self.board.uart.baud if self.board else DEFAULT_BAUD

    def remember(self, board: Board, container: Container, path: Path) -> None:
        """Keep in the project what was flashed, and where.  Raises RuneError."""
        made = None if self.is_sim or self.port.serial_number else ports.created_ns(self.port.device)
        what = Remembered(
            board.name,
            SIM if self.is_sim else self.port.device,
            self.port.serial_number,
            made,
            str(path.resolve()),
            container.digest,
        )
        ports.remember(self._folder, what)

    def remembered_container(self, digest: bytes | None) -> Path | None:
        """The file of the container with this digest, where it was flashed from this project."""
        known = self._remembered
        if known is None or digest is None or known.container is None or known.digest != digest.hex():
            return None
        return Path(known.container)

    @property
    def takes_preloaded(self) -> bool:
        """Whether its board is emulated by what cannot write flash: containers arrive by `preload` alone."""
        choice = self.board.emulator if self.board else None
        return self.is_sim and choice is not None and choice.read_only_flash

    def preload(self, image: BoardImage) -> None:
        """Start the emulated board anew with a container in its flash, confirmed.

        The image is for the slot `devices.emulators.preloaded.SLOT`.  Raises what starting the emulator does.
        """
        from devices.emulators.flash_file import FlashFile
        from devices.emulators.preloaded import preloaded_flash

        assert self.board is not None
        self._stack.close()
        state = self._state
        if state is None:
            state = Path(self._stack.enter_context(TemporaryDirectory(prefix="rune-sim-"))) / "flash"
        FlashFile(state, self.board).save(preloaded_flash(self.board, image))
        self.port = self._emulated(state)

    def close(self) -> None:
        """End the emulated board, after it has kept its flash.  Raises LinkError where it failed."""
        self._stack.close()

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _remembered_board(self, port: str | None) -> Board | None:
        """Whatever was flashed last, unless another port is named."""
        known = self._remembered
        if port == SIM:
            return find(known.board if known and known.port == SIM else SIM_BOARD)
        if known is None or port not in (None, known.port):
            return None
        return find(known.board)

    def _remembers_sim(self, board: Board | None) -> bool:
        known = self._remembered
        return known is not None and known.port == SIM and (board is None or board.name == known.board)

    def _real(self, port: str | None) -> Port:
        found = ports.choose(self.board, port, self._remembered)
        if self.board is None:
            boards = ports.boards_of(found)
            self.board = boards[0] if len(boards) == 1 else None
        return found

    def _state_file(self) -> Path:
        """Keeps the flash of an emulated board in the project."""
        assert self.board is not None
        return ports.project_folder(self._folder) / f"sim-{self.board.name}.flash"

    def _emulated(self, state: Path | None) -> Port:
        from devices.emulators.sim import start_sim

        assert self.board is not None
        if self.board.emulator is None:
            raise UsageError(
                f"there is no emulator of the board `{self.board.name}`",
                hint="name its port with --port PATH",
            )
        emulator = self._stack.enter_context(start_sim(self.board, state))
        return Port(str(emulator.port))


def board_application(container: Container, place: Place, *, deadline_s: float) -> BoardApplication:
    """The container on the board at a place.  Raises what `Place.connect` and `BoardApplication` raise."""
    session = place.connect()
    try:
        if place.board is not None:
            check_board(session.facts, place.board)
        functions = _function_finder(container, place.board, session)
        return BoardApplication(container, session, deadline_s=deadline_s, symbols=functions)
    except BaseException:
        session.close()
        raise


def _function_finder(container: Container, board: Board | None, session: Session) -> Symbols:
    """Tells the WebAssembly function at a program counter, by translating the container again when asked."""

    def function_at(pc: int) -> str | None:
        active = next((state.slot for state in agent.images(session) if state.active), None)
        if board is None or active is None:
            return None
        from devices.aot.build import build_image

        return build_image(container, board, active).function_at(pc)

    def function_or_none(pc: int) -> str | None:
        with suppress(RuneError):  # It would only add to what is told anyway.
            return function_at(pc)
        return None

    return function_or_none
