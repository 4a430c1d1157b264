"""What is missing of the cases of convolutions with int4 weights.

CMSIS-NN has made them twice, and the file has one half of each: the younger parameters, whose inputs were
overwritten, and the older arrays, whose parameters were.  The older arrays are whole, so they are what is
run.  Their parameters were those of the int8 case of the same name with both offsets 0, except as said here:
so say the older headers (`config_data.h` of each case); an input offset of 128 instead is known from the
results, all of which come out with it and none without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.builder.kernels.vectors import Case

SUFFIX = "_int4"
INT8_CASE = {"kernel1x1_int4_2": "kernel1x1", "kernel1x1_int4_3": "kernel1x1", "basic_2_int4": "basic"}
"""The int8 case of other names."""
OFFSET_128 = {"INPUT_OFFSET": "128"}
EXCEPTIONS: dict[str, dict[str, str]] = {
    "basic_int4": OFFSET_128,
    "conv_1_x_n_2_int4": OFFSET_128,
    "conv_3_int4": OFFSET_128,
    "conv_5_int4": OFFSET_128,
    "kernel1x1_int4": OFFSET_128,
    "kernel1x1_stride_x_y_1_int4": OFFSET_128,
    "conv_3x3_dilation_5x5_input_int4": {"IN_CH": "5", **OFFSET_128},
    "kernel1x1_int4_2": {"INPUT_BATCHES": "1", "INPUT_H": "1", "INPUT_W": "60", "IN_CH": "60", "OUT_CH": "60",
                         "OUTPUT_H": "1", "OUTPUT_W": "60"},
    "kernel1x1_int4_3": {"INPUT_BATCHES": "1", "INPUT_H": "1", "INPUT_W": "43", "IN_CH": "18", "OUT_CH": "47",
                         "OUTPUT_H": "1", "OUTPUT_W": "43"},
    "basic_2_int4": {"INPUT_H": "15", "INPUT_W": "15", "IN_CH": "5", "OUT_CH": "15", "FILTER_X": "5",
                     "FILTER_Y": "5", "OUTPUT_H": "11", "OUTPUT_W": "11"},
}  # fmt: skip


def is_int4_convolution(case: Case) -> bool:
    return "_int4" in case.name and not case.name.startswith(("depthwise", "fully_connected"))


def older(case: Case, cases: Mapping[str, Case]) -> Case:
    """The case with the parameters that belong to its arrays."""
    int8 = cases[INT8_CASE.get(case.name) or case.name.removesuffix(SUFFIX)]
    offsets = {"INPUT_OFFSET": "0", "OUTPUT_OFFSET": "0"}
    parameters = {**int8.parameters, **offsets, **EXCEPTIONS.get(case.name, {})}
    return replace(case, parameters=parameters)
