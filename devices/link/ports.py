"""Serial ports: which there are, which one is meant, and the same one again after it vanished.

The port is the one that is named; else the one remembered in the project; else the only one whose USB id
(VID:PID) is the board's.  It is never guessed.  What was flashed last is remembered in `.rune/port.json`, in
the working directory or the nearest folder above it that has a `.rune`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from container import codec
from container.errors import PortError, RuneError
from container.files import read_bounded, write_atomically
from devices.board import Board, boards
from devices.link.stream import ByteStream, SerialStream

FOLDER = ".rune"
FILE = "port.json"
MAXIMUM_FILE_BYTES = 1 << 16


@dataclass(frozen=True)
class Port:
    """A serial port that this machine has now."""

    device: str
    """Its name, such as `/dev/ttyACM0`."""
    description: str = ""
    usb_id: str | None = None
    """`VID:PID` in upper-case hexadecimal."""
    serial_number: str | None = None
    """Of the USB device."""

    def fits(self, board: Board) -> bool:
        """Whether its USB id is one of the board's."""
        return self.usb_id is not None and self.usb_id in board.usb_ids


@dataclass(frozen=True)
class Remembered:
    """What was flashed last."""

    board: str
    port: str
    """Name of the port then."""
    serial_number: str | None = None
    """Of its USB device; it is looked for under any name."""
    created_ns: int | None = None
    """Without a serial number: when the port's file was made, for another may have its name by now."""
    container: str | None = None
    """Path of the container's file."""
    digest: str | None = None
    """Of the container, in hexadecimal."""


Lister = Callable[[], Sequence[Port]]


def list_ports() -> list[Port]:
    """The serial ports of this machine, by name; those of the mainboard only where something answers
    there."""
    from serial.tools import list_ports as tool

    found = [
        Port(
            item.device,
            item.description if item.description != "n/a" else "",
            f"{item.vid:04X}:{item.pid:04X}" if item.vid is not None and item.pid is not None else None,
            item.serial_number or None,
        )
        for item in tool.comports()
    ]
    return sorted(found, key=lambda port: port.device)


def boards_of(port: Port) -> list[Board]:
    """The boards whose USB id a port has."""
    return [board for board in boards() if port.fits(board)]


def choose(
    board: Board | None,
    explicit: str | None,
    remembered: Remembered | None,
    lister: Lister = list_ports,
) -> Port:
    """The port that is meant.  `board` None means whichever was flashed last.

    Raises PortError, whose hint lists the ports, where it is not clear.
    """
    ports = lister()
    if explicit is not None:
        return _named(explicit, ports)
    if remembered is not None and (board is None or board.name == remembered.board):
        again = _again(remembered, ports)
        if again is not None:
            return again
    fitting = [port for port in ports if (port.fits(board) if board else boards_of(port))]
    if len(fitting) == 1:
        return fitting[0]
    raise _unclear(board, fitting, ports)


def opener(
    port: Port,
    baud: int,
    lister: Lister = list_ports,
    open_stream: Callable[[str, int], ByteStream] = SerialStream,
) -> Callable[[], ByteStream]:
    """Opens a port now, and later the port that has its serial number then."""

    def open_again() -> ByteStream:
        if port.serial_number is None:
            return open_stream(port.device, baud)
        same = [other for other in lister() if other.serial_number == port.serial_number]
        if not same:
            raise PortError(f"{port.device}: the port with serial number {port.serial_number} is gone")
        return open_stream(_best(same, port).device, baud)

    return open_again


def recall(folder: Path) -> Remembered | None:
    """What was flashed last in a folder or its project.  Raises PortError when the file is damaged."""
    place = _project(folder)
    file = place / FOLDER / FILE if place else None
    if file is None or not file.is_file():
        return None
    try:
        return codec.decode(Remembered, codec.parse(read_bounded(file, MAXIMUM_FILE_BYTES)))
    except RuneError as error:
        cure = "delete this file, and name the port with --port"
        raise PortError(f"{file}: {error.message}", hint=cure) from None


def remember(folder: Path, what: Remembered) -> None:
    """Keep it for the project that a folder belongs to, or begin one.  Raises RuneError."""
    write_atomically(project_folder(folder) / FILE, codec.encode(what) + b"\n")


def project_folder(folder: Path) -> Path:
    """Where things about boards are kept for the project that a folder belongs to; made where there is none.

    Raises RuneError.
    """
    place = (_project(folder) or folder.resolve()) / FOLDER
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise RuneError(f"{place}: cannot be made: {error.strerror}") from None
    return place


def created_ns(device: str) -> int | None:
    """When the file of a port was made; None where there is no such file."""
    try:
        return Path(device).stat().st_ctime_ns
    except (OSError, ValueError):
        return None


def remembered_port(ports: Iterable[Port], remembered: Remembered) -> Port | None:
    """The port among these that was flashed last."""
    return next(
        (port for port in ports if _is_it(port, remembered)),
        None,
    )


def _named(device: str, ports: Sequence[Port]) -> Port:
    """A port by its name, which may be a link such as those in /dev/serial/by-id."""
    try:
        real = str(Path(device).resolve())
    except (OSError, ValueError, RuntimeError):
        real = device
    for port in ports:
        if port.device in (device, real):
            return port
    return Port(device)


def _again(remembered: Remembered, ports: Sequence[Port]) -> Port | None:
    found = remembered_port(ports, remembered)
    if found is not None or remembered.serial_number is not None:
        return found
    unlisted = Port(remembered.port)  # such as that of an emulated board
    return unlisted if _is_it(unlisted, remembered) else None


def _is_it(port: Port, remembered: Remembered) -> bool:
    if remembered.serial_number is not None:
        return port.serial_number == remembered.serial_number
    made = created_ns(port.device)
    return port.device == remembered.port and made is not None and made == remembered.created_ns


def _best(same: Sequence[Port], port: Port) -> Port:
    """Of several ports of one USB device that which had the name before, or else the first."""
    return next((other for other in same if other.device == port.device), same[0])


def _unclear(board: Board | None, fitting: Sequence[Port], ports: Sequence[Port]) -> PortError:
    name = f"`{board.name}`" if board else "a board"
    if fitting:
        message = f"{len(fitting)} ports could be {name}: {', '.join(port.device for port in fitting)}"
    elif board and not board.usb_ids:
        message = f"{name} cannot be told by its USB id: which port is it at?"
    else:
        message = f"no port looks like {name}"
    without = "" if fitting else " (`sim` for an emulated board)"
    return PortError(message, hint=f"name it with --port PATH{without}; {listing(ports)}")


def listing(ports: Sequence[Port]) -> str:
    """The ports in one line of a hint."""
    if not ports:
        return "this machine has no serial port now"
    return "the ports are " + ", ".join(
        f"{port.device} ({port.usb_id or port.description or 'no USB'})" for port in ports
    )


def _project(folder: Path) -> Path | None:
    """The nearest folder, from `folder` upwards, that has a `.rune`."""
    start = folder.resolve()
    return next((place for place in (start, *start.parents) if (place / FOLDER).is_dir()), None)
