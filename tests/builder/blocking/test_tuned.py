"""The data file of a search: the same bytes both ways, and every fault named with its place."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.blocking.shapes import Blocking, Convolution, Planes, Strips
from builder.blocking.tuned import MAXIMUM_BYTES, TunedConvolution, TunedDepthwise, Tuning, read_tuning
from container.errors import ContainerError, ExitCode, RuneError, UsageError
from container.manifest import Optimization
from tests.builder.blocking.layers import CONVOLUTIONS, PLANES

EXAMPLE = Tuning(
    schema=1,
    pipeline="words",
    board="mps2-an386",
    core="cortex-m4f",
    optimization=Optimization.SPEED,
    tools={"rune": "0.1.0"},
    untuned=4_099_228,
    instructions=3_792_848,
    convolutions=(
        TunedConvolution(Convolution(125, 64, 40), Blocking(3, 1, 20), 0),
        TunedConvolution(Convolution(125, 64, 64, wide=True), Blocking(1, 2, 8, direct=True), 306_380),
    ),
    depthwise=(TunedDepthwise(Planes(25, 3, 1, 8, has_groups=True), Strips(4, 25), 0),),
)
TEXT = """\
{"schema":1,
 "pipeline":"words",
 "board":"mps2-an386",
 "core":"cortex-m4f",
 "optimization":"speed",
 "tools":{"rune":"0.1.0"},
 "untuned":4099228,
 "instructions":3792848,
 "convolutions":[
  {"choice":{"pairs":1,"pixels":3,"unrolled":20},"layer":{"channels":64,"pixels":125,"taps":40},"saved":0},
  {"choice":{"direct":true,"pairs":2,"pixels":1,"unrolled":8},\
"layer":{"channels":64,"pixels":125,"taps":64,"wide":true},"saved":306380}],
 "depthwise":[
  {"choice":{"group":4,"rows":25},\
"layer":{"extent":3,"has_groups":true,"pitch":8,"rows":25,"stride":1},"saved":0}]}
"""

NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
COUNTS = st.integers(0, 1 << 40)
TUNED_CONVOLUTIONS = st.builds(
    lambda layer, saved: TunedConvolution(layer, next(layer.blockings()), saved), CONVOLUTIONS, COUNTS
)
TUNED_DEPTHWISE = st.builds(
    lambda layer, saved: TunedDepthwise(layer, next(layer.strips()), saved), PLANES, COUNTS
)
TUNINGS = st.builds(
    Tuning,
    schema=st.just(1),
    pipeline=NAMES,
    board=NAMES,
    core=NAMES,
    optimization=st.sampled_from(Optimization),
    tools=st.dictionaries(NAMES, NAMES, max_size=2),
    untuned=COUNTS,
    instructions=COUNTS,
    convolutions=st.lists(TUNED_CONVOLUTIONS, unique_by=lambda entry: entry.layer, max_size=4).map(tuple),
    depthwise=st.lists(TUNED_DEPTHWISE, unique_by=lambda entry: entry.layer, max_size=4).map(tuple),
)


def test_what_the_file_looks_like() -> None:
    assert EXAMPLE.to_json().decode() == TEXT
    assert Tuning.from_json(TEXT.encode()) == EXAMPLE


@given(TUNINGS)
def test_written_and_read_back(tuning: Tuning) -> None:
    assert Tuning.from_json(tuning.to_json()) == tuning
    assert tuning.choices.keys() == {entry.layer for _, entry in tuning.entries()}


@given(st.binary(max_size=200), st.integers(0, len(TEXT)), st.integers(0, 5))
def test_damage_is_an_error_of_ours(noise: bytes, start: int, removed: int) -> None:
    data = TEXT.encode()
    for damaged in (noise, data[:start], data[:start] + noise + data[start + removed :]):
        with contextlib.suppress(ContainerError):
            assert Tuning.from_json(damaged).schema == 1


def faulty(change: Callable[[dict[str, Any]], object]) -> bytes:
    facts = json.loads(TEXT)
    change(facts)
    return json.dumps(facts).encode()


def convolution(facts: dict[str, Any], number: int = 0) -> dict[str, Any]:
    entry: dict[str, Any] = facts["convolutions"][number]
    return entry


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "top level: expected an object, found []"),
        (b'{"schema":1}', "pipeline: is missing"),
        (faulty(lambda facts: facts.update(schema=2)), "schema: 2, expected 1"),
        (
            faulty(lambda facts: facts.update(optimization="fast")),
            'optimization: expected one of speed, balanced, size, found "fast"',
        ),
        (
            faulty(lambda facts: convolution(facts)["choice"].update(unrolled=3)),
            "convolutions[0].choice.unrolled: 3, expected one of 2, 4, 10, 20 for 20 words",
        ),
        (
            faulty(lambda facts: convolution(facts)["choice"].update(pixels=1e300)),
            "convolutions[0].choice.pixels: expected an integer, found 1e+300",
        ),
        (
            faulty(lambda facts: convolution(facts)["choice"].update(pixels=10**30)),
            f"convolutions[0].choice.pixels: {10**30}, expected 1 to 4",
        ),
        (
            faulty(lambda facts: convolution(facts, 1).pop("choice")),
            "convolutions[1].choice: is missing",
        ),
        (
            faulty(lambda facts: convolution(facts)["layer"].update(taps=0)),
            "convolutions[0].layer.taps: 0, expected 1 to 16,777,216",
        ),
        (
            faulty(lambda facts: convolution(facts)["layer"].update(taps=1 << 60)),
            f"convolutions[0].layer.taps: {1 << 60}, expected 1 to 16,777,216",
        ),
        (
            faulty(lambda facts: facts["depthwise"][0]["choice"].update(rows=26)),
            "depthwise[0].choice.rows: 26, expected 1 to 25",
        ),
        (
            faulty(lambda facts: facts["convolutions"].append(convolution(facts))),
            "convolutions[2]: has the layer of convolutions[0]",
        ),
        (
            faulty(lambda facts: facts.update(convolutions=[convolution(facts)] * 10_001)),
            "more than 10,000 layers",
        ),
    ],
)
def test_hostile_files(tmp_path: Path, data: bytes, fault: str) -> None:
    file = tmp_path / "blockings.json"
    file.write_bytes(data)
    with pytest.raises(UsageError) as raised:
        read_tuning(file)
    assert raised.value.message == f"{file}: {fault}"
    assert raised.value.hint == "make it anew with `rune tune`"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (MAXIMUM_BYTES + 1))
    with pytest.raises(RuneError, match="is larger than") as raised:
        read_tuning(large)
    assert raised.value.exit_code == ExitCode.FAILED
    with pytest.raises(RuneError, match="cannot be read"):
        read_tuning(tmp_path / "missing.json")
