"""The choice of patches: by the memory that plans need, and the work that they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.assemble import assemble
from builder.build import build_container
from builder.codegen import generate
from builder.emit import emit_unit
from builder.lower import lower
from builder.patches import Patching, PatchOptions, choose
from builder.program import read_program
from builder.target import Target
from container.abi import Profile
from container.errors import BudgetError, UsageError
from container.sections import Container
from examples.tflite_writer import Graph
from tests.builder.model_runs import model_pipeline
from tests.builder.passes.chains import Chain
from tests.builder.support import NO_GOLDEN, run_container
from tests.shared import shared_path

BOARDS = Target(Profile.MCU)


def bottleneck() -> bytes:
    """An image of 1,024 bytes, two of 8,192 between, and a result of 1,024."""
    graph = Graph("bottleneck")
    chain = Chain(graph, "x", (32, 32, 1), 1).conv(8, (3, 3)).depthwise((3, 3))
    graph.output(chain.conv(4, (3, 3), stride=2).last)
    return graph.to_bytes()


def chosen(model: bytes, options: PatchOptions) -> Patching | None:
    """What is chosen for boards, where stack and alignment take 48 bytes."""
    return choose(assemble(model_pipeline(model)), options, BOARDS, arena, lambda module: arena(module) + 48)


def arena(module: Any) -> int:
    program = read_program(lower(module, BOARDS))
    return emit_unit(
        program, generate(program.functions), model_pipeline(bottleneck()).stages, Profile.MCU
    ).arena


def built(model: bytes, options: PatchOptions | None) -> tuple[Container, list[Patching], list[str]]:
    """The container for boards, what became patches, and the warnings."""
    patchings: list[Patching] = []
    warnings: list[str] = []
    data = build_container(
        model_pipeline(model),
        profiles=[Profile.MCU],
        golden=NO_GOLDEN,
        warn=warnings.append,
        patches=options,
        patched=patchings.append,
    )
    return Container.parse(data), patchings, warnings


def test_the_number_that_is_asked_for_and_what_the_manifest_says() -> None:
    plain, _, _ = built(bottleneck(), None)
    container, (patching,), _ = built(bottleneck(), PatchOptions(count=4))
    plan, record = container.manifest.plans[Profile.MCU], container.manifest.patches
    assert record == patching.record
    assert record is not None
    assert (record.count, record.rows, record.first, record.last) == (4, 4, "conv_2d_0", "conv_2d_2")
    # Each patch has 11 rows of the first layer and 9 of the second; there were 32.
    assert record.macs == 32 * 8 * 9 * (4 * 11 - 32) + 32 * 8 * 9 * (4 * 9 - 32)
    assert sum(operator.macs for operator in plan.operators) == record.macs + sum(
        operator.macs for operator in plain.manifest.plans[Profile.MCU].operators
    )
    assert patching.arena == plan.arena
    assert patching.arena_before == plain.manifest.plans[Profile.MCU].arena
    # The image, the result, and a patch of both layers, which may share bytes; beside them the copies that
    # kernels read.
    assert 2 * 1024 + 11 * 256 <= plan.arena < 2 * 1024 + (11 + 9) * 256 + 2048 + 1024
    names = [operator.name for operator in plan.operators]
    assert names[:4] == ["read", "conv_2d_0_patch0", "depthwise_conv_2d_1_patch0", "conv_2d_2_patch0"]


def test_the_choice_is_the_same_each_time() -> None:
    records = {found.record for _ in range(2) if (found := chosen(bottleneck(), PatchOptions())) is not None}
    assert len(records) == 1


def test_as_little_work_as_the_ram_allows() -> None:
    found = [chosen(bottleneck(), PatchOptions(max_ram=ram)) for ram in (20_000, 10_000, 8_000, 6_000)]
    assert found[0] is None
    patchings = [patching for patching in found if patching is not None]
    limits = zip(patchings, (10_000, 8_000, 6_000), strict=True)
    assert all(patching.arena + 48 <= ram for patching, ram in limits)
    macs = [patching.record.macs for patching in patchings]
    assert 0 < macs[0] < macs[1] < macs[2]


def test_more_than_can_be_had_is_refused_with_the_least() -> None:
    least = chosen(bottleneck(), PatchOptions())
    assert least is not None
    with pytest.raises(BudgetError) as refused:
        chosen(bottleneck(), PatchOptions(max_ram=2_000))
    assert refused.value.message == (
        f"the container needs {least.arena + 48:,} bytes of RAM with its first layers in patches and "
        f"{least.arena_before + 48:,} without, 2,000 are allowed"
    )


def narrow() -> bytes:
    """A chain whose result is its largest image, so that no band of the others helps."""
    graph = Graph("narrow")
    graph.output(Chain(graph, "x", (16, 8, 4), 1).conv(4, (3, 3)).conv(32, (1, 1)).last)
    return graph.to_bytes()


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (3, r"3 patches need no less memory than none: [\d,]+ bytes of activations"),
        (7, "the rows of no layer part into 7 patches; into 2, 3, 4, 6, 8, 16 some do"),
    ],
)
def test_what_lowers_nothing_is_refused(count: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen(narrow(), PatchOptions(count=count))


def test_least_memory_of_what_lowers_nothing_is_to_leave_it() -> None:
    container, patchings, warnings = built(narrow(), PatchOptions())
    assert patchings == []
    assert container.manifest.patches is None
    assert warnings == ["patches: they would lower nothing here, so there are none"]


def test_a_model_without_images_has_no_patches() -> None:
    graph = Graph("vector")
    graph.output(Chain(graph, "x", (1, 8, 4), 1).conv(4, (1, 3)).conv(4, (1, 3)).last)
    with pytest.raises(UsageError, match="no chain of convolutions on an image"):
        chosen(graph.to_bytes(), PatchOptions(count=2))


@pytest.mark.parametrize(("file", "count"), [("hotg_rune/person_detection_uint8.tflite", 3)])
def test_golden_vectors_of_models_in_patches(file: str, count: int) -> None:
    path = shared_path(f"models/{file}")
    arrays = np.load(path.with_suffix(".golden.npz"))
    container, (patching,), _ = built(path.read_bytes(), PatchOptions(count=count))
    assert patching.arena < 3 * patching.arena_before // 4
    samples = [[sample] for sample in arrays["in0"][:4]]
    found = run_container(container, Profile.MCU, samples)
    for (ours,), theirs in zip(found, arrays["out0"], strict=False):
        np.testing.assert_array_equal(ours.reshape(-1), theirs.reshape(-1))
