"""Numbers of text, exact to the last bit: against Python's own conversion and against exact fractions."""

from __future__ import annotations

import math
import struct
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.abi import Failure, Profile, split_error_code
from container.arrays import from_bytes, to_bytes
from container.cache import cache_folder
from container.sections import Container
from container.tensors import TensorType
from runtime.cache import ModuleCache
from runtime.engine import Guest
from runtime.interface import Interface
from tests.builder.blocks.cases import case, pipeline_of, tensor
from tests.builder.support import Array, container_of

COUNT, WIDTH = 3, 1200
TEXTS = tensor("utf8", COUNT, width=WIDTH)
FEW = settings(max_examples=50)


class Parser:
    """Parses up to `COUNT` texts in a container in this process, so that a refusal costs nothing."""

    def __init__(self, container: Container, profile: Profile, kinds: tuple[TensorType, ...]) -> None:
        plan = container.manifest.plans[profile]
        interface = Interface(
            sources=dict.fromkeys(container.manifest.sources, COUNT * WIDTH),
            sinks={port: kind.bytes for port, kind in enumerate(kinds)},
            simd=profile is Profile.SIMD,
            planned_memory_bytes=plan.linear_memory,
            maximum_memory_bytes=plan.linear_memory,
            progress=plan.progress,
            fuel=None,
        )
        self._guest = Guest(interface, container.modules[profile], ModuleCache(cache_folder()))
        self._kinds = kinds

    def __call__(self, texts: list[str]) -> list[Array] | Failure:
        padded = np.array([*texts, *["0"] * (COUNT - len(texts))], object)
        sample = to_bytes(TEXTS, padded)
        result = self._guest.run(dict.fromkeys(range(len(self._kinds)), sample))
        if result.code:
            return Failure(split_error_code(result.code)[1])
        return [from_bytes(kind, result.outputs[port])[: len(texts)] for port, kind in enumerate(self._kinds)]


def container_for(*elements: str) -> Container:
    """Parses texts from a sensor for each element type."""
    blank = np.array(["0"] * COUNT, object)
    return container_of(pipeline_of([case("parse", blank, types=[TEXTS], type=name) for name in elements]))


@pytest.fixture(scope="module")
def container() -> Container:
    return container_for("f32", "f64")


@pytest.fixture(scope="module", params=Profile)
def parse(container: Container, request: pytest.FixtureRequest) -> Parser:
    return Parser(container, request.param, (tensor("f32", COUNT), tensor("f64", COUNT)))


def floats(result: list[Array] | Failure) -> tuple[Array, Array]:
    """The F32 and the F64 that were parsed."""
    assert isinstance(result, list), result
    single, double = result
    return single, double


def exactly(value: Fraction) -> str:
    """All digits of a fraction whose denominator is a power of two."""
    with localcontext() as context:
        context.prec = 2000
        return str(Decimal(value.numerator) / Decimal(value.denominator))


def half_way(value: float, neighbour: float) -> Fraction:
    return (Fraction(value) + Fraction(neighbour)) / 2


def nudged(text: str) -> str:
    """A decimal that is a little further from zero."""
    mantissa, mark, exponent = text.partition("E")
    return f"{mantissa}{'' if '.' in mantissa else '.'}{'0' * 40}1{mark}{exponent}"


FINITE_F32 = st.integers(0, 2**31 - 1 - 2**23 - 1).map(lambda bits: float(np.uint32(bits).view(np.float32)))
FINITE_F64 = st.integers(0, 2**63 - 2**52 - 2).map(
    lambda bits: float(struct.unpack("<d", struct.pack("<Q", bits))[0])
)


@FEW
@given(value=FINITE_F64, sign=st.sampled_from(["", "-", "+"]))
def test_what_python_prints_reads_back(parse: Parser, value: float, sign: str) -> None:
    single, double = floats(parse([f"{sign}{value!r}", f"{sign}{np.float32(min(value, 3e38))!s}"]))
    factor = -1 if sign == "-" else 1
    assert double[0] == factor * value
    assert single[1] == np.float32(factor * min(value, 3e38))


@FEW
@given(value=FINITE_F32)
def test_half_way_between_two_f32_goes_to_the_even(parse: Parser, value: float) -> None:
    low = np.float32(value)
    high = np.nextafter(low, np.float32(math.inf))
    middle = exactly(half_way(float(low), float(high)))
    even = low if int(low.view(np.uint32)) % 2 == 0 else high
    single, _ = floats(parse([middle, nudged(middle), exactly(Fraction(float(low)))]))
    assert [*single] == [even, high, low]


