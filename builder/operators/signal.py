"""The signal operators of TensorFlow Lite Micro's audio front end: from sound to a keyword model's features.

SignalWindow: clamp((x * window) >> shift), row by row.
SignalFftAutoScale: x shifted left as far as its largest magnitude allows, silence not at all; and how far.
SignalRfft: real Fourier transform of 16-bit fractions; complex stages of radix 4 on half the size, the first
of radix 2 where needed, each scaled down by its radix.
SignalEnergy: re^2 + im^2 of the bins from start_index to end_index; 0 elsewhere, where the reference leaves
what was there.
SignalFilterBank: triangular filters, each bin shared by two neighbouring channels.
SignalFilterBankSquareRoot: round(sqrt(x)) >> bits, the bits of the automatic scale.
SignalFilterBankSpectralSubtraction: what exceeds an estimate of the noise, which lasts from run to run.
SignalPCAN: x times a gain that depends on the noise, shrunk near 0.
SignalFilterBankLog: round(log(x << bits) * scale) by a table of 129 points.

All are of integers and exact.  Source: signal/micro/kernels and signal/src of TensorFlow Lite Micro; the
transform is that of KISS FFT with FIXED_POINT=16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import relax

from builder.custom_options import CustomOptions
from builder.families.c_kernel import c_kernel
from builder.operators.base import Kernel, Node, Operator, Unsupported, constant, shape_of
from builder.target import Target

LARGEST_FFT = 1 << 15
GAIN_TABLE = 4 * 32 - 3
"""Numbers in the table of gains: three for each doubling of 32 bits."""
MAXIMUM = (1 << 31) - 1


class SignalWindow(Operator):
    name = "signal_window"
    tflite = ("CUSTOM:SignalWindow",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("int16", "int16", "int16"))
        shape, (size,) = node.input(0).shape, _vector(node, 1)
        node.require_output_shape(*shape)
        if not shape or math.prod(shape) % size:
            raise Unsupported(f"a window of {size} on an input of {list(shape)}")
        attributes = {"shift": CustomOptions(node).integer("shift", 0, 31)}
        return self.call([node.value(0), node.value(1)], attributes, shape, "int16")

    def lower(self, call: Any, target: Target) -> Kernel:
        (size,) = shape_of(call.args[1])
        rows = math.prod(shape_of(call)) // size
        return c_kernel("rune_signal_window", call, (rows, size, int(call.attrs["shift"])))


class SignalFftAutoScale(Operator):
    name = "signal_fft_auto_scale"
    tflite = ("CUSTOM:SignalFftAutoScale",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("int16", "int16"))
        (size,) = _vector(node, 0)
        node.require_output_shape(size)
        bits = node.output(1)
        if bits.dtype != "int32" or math.prod(bits.shape) != 1:
            raise Unsupported(f"output {bits.name!r} is {bits.dtype}{list(bits.shape)}; expected one int32")
        return _items(node, self.call_tuple([node.value(0)], {}, [((size,), "int16"), (bits.shape, "int32")]))

    def lower(self, call: Any, target: Target) -> Kernel:
        return c_kernel("rune_signal_fft_auto_scale", call, shape_of(call.args[0]))


class SignalRfft(Operator):
    name = "signal_rfft"
    tflite = ("CUSTOM:SignalRfft",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("int16", "int16"))
        size = CustomOptions(node).integer("fft_length", 4, LARGEST_FFT)
        shape = node.input(0).shape
        if size & (size - 1):
            raise Unsupported(f"a transform of {size}; supported are powers of two")
        if not shape or not 0 < shape[-1] <= size:
            raise Unsupported(f"a transform of {size} on an input of {list(shape)}")
        node.require_output_shape(*shape[:-1], size + 2)
        tables = [constant(_turns(size // 2, size // 2, 0.0)), constant(_turns(size // 4, size, 0.25))]
        return self.call([node.value(0), *tables], {"size": size // 2}, node.output().shape, "int16")

    def lower(self, call: Any, target: Target) -> Kernel:
        *outer, length = shape_of(call.args[0])
        return c_kernel("rune_signal_rfft", call, (math.prod(outer), length, int(call.attrs["size"])))


class SignalEnergy(Operator):
    name = "signal_energy"
    tflite = ("CUSTOM:SignalEnergy",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("int16", "uint32"))
        (length,) = _vector(node, 0)
        (size,) = node.output().shape if len(node.output().shape) == 1 else (0,)
        options = CustomOptions(node)
        if 2 * size > length:
            raise Unsupported(f"{size} energies of {length // 2} complex numbers")
        end = options.integer("end_index", 0, size)
        attributes = {"begin": options.integer("start_index", 0, end), "end": end}
        return self.call([node.value(0)], attributes, (size,), "uint32")

    def lower(self, call: Any, target: Target) -> Kernel:
        numbers = (*shape_of(call), int(call.attrs["begin"]), int(call.attrs["end"]))
        return c_kernel("rune_signal_energy", call, numbers)


class SignalFilterBank(Operator):
    name = "signal_filter_bank"
    tflite = ("CUSTOM:SignalFilterBank",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("uint32", *["int16"] * 5, "uint64"))
        (size,) = _vector(node, 0)
        channels = CustomOptions(node).integer("num_channels", 1, MAXIMUM)
        node.require_output_shape(channels)
        weights, unweights, frequencies, starts, widths = (
            node.constant(position).reshape(-1).astype("int64") for position in range(1, 6)
        )
        if min(len(frequencies), len(starts), len(widths)) <= channels:
            raise Unsupported(f"{channels} channels and one more need as many places, widths and weights")
        _require_within(frequencies, widths, channels, size)
        _require_within(starts, widths, channels, min(len(weights), len(unweights)))
        arguments = [node.value(position) for position in range(6)]
        return self.call(arguments, {}, (channels,), "uint64")

    def lower(self, call: Any, target: Target) -> Kernel:
        return c_kernel("rune_signal_filter_bank", call, shape_of(call))


class SignalFilterBankSquareRoot(Operator):
    name = "signal_filter_bank_square_root"
    tflite = ("CUSTOM:SignalFilterBankSquareRoot",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("uint64", "int32", "uint32"))
        (size,) = _vector(node, 0)
        node.require_output_shape(size)
        if math.prod(node.input(1).shape) != 1:
            raise Unsupported(f"bits of the shape {list(node.input(1).shape)}; expected one number")
        return self.call([node.value(0), node.value(1)], {}, (size,), "uint32")

    def lower(self, call: Any, target: Target) -> Kernel:
        return c_kernel("rune_signal_square_root", call, shape_of(call))


class SignalFilterBankSpectralSubtraction(Operator):
    name = "signal_filter_bank_spectral_subtraction"
    tflite = ("CUSTOM:SignalFilterBankSpectralSubtraction",)

    factors = (
        "smoothing",
        "one_minus_smoothing",
        "alternate_smoothing",
        "alternate_one_minus_smoothing",
        "min_signal_remaining",
    )

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("uint32", "uint32"))
        (size,) = _vector(node, 0)
        node.require_output_shape(size)
        if (node.output(1).dtype, node.output(1).shape) != ("uint32", (size,)):
            raise Unsupported(f"the noise {node.output(1).name!r} is not uint32[{size}]")
        options = CustomOptions(node)
        options.integer("num_channels", size, size)
        attributes: dict[str, int | str] = {name: options.integer(name, 0, MAXIMUM) for name in self.factors}
        attributes["clamping"] = int(options.flag("clamping"))
        for name in ("smoothing_bits", "spectral_subtraction_bits"):
            attributes[name] = options.integer(name, 0, 31)
        noise = node.memory.new("noise", np.zeros(size, "uint32"))
        results = [((size,), "uint32"), ((size,), "uint32")]
        y, noise.value = _items(node, self.call_tuple([node.value(0), noise.value], attributes, results))
        return y, noise.value

    def lower(self, call: Any, target: Target) -> Kernel:
        names = (*self.factors, "clamping", "smoothing_bits", "spectral_subtraction_bits")
        numbers = (*shape_of(call.args[0]), *(int(call.attrs[name]) for name in names))
        return c_kernel("rune_signal_spectral_subtraction", call, numbers, in_place=((1, 1),))


class SignalPcan(Operator):
    name = "signal_pcan"
    tflite = ("CUSTOM:SignalPCAN",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("uint32", "uint32", "int16", "uint32"))
        (size,) = _vector(node, 0)
        node.require_output_shape(size)
        if _vector(node, 1) != (size,) or _vector(node, 2)[0] < GAIN_TABLE:
            raise Unsupported(f"its noise must be {size} numbers, its table of gains {GAIN_TABLE}")
        attributes = {"shift": CustomOptions(node).integer("snr_shift", 0, 63)}
        return self.call([node.value(position) for position in range(3)], attributes, (size,), "uint32")

    def lower(self, call: Any, target: Target) -> Kernel:
        return c_kernel("rune_signal_pcan", call, (*shape_of(call), int(call.attrs["shift"])))


class SignalFilterBankLog(Operator):
    name = "signal_filter_bank_log"
    tflite = ("CUSTOM:SignalFilterBankLog",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("uint32", "int16"))
        (size,) = _vector(node, 0)
        node.require_output_shape(size)
        options = CustomOptions(node)
        attributes = {
            "scale": options.integer("output_scale", 0, MAXIMUM),
            "bits": options.integer("input_correction_bits", 0, 31),
        }
        return self.call([node.value(0), constant(logarithm_table())], attributes, (size,), "int16")

    def lower(self, call: Any, target: Target) -> Kernel:
        numbers = (*shape_of(call), int(call.attrs["scale"]), int(call.attrs["bits"]))
        return c_kernel("rune_signal_log", call, numbers)


def logarithm_table() -> np.ndarray[Any, Any]:
    """uint16[129]: log2(1 + i / 128) - i / 128 in steps of 2**-16."""
    x = np.arange(129) / 128
    return np.floor((np.log2(1 + x) - x) * (1 << 16) + 0.5).astype("uint16")


def _turns(count: int, circle: int, ahead: float) -> np.ndarray[Any, Any]:
    """int16[count, 2]: clockwise turns by k / circle and `ahead` of it; k counts from 0, or from 1 if ahead.

    Rounded as KISS FFT rounds its tables: floor(x + 0.5).
    """
    first = 1 if ahead else 0
    phase = -2 * np.pi * ((np.arange(count) + first) / circle + ahead)
    values = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    return np.floor(0.5 + 32767 * values).astype("int16")


def _vector(node: Node, position: int) -> tuple[int]:
    """The length of an input that must have one dimension, and elements."""
    shape = node.input(position).shape
    if len(shape) != 1 or shape[0] < 1:
        raise Unsupported(f"tensor {node.input(position).name!r} is {list(shape)}; expected one dimension")
    return (shape[0],)


def _items(node: Node, call: Any) -> Sequence[Any]:
    both = node.emit(call)
    return [node.emit(relax.TupleGetItem(both, number)) for number in range(len(call.ty.fields))]


def _require_within(
    starts: np.ndarray[Any, Any], widths: np.ndarray[Any, Any], channels: int, size: int
) -> None:
    """Raises Unsupported when a channel reads outside of a table."""
    begins, counts = starts[: channels + 1], widths[: channels + 1]
    used = counts > 0
    if np.any(begins[used] < 0) or np.any((begins + counts)[used] > size):
        raise Unsupported(f"a channel of its filter bank reaches beyond the {size} numbers there are")
