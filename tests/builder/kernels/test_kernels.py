"""Our operators against the kernel test vectors of CMSIS-NN, in both profiles: 346 of 350 cases are equal.

Integers must be equal to the last bit, floats within 1e-5 of the largest magnitude that is expected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builder.kernels import recurrent
from tests.builder.kernels.calls import difference, differences
from tests.builder.kernels.families import FAMILIES
from tests.builder.kernels.vectors import cases

DIFFERENT = dict.fromkeys(
    ("svdf_batch2_f32", "svdf_match_1_f32", "svdf_match_2_f32", "svdf_small_f32"),
    "CMSIS-NN keeps what a float SVDF remembers within bounds, here -1 and 1; TensorFlow Lite Micro has none",
)
"""Cases whose results are not ours, and why."""


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_compute_the_expected_results(family: str) -> None:
    calls = [call for call in FAMILIES[family].calls() if call.case not in DIFFERENT]
    assert differences(calls) == {}


def test_every_case_belongs_to_a_family() -> None:
    names = {case.name for family in FAMILIES.values() for case in family.cases()}
    assert names == cases().keys()
    assert DIFFERENT.keys() < names
    assert (len(names - DIFFERENT.keys()), len(names)) == (346, 350)


def test_float_svdf_differs_from_cmsis_nn_by_the_bounds_of_its_memory() -> None:
    unbounded = []
    for call in FAMILIES["svdf"].calls():
        if call.case in DIFFERENT:
            case = cases()[call.case]
            bounds = (case.number("INPUT_ACTIVATION_MIN"), case.number("INPUT_ACTIVATION_MAX"))
            assert not difference(recurrent.svdf_by_numpy(case, bounds), call.expected)
            expected = recurrent.svdf_by_numpy(case, (-np.inf, np.inf))
            assert difference(expected, call.expected)
            unbounded.append(replace(call, expected=expected))
    assert len(unbounded) == len(DIFFERENT)
    assert differences(unbounded) == {}
