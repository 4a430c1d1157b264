"""The functions of the public API that have to do with boards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from container.sections import load as load_container

if TYPE_CHECKING:
    from devices.board import Board
    from devices.execution import BoardApplication
    from devices.flash import Flashed

DEADLINE_S = 10.0


def flash(
    container: Path | str, *, board: str | None = None, port: str | None = None, folder: Path | str = "."
) -> Flashed:
    """Put a `.rune` file on a board and start it; returns what the board has then.

    The board is the one of that name at `port`, a serial port or `sim` for an emulated one; what is left out
    is what was used last in the project in `folder`, where it is remembered.  Raises ContainerError,
    UsageError, PortError, LinkError, BudgetError where there is no room, TrapError where it cannot start.
    """
    from devices.connection import Place
    from devices.deployment import deploy

    path, app = Path(container), load_container(container)
    with Place(Path(folder), board=_board(board), port=port) as place:
        flashed = deploy(app, place)
        if place.board is not None:
            place.remember(place.board, app, path)
        return flashed


@contextmanager
def connect(
    container: Path | str,
    *,
    board: str | None = None,
    port: str | None = None,
    folder: Path | str = ".",
    deadline_s: float = DEADLINE_S,
) -> Iterator[BoardApplication]:
    """A `.rune` file on the board that it was flashed to, ready to run there; for a `with` statement.

    `board`, `port` and `folder` are those of `flash`; an inference takes at most `deadline_s` seconds.
    Raises ContainerError when the board holds another container; UsageError, PortError, LinkError.
    """
    from devices.connection import Place, board_application

    app = load_container(container)
    with (
        Place(Path(folder), board=_board(board), port=port) as place,
        board_application(app, place, deadline_s=deadline_s) as application,
    ):
        yield application


def _board(name: str | None) -> Board | None:
    from devices.board import find

    return None if name is None else find(name)
