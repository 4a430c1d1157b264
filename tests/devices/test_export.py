"""Exported files: what each board's tools take."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest
from intelhex import IntelHex

from container.errors import UsageError
from devices import board
from devices.aot.build import build_image
from devices.export import export
from devices.image import BoardImage
from devices.size import measure
from tests.devices.aot import containers
from tests.tools import needs

SINE = "sine/int8.Runefile"


def test_an_image_is_for_its_slot() -> None:
    container, microbit = containers.example(SINE), board.find("microbit")
    for slot, region in enumerate(microbit.flash.slots):
        data = export(container, microbit, ".img", slot)
        header = BoardImage.parse(data).header
        assert (header.board, header.address) == ("microbit", region.start)
        assert header.container_sha256.hex() == container.digest
        assert data == build_image(container, microbit, slot).image.encode()


def test_hex_is_the_whole_image_of_an_avr() -> None:
    needs("avr-gcc")
    container, uno = containers.example(SINE), board.find("uno")
    image = IntelHex(io.StringIO(export(container, uno, ".hex").decode()))
    assert image.minaddr() == uno.flash.slots[0].start
    assert image.maxaddr() < uno.flash.slots[0].end
    assert len(image) == measure(container, uno).flash.used


def test_c_is_a_unit_that_a_compiler_of_one_s_own_takes(tmp_path: Path) -> None:
    text = export(containers.example(SINE), board.find("uno"), ".c").decode()
    (tmp_path / "sine.c").write_text(text)
    command = [needs("gcc"), "-std=c11", "-c", "sine.c", "-o", "sine.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    symbols = subprocess.run(
        ["nm", "sine.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r" T (\w+)", symbols)) == {"rune_instantiate", "rune_run"}
    assert {"rune_on_read", "rune_on_write"} <= set(re.findall(r" U (\w+)", symbols))


@pytest.mark.parametrize(
    ("name", "suffix", "slot", "message", "hint"),
    [
        (
            "microbit",
            ".hex",
            0,
            "microbit executes nothing from a file .hex",
            "name it .img (the image that its agent takes) or .c (C for firmware of your own)",
        ),
        (
            "uno",
            ".img",
            0,
            "uno executes nothing from a file .img",
            "name it .hex (the image that its bootloader takes) or .c (C for firmware of your own)",
        ),
        ("uno", "", 0, "uno executes nothing from a file without a suffix", "name it .hex ("),
        ("microbit", ".img", 2, "microbit has no slot 2", "it has slots 0 to 1"),
        ("microbit", ".img", -1, "microbit has no slot -1", "it has slots 0 to 1"),
        ("uno", ".hex", 1, "uno has no slot 1", "it has slot 0 alone"),
    ],
)
def test_what_a_board_does_not_have(name: str, suffix: str, slot: int, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        export(containers.example(SINE), board.find(name), suffix, slot)
    assert caught.value.message == message
    assert (caught.value.hint or "").startswith(hint)
