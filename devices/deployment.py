"""A container onto the board at a place, by whatever way that board takes containers."""

from __future__ import annotations

import hashlib

from container.errors import UsageError
from container.sections import Container
from devices.board import Board
from devices.connection import Place
from devices.flash import Flashed, Tell
from devices.image import BoardImage
from devices.link.upload import Report


def deploy(
    container: Container,
    place: Place,
    *,
    report: Report = lambda progress: None,
    tell: Tell = lambda phase: None,
) -> Flashed:
    """Translate a container, put it on the board and start it.

    `report` is told after each chunk of an upload, `tell` each phase as it begins.  Raises UsageError where
    it is not known which board is there, BudgetError where it has no room; and what `devices.flash.flash` and
    `devices.loaders.avrdude.flash_avr` raise.
    """
    if place.board is None:
        raise UsageError("it is not said which board", hint="name it with --board; `rune boards` lists them")
    if place.board.has_agent:
        return _through_agent(container, place.board, place, report, tell)
    return _as_whole_image(container, place.board, place, tell)


def _through_agent(container: Container, board: Board, place: Place, report: Report, tell: Tell) -> Flashed:
    from devices.aot.build import build_image
    from devices.flash import flash

    def translate(slot: int) -> BoardImage:
        return build_image(container, board, slot).image

    if place.takes_preloaded:
        from devices.emulators.preloaded import SLOT

        place.preload(translate(SLOT))
    with place.connect() as session:
        return flash(container, board, session, translate, report=report, tell=tell)


def _as_whole_image(container: Container, board: Board, place: Place, tell: Tell) -> Flashed:
    from devices.loaders.avrdude import flash_avr

    done = flash_avr(container, board, place.port.device, tell)
    build = done.build
    return Flashed(
        board.name,
        serial="",
        slot=None,
        image_bytes=len(build.data),
        image_sha256=hashlib.sha256(build.data).hexdigest(),
        container_sha256=container.digest,
        transfer=None,
        looping=done.looping,
    )
