"""ONNX's own models of single nodes: how many of them compute what their vectors say.

Each is either run in a container, in both profiles, and equal to its vector, or listed below with what is
said when it is refused; so a model that begins to work, or ceases to, fails a test.  The count is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from builder.assemble import assemble
from container.errors import CompileError
from tests.builder.onnx.node_models import NodeModel, names, node_model, pipeline_of_models
from tests.builder.support import Array, container_of, run_container

TOLERANCE = 1e-5
"""Of a float output's largest magnitude; integers are equal."""
BATCHES = 10
"""Containers that the models are spread over: one for each would take minutes to build."""
PAGE = Path(__file__).parents[3] / "docs" / "models.md"
REFUSED: dict[str, Sequence[str]] = {
    "is 0: every size must be fixed and positive": [
        "test_reduce_max_empty_set",
        "test_reduce_sum_empty_set",
        "test_reduce_sum_empty_set_non_reduced_axis_zero",
        "test_reshape_allowzero_reordered",
        "test_shape_start_greater_than_end",
        "test_slice_start_out_of_bounds",
        "test_split_zero_size_splits_opset13",
    ],
    "operator BatchNormalization (node 0, output 'y', 'output_mean', 'output_var'): it is in training mode": [
        "test_batchnorm_epsilon_training_mode",
        "test_batchnorm_example_training_mode",
    ],
    "operator MaxPool (node 0, output 'y', 'z'): of its outputs only the first is supported": [
        "test_maxpool_with_argmax_2d_precomputed_pads",
        "test_maxpool_with_argmax_2d_precomputed_strides",
    ],
    "come to fractions of elements, which is not supported": [
        "test_resize_downsample_scales_cubic",
        "test_resize_downsample_scales_cubic_align_corners",
        "test_resize_downsample_scales_linear",
        "test_resize_downsample_scales_linear_align_corners",
        "test_resize_downsample_scales_nearest",
    ],
}
"""By what the refusal says (a tensor without elements is nothing that a container could hold)."""


def compiled() -> list[str]:
    refused = {name for group in REFUSED.values() for name in group}
    return [name for name in names() if name not in refused]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_models_compute_what_their_vectors_say(batch: int) -> None:
    models = [node_model(name) for name in compiled()[batch::BATCHES]]
    container = container_of(pipeline_of_models(models))
    inputs = [array for model in models for array in model.inputs]
    for profile in container.modules:
        (found,) = run_container(container, profile, [inputs])
        outputs = iter(found)
        wrong = [complaint for model in models for complaint in differences(model, outputs)]
        assert wrong == [], profile


def differences(model: NodeModel, found: Iterator[Array]) -> Iterator[str]:
    """What is wrong with the next outputs, those of this model."""
    for number, wanted in enumerate(model.outputs):
        actual = next(found)
        label = f"{model.name}, output {number}"
        if (actual.dtype, actual.shape) != (wanted.dtype, wanted.shape):
            yield f"{label} is {actual.dtype}{actual.shape}, expected {wanted.dtype}{wanted.shape}"
        elif wanted.dtype.kind == "f":
            error = float(np.abs(actual - wanted).max() / max(1e-30, np.abs(wanted).max()))
            if not error <= TOLERANCE:
                yield f"{label} is off by {error:.1e} of the largest magnitude"
        elif not np.array_equal(actual, wanted):
            yield f"{label} is {actual.tolist()}, expected {wanted.tolist()}"


@pytest.mark.parametrize("reason", REFUSED)
def test_the_rest_is_refused_with_the_reason(reason: str) -> None:
    for name in REFUSED[reason]:
        said = refusal(name)
        assert said is not None, f"{name} is compiled now: take it out of REFUSED"
        assert reason in said, name


def refusal(name: str) -> str | None:
    """What is said of a model that cannot be compiled."""
    try:
        assemble(pipeline_of_models([node_model(name)]))
    except CompileError as error:
        return error.message
    return None


def test_the_page_gives_the_count() -> None:
    """Every model is compiled or refused, as the tests above check."""
    total = len(names())
    refused = sum(len(group) for group in REFUSED.values())
    assert len(set(names())) == total
    assert len(compiled()) == total - refused, "REFUSED names a model twice, or one that there is not"
    assert f"**{total - refused} of the {total}** models" in PAGE.read_text()
