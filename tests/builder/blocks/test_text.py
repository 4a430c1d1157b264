"""The bytes of text: each element ends in NULs, whatever stood there before."""

from __future__ import annotations

import numpy as np

from runtime.application import Application
from tests.builder.blocks.cases import Case, case, pipeline_of
from tests.builder.support import container_of

CASES: dict[bytes, Case] = {
    b"abc\0\0\0": case("utf8_decode", np.array([*b"abc\0de"], "uint8")),
    b"\0\0\0\xffb\0": case("utf8_decode", np.array([[*b"\0ab"], [*b"\xffb\0"]], "uint8")),
    b"no\0yes\0\0\0": case("label", np.array([0, 1, 2]), labels=("no", "yes", "")),
}


def test_bytes() -> None:
    container = container_of(pipeline_of([*CASES.values()]))
    samples = {f"in{k}": each.inputs[0].tobytes() for k, each in enumerate(CASES.values())}
    for profile in container.modules:
        with Application(container, profile=profile) as application:
            outputs = application.infer(samples).outputs
            assert [outputs[port] for port in range(len(CASES))] == [*CASES]
