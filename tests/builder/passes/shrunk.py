"""Runs one graph pass on a model and compares every bit with TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from builder import build
from builder.assemble import assemble
from builder.shrinking import GraphPass, Removed, shrink
from tests.builder.model_runs import assert_equals_tflite_micro, model_pipeline
from tests.builder.support import Sample


def shrunk(model: bytes, *passes: GraphPass) -> tuple[Any, list[Removed]]:
    """The module of a model after some passes, and what each removed."""
    removed: list[Removed] = []
    return shrink(assemble(model_pipeline(model)), passes, removed.append), removed


def operators(module: Any) -> list[str]:
    """The operators of a module in their order, ours without their prefix."""
    return [str(call.op.name).removeprefix("rune.") for call in calls_of(module)]


def calls_of(module: Any) -> list[Any]:
    values = [binding.value for block in module["main"].body.blocks for binding in block.bindings]
    return [value for value in values if hasattr(value, "op")]


def assert_bits_stay(
    model: bytes,
    samples: Sequence[Sample],
    monkeypatch: pytest.MonkeyPatch,
    *passes: Callable[[Any], Any],
) -> None:
    """Builds a model with these passes alone; both profiles must give the reference's bytes."""
    with monkeypatch.context() as patched:
        patched.setattr(build, "graph_passes", lambda: passes)
        assert_equals_tflite_micro(model, samples)
