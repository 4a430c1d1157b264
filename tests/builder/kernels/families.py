"""Which cases there are of each family of operators, and the calls of ours that they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.builder.kernels import elementwise, int4, matrices, movement, networks, recurrent, softmax, windows
from tests.builder.kernels.calls import Express, KernelCall
from tests.builder.kernels.vectors import Array, Case, cases
from tests.builder.kernels.windows import Layer

IMAGE = ("input_data", "input_tensor", "input")
RESULT = ("output_ref_data", "output_ref", "output")


@dataclass(frozen=True)
class Family:
    pattern: str
    """Of the names of its cases."""
    inputs: Callable[[Case], tuple[Array, ...]]
    express: Callable[[Case], Express]
    result: Sequence[str] = RESULT
    """Names of the array that is expected, of which the first that there is counts."""

    def cases(self) -> list[Case]:
        return [case for name, case in cases().items() if re.fullmatch(self.pattern, name)]

    def calls(self) -> list[KernelCall]:
        return [
            KernelCall(case.name, self.inputs(case), self.express(case), case.array(*self.result))
            for case in self.cases()
        ]


def _layers(pattern: str, make: Callable[[Case], Layer]) -> Family:
    """Operators of one input, under the shape that the layer gives it."""

    def express(case: Case) -> Express:
        layer = make(case)
        return lambda bind, inputs: layer.express(bind, *inputs)

    return Family(pattern, lambda case: (case.array(*IMAGE).reshape(make(case).shape),), express)


def _convolution(case: Case) -> Layer:
    return windows.convolution(int4.older(case, cases()) if int4.is_int4_convolution(case) else case)


def _named(*names: str) -> Callable[[Case], tuple[Array, ...]]:
    return lambda case: tuple(case.array(name) for name in names)


def _image(case: Case) -> tuple[Array, ...]:
    return (case.array(*IMAGE),)


def _activation(name: str) -> Family:
    return Family(
        r"activation_f32",
        _named("input"),
        lambda case: elementwise.activation(case, name),
        (f"output_ref_{name}",),
    )


_CONVOLUTIONS = r"(conv_|basic|kernel1x1|grouped_conv|stride2pad1|int16xint8|requantize_s64).*"
_DEPTHWISE = r"(depthwise|dw_int16xint8|in_ch_one_out_ch).*"

FAMILIES = {
    "convolution": _layers(_CONVOLUTIONS, _convolution),
    "depthwise convolution": _layers(_DEPTHWISE, windows.depthwise_convolution),
    "transposed convolution": _layers(r"(reverse_)?transpose_conv.*", windows.transposed_convolution),
    "fully connected": _layers(r"(fully_connected|fc_).*", windows.fully_connected),
    "average pooling": _layers(r"avgpool.*", windows.average_pooling),
    "max pooling": _layers(r"maxpool.*", windows.max_pooling),
    "addition": Family(r"add(_.*)?", _named("input1", "input2"), elementwise.addition),
    "multiplication": Family(r"mul(_.*)?", _named("input1", "input2"), elementwise.multiplication),
    "extremum": Family(r"(max|min)imum_.*", elementwise.extremum_operands, elementwise.extremum),
    **{name: _activation(name) for name in elementwise.ACTIVATIONS},
    "batch normalisation": Family(r"bn_.*", movement.image, elementwise.batch_normalisation),
    "softmax": Family(r"softmax.*", softmax.rows, softmax.softmax),
    "matrix product": Family(r"batch_matmul_.*", matrices.operands, matrices.batch_product),
    "padding": Family(r"pad_.*", movement.image, movement.padding),
    "concatenation": Family(r"concat_.*", movement.halves, movement.concatenation),
    "transposition": Family(r"transpose_(?!conv).*", movement.transposed, movement.transposition),
    "svdf": Family(r"svdf.*", recurrent.svdf_inputs, recurrent.svdf),
    "lstm": Family(r"lstm.*", recurrent.lstm_inputs, recurrent.lstm, RESULT[::-1]),
    "int8 network": Family(r"ds_cnn_[ls]", _image, networks.keyword_network),
    "float network": Family(r"ds_cnn_s_body_f32", _image, networks.float_network),
}
