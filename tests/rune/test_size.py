"""`rune size`: what a container takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from container.abi import Profile
from container.errors import ExitCode
from container.manifest import MemoryPlan, OperatorRecord, Optimization
from container.sections import Container, load, seal
from container.wasm import EMPTY_MODULE
from devices import board
from devices.aot.build import build_image
from devices.budget import Memory, Need, Part
from devices.firmware.build import build_agent
from devices.size import BoardSize, SizeReport, file_parts, profile_sizes
from rune import api, sizes
from rune.pictures import timeline_svg
from rune.pictures.timeline import timeline
from tests.container import samples
from tests.rune.commands import EXAMPLES, printed, rune
from tests.snapshots import assert_snapshot

OPERATORS = (
    OperatorRecord("read", "features", 0, 1000),
    OperatorRecord("conv_0", "net", 1200, 16000),
    OperatorRecord("conv_1", "net", 300, 9000),
    OperatorRecord("label", "word", 0, 12),
)
PLAN = MemoryPlan(56_000, 35_000, 16_000, 4_000, 35_016, OPERATORS, state=900)


DRAWN = replace(PLAN, blocks=((0, 1000, 0, 1), (1000, 15_000, 1, 2), (0, 900, 2, 3)))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """One whose plan tells its blocks."""
    plans = {Profile.SIMD: replace(DRAWN, linear_memory=65_536), Profile.MCU: DRAWN}
    file = tmp_path / "drawn.rune"
    file.write_bytes(seal(samples.manifest(plans=plans), samples.MODULES))
    return file


@pytest.fixture
def container(tmp_path: Path) -> Path:
    plans = {Profile.SIMD: replace(PLAN, linear_memory=65_536, state=0), Profile.MCU: PLAN}
    file = tmp_path / "sample.rune"
    file.write_bytes(seal(samples.manifest(plans=plans), samples.MODULES))
    return file


def test_page(container: Path) -> None:
    assert_snapshot("cli/size.txt", printed(rune("size", container)))


def test_json(container: Path) -> None:
    facts = json.loads(rune("size", container, "--json").stdout)
    assert facts["schema"] == 1
    assert facts["file"] == str(container)
    assert facts["sections"].keys() == {
        "module of the profile simd",
        "module of the profile mcu",
        "manifest",
    }
    mcu = facts["profiles"]["mcu"]
    assert (mcu["module"], mcu["linear_memory"]) == (8, 56_000)
    assert sum(mcu["parts"].values()) == 56_000
    assert mcu["stages"][1] == {"stage": "net", "operators": 2, "macs": 1500, "arena_bytes": 16_000}


def test_json_tells_the_blocks(drawn: Path) -> None:
    mcu = json.loads(rune("size", drawn, "--json").stdout)["profiles"]["mcu"]
    assert mcu["blocks"][1] == {
        "name": "conv_0",
        "stage": "net",
        "offset": 1000,
        "bytes": 15_000,
        "first": 1,
        "last": 2,
    }
    assert mcu["operators"][1]["name"] == "conv_0"
    assert mcu["peak"] == {"step": 1, "bytes": 16_000, "live_bytes": 16_000}


def test_timeline(drawn: Path, tmp_path: Path) -> None:
    svg = tmp_path / "memory.svg"
    result = rune("size", drawn, "--timeline", "--svg", svg, COLUMNS="90")
    page, picture = result.stdout.split("\nActivations over time, profile mcu: ")
    assert page == rune("size", drawn).stdout
    assert picture.startswith(
        "16,000 bytes, needed at step 1, conv_0 of net, where 16,000 are in use\n\n16,000 ┤"
    )
    assert max(map(len, picture.splitlines())) <= 90
    assert svg.read_bytes() == timeline_svg.draw(timeline(Profile.MCU, DRAWN), "sample")


def test_timeline_of_another_profile(drawn: Path, tmp_path: Path) -> None:
    svg = tmp_path / "memory.svg"
    assert rune("size", drawn, "--svg", svg, "--profile", "simd").stdout == rune("size", drawn).stdout
    assert "Memory of sample, profile simd" in svg.read_text()


def test_timeline_in_ascii_where_the_terminal_has_no_blocks(drawn: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "from rune.cli import main; main()", "size", drawn, "--timeline"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        check=True,
    )
    assert b"16,000 | " in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--timeline"], ExitCode.CONTAINER, "does not tell where its tensors lie"),
        (["--svg", "x.svg", "--board", "uno", "--profile", "simd"], ExitCode.USAGE, "boards run the profile"),
        (["--svg", "/nowhere/x.svg"], ExitCode.CONTAINER, "hint: the container is of an older Rune"),
    ],
)
def test_what_cannot_be_drawn(container: Path, arguments: list[str], code: ExitCode, message: str) -> None:
    result = rune("size", container, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "one.rune"
    file.write_bytes(seal(samples.manifest(plans={Profile.MCU: DRAWN}), {Profile.MCU: EMPTY_MODULE}))
    result = rune("size", file, "--timeline", "--profile", "simd")
    assert result.exit_code == ExitCode.USAGE
    assert "the container has no profile `simd`" in result.stderr


def test_a_picture_that_cannot_be_written(drawn: Path, tmp_path: Path) -> None:
    result = rune("size", drawn, "--svg", tmp_path / "missing" / "memory.svg")
    assert result.exit_code == ExitCode.FAILED
    assert "memory.svg: cannot be written" in result.stderr


def test_what_is_no_container_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.rune"
    file.write_bytes(b"hello")
    result = rune("size", file)
    assert result.exit_code == ExitCode.CONTAINER
    assert result.stderr.startswith(f"error: {file}: ")


def on_microbit(container: Path, need: Need) -> str:
    parts: Container = load(container)
    agent = Need(Memory((Part("code", 9000),), 0x4000), Memory((Part("variables", 2000),), 0x1000))
    size = BoardSize(board.find("microbit"), need, agent)
    return sizes.board_page(
        SizeReport("sample", Optimization.SIZE, file_parts(parts), profile_sizes(parts), size), size
    )


def test_page_of_a_board(container: Path) -> None:
    flash = Memory((Part("code", 20_000), Part("weights and tables", 35_000)), 114_688)
    ram = Memory(
        (Part("stack", 500), Part("activations", 10_000), Part("alignment and the rest", 20)), 12_288
    )
    assert_snapshot("cli/size-board.txt", on_microbit(container, Need(flash, ram)) + "\n")


def test_page_of_a_board_without_room(container: Path) -> None:
    flash = Memory((Part("code", 120_000), Part("weights and tables", 35_000)), 114_688)
    ram = Memory((Part("stack", 500), Part("activations", 16_000)), 12_288)
    assert_snapshot("cli/size-board-full.txt", on_microbit(container, Need(flash, ram)) + "\n")


def test_what_the_plan_alone_refuses_is_not_compiled(container: Path) -> None:
    result = rune("size", container, "--board", "uno")
    assert result.exit_code == ExitCode.BUDGET
    assert "It was not compiled: its memory plan alone is too large." in result.stdout
    verdict = "It does not fit uno: at least 2,744 bytes of flash and 18,936 bytes of RAM are missing.\n"
    assert result.stdout.endswith(verdict)


def test_the_parts_of_an_image_add_up_to_it(tmp_path: Path) -> None:
    file = api.build(
        EXAMPLES / "sine" / "int8.Runefile", tmp_path / "sine.rune", profiles=["mcu"], golden_samples=0
    )
    mps2 = board.find("mps2-an386")
    image = build_image(load(file), mps2).image
    result = rune("size", file, "--board", mps2.name, "--json")
    assert result.exit_code == ExitCode.OK, result.stderr
    facts = json.loads(result.stdout)["board"]
    for memory, used in (("flash", len(image.encode())), ("ram", image.header.ram_bytes)):
        assert sum(facts[memory]["parts"].values()) == facts[memory]["used"] == used
        assert facts[memory]["free"] == facts[memory]["available"] - used
    assert facts["ram"]["parts"]["stack"] == image.header.stack_bytes
    assert facts["fits"]
    assert not facts["at_least"]
    assert facts["agent"]["flash"]["used"] == len(build_agent(mps2).image)
