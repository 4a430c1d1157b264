"""Golden vectors on the host: equal to the last bit, floats within the stated tolerance."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from container.abi import Profile
from container.errors import ContainerError, ExitCode, VerificationError
from container.golden import GoldenVector, encode
from container.manifest import Manifest
from container.sections import Container, seal
from container.tensors import ElementType, TensorType
from runtime.verify import compare, float_bounds, verify
from tests.runtime import guests

RIGHT = GoldenVector({"features": b"\1\2\3\4"}, {0: b"\1\2\3\4"}, "seed 0")
WRONG = GoldenVector({"features": b"\1\2\3\4"}, {0: b"\1\2\5\xff"}, "digits.npz")
TWO_FLOATS = TensorType(ElementType.F32, (2,))


def test_equal() -> None:
    report = verify(guests.container(guests.module(guests.ECHO), vectors=[RIGHT, RIGHT]))
    assert (report.profiles, report.vectors, report.elements) == ((Profile.SIMD,), 2, 8)
    assert report.engines == ("by hand",)
    assert report.differences == ()
    report.check()


def test_different() -> None:
    report = verify(guests.container(guests.module(guests.ECHO), vectors=[RIGHT, WRONG]))
    with pytest.raises(VerificationError) as caught:
        report.check()
    assert caught.value.message == (
        "simd, vector 1 (digits.npz), output `serial`: 2 of 4 elements differ, "
        "first at [0, 2]: expected 5, found 3"
    )
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_both_profiles_run() -> None:
    """The second profile gives zeros."""
    zeros = guests.module("(call $write (i32.const 0) (i32.const 16) (i32.const 4)) (i32.const 4) (i32.sub)")
    manifest = guests.manifest(profiles=[Profile.SIMD, Profile.MCU])
    modules = {Profile.SIMD: guests.module(guests.ECHO), Profile.MCU: zeros}
    container = Container.parse(seal(manifest, modules, encode([RIGHT])))
    report = verify(container)
    assert report.profiles == (Profile.SIMD, Profile.MCU)
    assert [(found.profile, found.differing) for found in report.differences] == [(Profile.MCU, 4)]
    assert verify(container, profiles=["simd"]).differences == ()


def test_each_vector_meets_a_container_that_remembers_nothing() -> None:
    first = GoldenVector({"features": b"\0\0\0\0"}, {0: b"\1\0\0\0"}, "")
    assert verify(guests.container(guests.module(guests.COUNT), vectors=[first, first])).differences == ()


def test_many_differences_are_cut_short() -> None:
    report = verify(guests.container(guests.module(guests.ECHO), vectors=[WRONG] * 7))
    with pytest.raises(VerificationError) as caught:
        report.check()
    lines = caught.value.message.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "and 2 more"


def test_nothing_to_verify_against() -> None:
    with pytest.raises(ContainerError, match="no golden vectors are sealed"):
        verify(guests.echo())


@pytest.mark.parametrize(
    ("expected", "found", "differing"),
    [
        ((1.0, 100.0), (1.0009, 100.0), 0),  # 0.0009 is 0.9e-5 of the largest.
        ((1.0, 100.0), (1.0011, 100.0), 1),
        ((1.0, 1.0), (1.00002, 1.0), 1),
        ((0.0, 0.0), (0.0, -0.0), 0),
        ((0.0, 0.0), (1e-30, 0.0), 1),
        ((float("nan"), 1.0), (float("nan"), 1.0), 0),
        ((float("nan"), 1.0), (0.0, 1.0), 1),
        ((1.0, 1.0), (float("nan"), 1.0), 1),
        ((float("inf"), 1.0), (float("inf"), 1.0), 0),
        ((float("inf"), 1.0), (float("-inf"), 1.0), 1),
        ((1e30, 1.0), (float("inf"), 1.0), 1),
        ((float("inf"), 1.0), (float("inf"), 1.0001), 1),
    ],
)
def test_float_tolerance(expected: tuple[float, float], found: tuple[float, float], differing: int) -> None:
    manifest = guests.manifest(guests.capability("x", TWO_FLOATS), guests.out("serial", TWO_FLOATS, of="x"))
    vector = GoldenVector({}, {0: struct.pack("<2f", *expected)})
    outputs = {0: struct.pack("<2f", *found)}
    differences = compare(manifest, Profile.SIMD, 0, vector, outputs, float_bounds(manifest, [vector]))
    assert sum(difference.differing for difference in differences) == differing
    assert manifest.golden_tolerance == 1e-5


def test_a_small_float_is_measured_by_the_largest_of_all_vectors() -> None:
    """A sine near its zero carries the rounding of values near one."""
    manifest = guests.manifest(guests.capability("x", TWO_FLOATS), guests.out("serial", TWO_FLOATS, of="x"))
    near_zero, large = (
        GoldenVector({}, {0: struct.pack("<2f", *pair)}) for pair in ((0.001, 0.0), (1.0, 0.5))
    )
    outputs = {0: struct.pack("<2f", 0.001009, 0.0)}
    alone = compare(manifest, Profile.SIMD, 0, near_zero, outputs, float_bounds(manifest, [near_zero]))
    together = compare(
        manifest, Profile.SIMD, 0, near_zero, outputs, float_bounds(manifest, [near_zero, large])
    )
    assert (len(alone), len(together)) == (1, 0)


def test_a_manifest_may_state_a_looser_tolerance_for_floats() -> None:
    manifest = guests.manifest(guests.capability("x", TWO_FLOATS), guests.out("serial", TWO_FLOATS, of="x"))
    loose = replace(manifest, golden_tolerance=0.05)
    vector = GoldenVector({}, {0: struct.pack("<2f", 1.0, 0.5)})
    for found, expected in ((1.04, 0), (1.06, 1)):
        outputs = {0: struct.pack("<2f", found, 0.5)}
        assert (
            len(compare(loose, Profile.SIMD, 0, vector, outputs, float_bounds(loose, [vector]))) == expected
        )
    with pytest.raises(ContainerError, match=r"golden_tolerance: is 0\.5, expected 0 to 0\.05"):
        Manifest.from_json(replace(manifest, golden_tolerance=0.5).to_json())
