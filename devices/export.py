"""What a board executes, as a file: for other tools, or for firmware of one's own."""

from __future__ import annotations

from container.errors import UsageError
from container.sections import Container
from devices.board import Board


def suffixes(board: Board) -> dict[str, str]:
    """The kinds of files there are for a board, and what each is."""
    own = {".c": "C for firmware of your own"}
    if board.has_agent:
        return {".img": "the image that its agent takes", **own}
    return {".hex": "the image that its bootloader takes", **own}


def export(container: Container, board: Board, suffix: str, slot: int = 0) -> bytes:
    """The file with this suffix; an image is fixed to its slot.

    Raises UsageError for a suffix or a slot that the board has not, BudgetError when the container does not
    fit, ContainerError when boards cannot take it.
    """
    _check(board, suffix, slot)
    if suffix == ".c":
        from devices.aot.translate import translate
        from devices.aot.unit import portable_unit

        return portable_unit(translate(container)).encode()
    if board.has_agent:
        from devices.aot.build import build_image

        return build_image(container, board, slot).image.encode()
    from devices.avr.build import build_avr_image

    return build_avr_image(container, board).hex.encode("ascii")


def _check(board: Board, suffix: str, slot: int) -> None:
    known = suffixes(board)
    if suffix not in known:
        kinds = " or ".join(f"{name} ({what})" for name, what in known.items())
        named = f"a file {suffix}" if suffix else "a file without a suffix"
        raise UsageError(f"{board.name} executes nothing from {named}", hint=f"name it {kinds}")
    count = len(board.flash.slots)
    if not 0 <= slot < count:
        there = f"slots 0 to {count - 1}" if count > 1 else "slot 0 alone"
        raise UsageError(f"{board.name} has no slot {slot}", hint=f"it has {there}")
