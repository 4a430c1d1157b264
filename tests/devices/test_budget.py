"""What a container takes of a board, and what is said when the board has no room for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import BudgetError, ContainerError
from container.manifest import MemoryPlan, OperatorRecord, Optimization
from container.sections import Container, seal
from devices import board
from devices.budget import (
    Memory,
    Need,
    Part,
    StageSize,
    check_fits,
    least,
    linear_memory_parts,
    stage_sizes,
)
from tests.container import samples

OPERATORS = (
    OperatorRecord("read", "features", 0, 1000),
    OperatorRecord("conv_0", "net", 1200, 16000),
    OperatorRecord("conv_1", "net", 300, 9000),
    OperatorRecord("label", "word", 0, 12),
)
PLAN = MemoryPlan(56_000, 35_000, 16_000, 4_000, 35_016, OPERATORS, state=900)
"""21,000 bytes of RAM and 35,000 of flash."""


def container(plan: MemoryPlan = PLAN, profile: Profile = Profile.MCU) -> Container:
    modules = {profile: samples.MODULES[profile]}
    return Container.parse(seal(samples.manifest(plans={profile: plan}), modules))


def refusal(container: Container, name: str, need: Need | None = None) -> tuple[str, str | None]:
    with pytest.raises(BudgetError) as caught:
        check_fits(container, board.find(name), need)
    return caught.value.message, caught.value.hint


def test_the_parts_of_the_linear_memory_add_up() -> None:
    parts = linear_memory_parts(PLAN)
    assert parts == (
        Part("weights and tables", 35_000),
        Part("activations", 16_000),
        Part("state between runs", 900),
        Part("stack of the WebAssembly code", 4_000),
        Part("alignment and the rest", 100),
    )
    assert sum(part.bytes for part in parts) == PLAN.linear_memory


def test_a_stage_has_the_high_water_mark_of_its_operators() -> None:
    assert stage_sizes(PLAN) == (
        StageSize("features", 1, 0, 1000),
        StageSize("net", 2, 1500, 16000),
        StageSize("word", 1, 0, 12),
    )


def test_weights_stay_in_flash() -> None:
    need = least(container().manifest, board.find("microbit"))
    assert (need.flash.used, need.flash.available) == (35_000, 0x1_C000)
    # The first 16 bytes, below the constants, are in flash too.
    assert (need.ram.used, need.ram.available) == (21_000 - 16, 0x3000)
    assert not need.fits


def test_too_little_ram_names_the_largest_stage_and_boards_with_more() -> None:
    message, hint = refusal(container(), "microbit")
    assert message == (
        "'sample' does not fit microbit: it needs at least 20,984 bytes of RAM, 12,288 are there; "
        "the largest stage is `net` with 16,000"
    )
    assert hint == (
        "choose a board with more (mps2-an386, netduinoplus2, nrf52840), or a smaller input; "
        "or build with `--max-ram 11776`: it computes the first layers in patches"
    )


def test_patches_are_advised_only_where_images_are_what_is_large() -> None:
    """12,288 bytes are there; of what is measured the stack is known, of what is not a guess."""
    measured = replace(least(container().manifest, board.find("microbit")), at_least=False)
    stack = replace(measured, ram=replace(measured.ram, parts=(Part("stack", 288), *measured.ram.parts)))
    assert "`--max-ram 12000`" in (refusal(container(), "microbit", stack)[1] or "")
    dense = replace(PLAN, operators=(OperatorRecord("fully_connected_0", "net", 1200, 16_000),))
    assert "--max-ram" not in (refusal(container(dense), "microbit")[1] or "")
    flash = replace(PLAN, linear_memory=1 << 20, read_only=(1 << 20) - 1000, arena=900, state=0, stack=0)
    assert "--max-ram" not in (refusal(container(flash), "nrf52840")[1] or "")


def test_too_little_flash_names_the_largest_model() -> None:
    plan = MemoryPlan(541_000, 540_000, 500, 16, 0, OPERATORS)
    message, hint = refusal(container(plan), "nrf52840")
    assert message == (
        "'sample' does not fit nrf52840: it needs at least 540,000 bytes of flash, 458,752 are there; "
        "the largest stage is `net` with 1,234 in its model"
    )
    assert hint == "choose a board with more (mps2-an386), or a smaller model"


def test_code_that_was_made_for_speed_can_be_made_smaller() -> None:
    plan = MemoryPlan(541_000, 540_000, 500, 16, 0, OPERATORS)
    fast = replace(container(plan).manifest, optimization=Optimization.SPEED)
    _, hint = refusal(replace(container(plan), manifest=fast), "nrf52840")
    assert hint == (
        "choose a board with more (mps2-an386), or a smaller model; "
        "or build without `--optimize speed`, which takes memory where it saves time"
    )


def test_where_no_board_has_room() -> None:
    plan = replace(PLAN, linear_memory=1 << 20, read_only=0)
    _, hint = refusal(container(plan), "uno")
    assert hint == "no board that is known has more, or a smaller input"


def test_an_image_that_is_larger_than_the_plan_said() -> None:
    small = container(MemoryPlan(500, 100, 300, 16, 116, OPERATORS))
    check_fits(small, board.find("uno"))
    flash = Memory((Part("weights and tables", 100), Part("code", 40_000)), 32_256)
    need = Need(flash, Memory((Part("stack", 200), Part("activations", 300)), 2048))
    message, hint = refusal(small, "uno", need)
    assert message.startswith("'sample' does not fit uno: it needs 40,100 bytes of flash, 32,256 are there")
    assert hint is not None
    assert "mega2560, microbit, mps2-an386" in hint


def test_a_container_for_hosts_alone() -> None:
    with pytest.raises(ContainerError) as caught:
        check_fits(container(profile=Profile.SIMD), board.find("uno"))
    assert caught.value.message == "'sample' has no profile `mcu`, which boards run"
    assert caught.value.hint == "build it with `rune build --profile mcu`"


@given(st.integers(0, 5000), st.integers(4, 5000), st.integers(0, 40_000))
@example(2044, 4, 32_256)
@example(2045, 4, 32_256)
@example(2044, 4, 32_257)
def test_refused_exactly_where_it_does_not_fit(arena: int, other: int, weights: int) -> None:
    null = 16 if weights else 0
    plan = MemoryPlan(null + weights + arena + other, weights, arena, 0, 0, OPERATORS[:1])
    fits = arena + other <= 2048 and weights <= 32_256
    try:
        check_fits(container(plan), board.find("uno"))
        assert fits
    except BudgetError:
        assert not fits
