"""The audio front end's operators against TensorFlow Lite Micro, over runs that follow each other."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from flatbuffers import flexbuffers
from hypothesis import example, given
from hypothesis import strategies as st

from builder.custom_options import CustomOptions
from builder.operators.base import Node, Unsupported
from builder.operators.signal import logarithm_table
from container.errors import CompileError
from examples.tflite_writer import Graph, Option
from tests.builder.model_runs import assert_equals_tflite_micro, model_pipeline
from tests.builder.support import Array, container_of

Port = tuple[tuple[int, ...], str]
SUBTRACTION: dict[str, Option] = {
    "alternate_one_minus_smoothing": 15401,
    "alternate_smoothing": 983,
    "min_signal_remaining": 819,
    "num_channels": 12,
    "one_minus_smoothing": 15975,
    "smoothing": 409,
    "smoothing_bits": 10,
    "spectral_subtraction_bits": 14,
}


class Signals:
    """A graph of signal operators, each with inputs of its own."""

    def __init__(self, seed: int) -> None:
        self.graph, self.ports = Graph("signals"), list[Port]()
        self._generator = np.random.default_rng(seed)

    def add(
        self, name: str, inputs: list[Port], constants: list[Array], outputs: list[Port], **options: Option
    ) -> None:
        numbers = [self.graph.input("x", *port) for port in inputs]
        numbers += [self.graph.constant("c", values) for values in constants]
        results = [self.graph.tensor("y", *port) for port in outputs]
        self.graph.operator(f"CUSTOM:Signal{name}", numbers, results, **options)
        self.ports += inputs
        for result in results:
            self.graph.output(result)

    def int16(self, count: int, low: int = -32768, high: int = 32768) -> Array:
        return self._generator.integers(low, high, count, "int16")

    def samples(self) -> list[list[Array]]:
        """Random, with all sizes of numbers, the extremes, silence and a slope."""
        samples = [[self._random(*port) for port in self.ports] for _ in range(8)]
        samples += [[self._random(*port, spread=True) for port in self.ports] for _ in range(8)]
        for edge in ("min", "max"):
            samples.append([self._filled(port, getattr(np.iinfo(port[1]), edge)) for port in self.ports])
        samples.append([self._filled(port, 0) for port in self.ports])
        samples.append(
            [np.arange(np.prod(shape)).reshape(shape).astype(dtype) for shape, dtype in self.ports]
        )
        return samples

    def _random(self, shape: tuple[int, ...], dtype: str, *, spread: bool = False) -> Array:
        limits = np.iinfo(dtype)
        low, high = (0, 15) if shape == () else (limits.min, limits.max)
        values = self._generator.integers(low, high, shape, dtype, endpoint=True)
        shifts = self._generator.integers(0, limits.bits, shape).astype(dtype)
        return np.asarray(values >> shifts if spread else values, dtype)

    @staticmethod
    def _filled(port: Port, value: int) -> Array:
        return np.full(port[0], 7 if port[0] == () else value, port[1])


def test_transforms() -> None:
    signals = Signals(1)
    window = signals.int16(30)
    signals.add("Window", [((2, 30), "int16")], [window], [((2, 30), "int16")], shift=12)
    signals.add("FftAutoScale", [((33,), "int16")], [], [((33,), "int16"), ((), "int32")])
    for size, length in ((512, 480), (256, 256), (64, 10), (32, 32), (8, 8), (4, 3)):
        signals.add("Rfft", [((length,), "int16")], [], [((size + 2,), "int16")], T=7, fft_length=size)
    signals.add("Energy", [((20,), "int16")], [], [((10,), "uint32")], start_index=0, end_index=10)
    assert_equals_tflite_micro(signals.graph.to_bytes(), signals.samples())


@pytest.mark.parametrize("clamping", [False, True])
def test_channels(clamping: bool) -> None:
    signals, several, many = Signals(2), ((12,), "uint32"), ((200,), "uint32")
    widths = np.array([2, 0, 5, 3, 6, 1], "int16")
    starts = np.array([0, 2, 2, 7, 10, 16], "int16")
    weights = [signals.int16(17, 0, 4096), signals.int16(17, 0, 4096)]
    bank = [*weights, signals.int16(6, 0, 34), starts, widths]
    signals.add("FilterBank", [((40,), "uint32")], bank, [((5,), "uint64")], num_channels=5)
    signals.add("FilterBankSquareRoot", [((50,), "uint64"), ((), "int32")], [], [((50,), "uint32")])
    subtraction = {**SUBTRACTION, "clamping": clamping}
    signals.add("FilterBankSpectralSubtraction", [several], [], [several, several], **subtraction)
    signals.add("PCAN", [many, many], [signals.int16(125)], [many], snr_shift=6)
    for bits, scale in ((3, 64), (0, 16000)):
        options: dict[str, Option] = {"input_correction_bits": bits, "output_scale": scale}
        signals.add("FilterBankLog", [many], [], [((200,), "int16")], **options)
    assert_equals_tflite_micro(signals.graph.to_bytes(), signals.samples())


def test_the_table_of_logarithms_is_exact_at_its_points() -> None:
    """log2(1.5) = 0.5849625: 0.0849625 above the line between 1 and 2, of which 2**16 steps make 5568."""
    table = logarithm_table()
    assert (table[0], table[64], table[128]) == (0, 5568, 0)


def refusal(signals: Signals) -> str:
    with pytest.raises(CompileError) as caught:
        container_of(model_pipeline(signals.graph.to_bytes()))
    return caught.value.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T": 7}, "its option `fft_length` is missing"),
        ({"T": 7, "fft_length": 48}, "a transform of 48; supported are powers of two"),
        ({"T": 7, "fft_length": 16}, "a transform of 16 on an input of [32]"),
        ({"T": 7, "fft_length": 1 << 20}, "its option `fft_length` is 1048576, expected 4 to 32768"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Option], message: str) -> None:
    signals = Signals(3)
    signals.add("Rfft", [((32,), "int16")], [], [((34,), "int16")], **options)
    found = refusal(signals)
    assert message in found
    assert "CUSTOM:SignalRfft (node 0" in found


def test_a_filter_bank_that_reads_beyond_its_input_is_refused() -> None:
    signals = Signals(4)
    tables = [signals.int16(4, 0, 10) for _ in range(2)]
    tables += [np.array(values, "int16") for values in ([0, 37], [0, 0], [4, 4])]
    signals.add("FilterBank", [((40,), "uint32")], tables, [((1,), "uint64")], num_channels=1)
    assert "a channel of its filter bank reaches beyond the 40 numbers there are" in refusal(signals)


def custom_options(data: bytes) -> CustomOptions:
    raw = SimpleNamespace(
        CustomOptionsLength=lambda: len(data), CustomOptionsAsNumpy=lambda: np.frombuffer(data, np.uint8)
    )
    return CustomOptions(cast(Node, SimpleNamespace(operator=SimpleNamespace(raw=raw))))


def test_options_by_name() -> None:
    values: dict[str, Any] = {"count": 100, "ratio": 0.5, "regular": True}
    options = custom_options(bytes(flexbuffers.Dumps(values)))
    assert options.integer("count", 0, 200) == 100
    assert options.real("ratio") == 0.5
    assert options.flag("regular") is True
    assert options.flag("absent", default=False) is False
    with pytest.raises(Unsupported, match="option `absent` is missing"):
        options.real("absent")


@given(st.binary(max_size=60))
@example(b"")
@example(b"\xff" * 20)
def test_damaged_options_are_refused(data: bytes) -> None:
    with suppress(Unsupported):
        assert 0 <= custom_options(data).integer("count", 0, 9) <= 9


@given(st.integers(0, 200), st.integers(0, 255))
def test_options_with_a_byte_changed_are_read_or_refused(place: int, value: int) -> None:
    data = bytearray(flexbuffers.Dumps({"count": 5, "ratio": 0.5, "words": ["a", "b"]}))
    data[place % len(data)] = value
    with suppress(Unsupported):
        assert 0 <= custom_options(bytes(data)).integer("count", 0, 9) <= 9