@FEW
@given(value=FINITE_F64)
def test_half_way_between_two_f64_goes_to_the_even(parse: Parser, value: float) -> None:
    high = math.nextafter(value, math.inf)
    middle = exactly(half_way(value, high))
    even = value if struct.unpack("<Q", struct.pack("<d", value))[0] % 2 == 0 else high
    _, double = floats(parse([middle, nudged(middle), exactly(Fraction(value))]))
    assert [*double] == [even, high, value]


@FEW
@given(
    digits=st.text("0123456789", min_size=1, max_size=900),
    point=st.integers(0, 900),
    exponent=st.integers(-400, 400),
)
def test_any_digits_and_exponent(parse: Parser, digits: str, point: int, exponent: int) -> None:
    text = f"{digits[:point]}.{digits[point:]}e{exponent}"
    _, double = floats(parse([text]))
    assert double[0] == float(text)


EDGES = {
    "1e-45": (1e-45, 1e-45),
    "7.0064923216240853e-46": (0.0, 7.0064923216240853e-46),  # under half of the least f32
    "7.0064923216240854e-46": (1e-45, 7.0064923216240854e-46),
    "340282356779733661637539395458142568448": (math.inf, 3.4028235677973366e38),  # half-way to 2^128
    "340282356779733661637539395458142568447": (3.4028234663852886e38, 3.4028235677973366e38),
    "1e999999999999": (math.inf, math.inf),
    "-1e-999999999999": (-0.0, -0.0),
    "0e999999999999": (0.0, 0.0),
    "1" + "0" * 300 + "e-300": (1.0, 1.0),
    "0." + "0" * 500 + "1e501": (1.0, 1.0),
    "16777217": (16777216.0, 16777217.0),
    "9007199254740993": (9007199254740992.0, 9007199254740992.0),
    "5.e0": (5.0, 5.0),
    "\t .5E+1\n\v\f\r": (5.0, 5.0),
    "-InFiNiTy": (-math.inf, -math.inf),
}


@pytest.mark.parametrize("text", EDGES)
def test_edges(parse: Parser, text: str) -> None:
    single, double = floats(parse([text]))
    assert single[0] == np.float32(EDGES[text][0])
    assert double[0] == EDGES[text][1]
    assert math.copysign(1, single[0]) == math.copysign(1, EDGES[text][0])


NOT_NUMBERS = [
    "1 x",
    "",
    " ",
    "+",
    ".",
    "e5",
    "1e",
    "1e+",
    "1.2.3",
    "0x10",
    "1 2",
    "1_000",
    "infinit",
    "in",
    "nano",
    "½",
    "1,5",
]


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_number_ends_the_inference(parse: Parser, text: str) -> None:
    assert parse([text]) is Failure.TEXT


@settings(max_examples=300)
@given(text=st.text("0123456789+-.eE infatyNA", max_size=12))
def test_the_reference_takes_the_same_texts(parse: Parser, text: str) -> None:
    values = np.array([text] + ["0"] * (COUNT - 1), object)
    try:
        (expected,) = case("parse", values, types=[TEXTS]).reference
    except ValueError:
        assert parse([text]) is Failure.TEXT
    else:
        np.testing.assert_array_equal(floats(parse([text]))[0][0], expected[0])


LIMITS = {
    "u8": (["0", "-0", "255"], ["-1", "256", "99999999999999999999999"]),
    "i8": (["-128", "127"], ["-129", "128"]),
    "i32": (["-2147483648", "2147483647"], ["-2147483649", "2147483648"]),
    "u64": (["18446744073709551615"], ["18446744073709551616"]),
    "i64": (["-9223372036854775808", "9223372036854775807"], ["-9223372036854775809", "9223372036854775808"]),
}


@pytest.mark.parametrize("element", LIMITS)
def test_limits_of_integers(element: str) -> None:
    parse = Parser(container_for(element), Profile.MCU, (tensor(element, COUNT),))
    held, too_large = LIMITS[element]
    for text in held:
        result = parse([text])
        assert isinstance(result, list)
        assert result[0].tolist() == [int(text)]
    assert [parse([text]) for text in too_large] == [Failure.VALUE] * len(too_large)
    assert [parse([text]) for text in ("1.0", "1e3", "", "- 1", "++1")] == [Failure.TEXT] * 5
