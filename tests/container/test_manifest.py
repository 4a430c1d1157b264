"""The manifest: one canonical text, and a reader that says where the text is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import ContainerError
from container.manifest import Argument, Manifest, Optimization, OutputReference, PatchRecord
from container.tensors import Quantization
from tests.container import samples

GOLDEN = Path(__file__).parents[1] / "golden" / "container" / "manifest.json"


def test_canonical_text() -> None:
    assert samples.manifest().to_json() == GOLDEN.read_bytes().rstrip(b"\n")


def test_reads_what_it_writes() -> None:
    manifest = samples.manifest()
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("optimization", Optimization)
def test_what_the_code_was_made_for(optimization: Optimization) -> None:
    manifest = samples.manifest(optimization=optimization)
    assert Manifest.from_json(manifest.to_json()) == manifest
    value = json.loads(manifest.to_json())
    # A container of the default is the same as before there was a choice.
    assert value.get("optimization", "balanced") == optimization
    assert ("optimization" in value) == (optimization is not Optimization.BALANCED)


def test_what_is_computed_in_patches() -> None:
    manifest = samples.manifest(patches=PatchRecord(4, 8, "conv_2d_0", "add_3", 608_256))
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert "patches" not in json.loads(samples.manifest().to_json())


def test_order_of_keys_does_not_matter() -> None:
    pairs = list(json.loads(samples.manifest().to_json()).items())
    assert Manifest.from_json(json.dumps(dict(reversed(pairs))).encode()) == samples.manifest()


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(st.characters(codec="utf-8")), st.integers())
def test_any_argument_survives(number: float, text: str, integer: int) -> None:
    arguments: dict[str, Argument] = {"number": number, "text": text, "integer": integer}
    arguments["list"] = (number, (text,))
    stages = list(samples.manifest().stages)
    stages[2] = replace(stages[2], arguments=arguments)
    manifest = samples.manifest(stages=tuple(stages))
    again = Manifest.from_json(manifest.to_json())
    assert again == manifest
    assert [type(value) for value in again.stages[2].arguments.values()] == [int, tuple, float, str]


def test_an_unknown_key_is_ignored() -> None:
    value = json.loads(samples.manifest().to_json())
    value["signed_by"] = "someone"
    value["stages"][0]["unit"] = "m/s^2"
    assert Manifest.from_json(json.dumps(value).encode()) == samples.manifest()


def changed(path: str, value: object) -> bytes:
    """The sample's JSON with one place changed; `path` such as `stages.0.port`; REMOVED takes it away."""
    root = json.loads(samples.manifest().to_json())
    *above, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place: Any = root
    for part in above:
        place = place[part]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return json.dumps(root).encode()


REMOVED = "(removed)"

PATCHES = {"count": 4, "rows": 8, "first": "conv_2d_0", "last": "add_3", "macs": 0}
FAULTS = [
    ("name", "", "name: expected 1 to 200 printable characters"),
    ("name", "a\x1b[2J", "name: expected 1 to 200 printable characters"),
    ("name", 3, "name: expected text, found 3"),
    ("name", "\ud800", "name: half of a surrogate pair is not text"),
    ("stages", {}, "stages: expected a list, found {}"),
    ("optimization", "tiny", 'optimization: expected one of speed, balanced, size, found "tiny"'),
    ("optimization", ["size"], "optimization: expected one of"),
    ("optimization", "\ud800", "optimization: "),
    ("patches", {}, "patches.count: is missing"),
    ("patches", {**PATCHES, "count": 1}, "patches.count: expected 2 to 32"),
    ("patches", {**PATCHES, "rows": 0}, "patches.rows: expected 1 or more"),
    ("patches", {**PATCHES, "last": "\x1b"}, "patches.last: expected 1 to 200 printable characters"),
    (
        "stages.0.kind",
        "sensor",
        'stages[0].kind: expected one of capability, proc-block, model, out, found "sensor"',
    ),
    ("stages.0.port", -1, "stages[0].port: is no port number"),
    ("stages.0.port", 1.5, "stages[0].port: expected an integer, found 1.5"),
    ("stages.0.port", True, "stages[0].port: expected a number, found true"),
    ("stages.0.port", REMOVED, "stages[0]: a capability needs a port"),
    ("stages.0.inputs", [{"stage": "net", "output": 0}], "stages[0]: there is not one type for each input"),
    ("stages.0.outputs", [], "stages[0]: a capability has one output and no input"),
    ("stages.0.outputs.0.shape.1", 0, "stages[0].outputs[0]: a dimension is smaller than 1"),
    ("stages.0.outputs.0.shape", [1] * 17, "stages[0].outputs[0]: has more than 16 dimensions"),
    ("stages.0.outputs.0.shape", [1 << 40], "stages[0].outputs[0]: takes more than 268,435,456 bytes"),
    ("stages.0.outputs.0.width", 4, "stages[0].outputs[0]: only text has a width"),
    ("stages.0.outputs.0.element", "i4", "stages[0].outputs[0].element: expected one of u8, i8,"),
    ("stages.0.outputs.0.quantization.scale", [], "quantization: expected scales: 1, found 0"),
    ("stages.0.outputs.0.quantization.axis", 2, "quantization: the axis is none of the tensor's"),
    ("stages.0.outputs.0.quantization.axis", 1, "quantization: expected scales: 4, found 1"),
    ("stages.0.outputs.0.quantization.zero_point", [], "quantization: there is not one zero point"),
    ("stages.1.name", "features", "stages[1]: a second stage has the name 'features'"),
    ("stages.1.inputs.0.stage", "word", "stages[1].inputs[0]: no stage before it has the name 'word'"),
    ("stages.1.inputs.0.output", 1, "stages[1].inputs[0]: 'features' has no output 1"),
    ("stages.1.output_names", ["a", "b"], "stages[1]: there is not one name for each output"),
    ("stages.1.port", 0, "stages[1]: a model has no port"),
    (
        "stages.2.arguments",
        {"a": None},
        "stages[2].arguments.a: expected a number, text, true, false or a list",
    ),
    ("stages.3.input_types.0.width", REMOVED, "stages[3]: the text has no width"),
    ("stages.3.inputs", REMOVED, "stages[3]: there is not one type for each input"),
    ("models.0.stage", "word", "models[0]: 'word' is no model stage"),
    ("models.0.sha256", "AB" * 32, "models[0].sha256: is no SHA-256"),
    ("models.0.bytes", -1, "models[0].bytes: is negative"),
    ("plans", {}, "plans: there is none"),
    ("plans", {"gpu": {}}, 'plans: expected one of simd, mcu, found "gpu"'),
    ("plans.mcu", 5, "plans.mcu: expected an object, found 5"),
    ("plans.mcu.arena", REMOVED, "plans.mcu.arena: is missing"),
    ("plans.mcu.arena", -1, "plans.mcu.arena: expected 0 to 2^32"),
    ("plans.mcu.state", -1, "plans.mcu.state: expected 0 to 2^32"),
    ("plans.mcu.progress", 65533, "plans.mcu.progress: lies outside of the memory"),
    ("plans.mcu.operators.0.stage", "nowhere", "plans.mcu.operators[0]: there is no stage 'nowhere'"),
    ("plans.mcu.operators.0.macs", -1, "plans.mcu.operators[0]: a size is negative"),
    ("plans.mcu.blocks", [[0, 64, 0]], "plans.mcu.blocks[0]: expected 4 numbers, found 3"),
    ("plans.mcu.blocks", [[0, 64, 0, 0.0]], "plans.mcu.blocks[0][3]: expected an integer, found 0.0"),
    ("plans.mcu.blocks", [[-4, 64, 0, 0]], "plans.mcu.blocks[0]: a size is negative"),
    ("plans.mcu.blocks", [[4, 64, 0, 0]], "plans.mcu.blocks[0]: ends behind the arena of 64 bytes"),
    ("plans.mcu.blocks", [[0, 64, 0, 1]], "plans.mcu.blocks[0]: does not live while operators run"),
    ("plans.mcu.blocks", [[0, 64, 1, 0]], "plans.mcu.blocks[0]: does not live while operators run"),
    ("plans.mcu.blocks", [[0, 0, 0, 0]] * 65_537, "plans.mcu.blocks: there are more than 65,536"),
    ("tools.rune", 1, "tools.rune: expected text, found 1"),
]


def test_state_is_told_where_there_is_any() -> None:
    """Containers of before there was state say nothing of it, and have none."""
    assert b"state" not in samples.manifest().to_json()
    assert Manifest.from_json(samples.manifest().to_json()).plans[Profile.MCU].state == 0
    assert Manifest.from_json(changed("plans.mcu.state", 512)).plans[Profile.MCU].state == 512


def test_blocks_are_told_where_there_are_any() -> None:
    """Containers of before plans had blocks have none, and are read."""
    assert b"blocks" not in samples.manifest().to_json()
    assert Manifest.from_json(samples.manifest().to_json()).plans[Profile.MCU].blocks == ()
    blocks = Manifest.from_json(changed("plans.mcu.blocks", [[0, 60, 0, 0]])).plans[Profile.MCU].blocks
    assert blocks == ((0, 60, 0, 0),)


@pytest.mark.parametrize(("path", "value", "message"), FAULTS, ids=lambda item: str(item)[:40])
def test_a_fault_is_named_with_its_place(path: str, value: object, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        Manifest.from_json(changed(path, value))
    assert caught.value.message.startswith("manifest: ")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("version", "hint"), [(0, "build the container again with `rune build`"), (2, "update Rune")]
)
def test_another_abi_is_told_before_anything_else(version: int, hint: str) -> None:
    with pytest.raises(ContainerError) as caught:
        Manifest.from_json(json.dumps({"abi": version, "shape": "unknown"}).encode())
    assert caught.value.message == (
        f"manifest: the container has ABI version {version}, this Rune supports version 1"
    )
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: Expecting value"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"abi":1,"abi":1}', 'the key "abi" stands there twice'),
        (b'{"abi":NaN}', "NaN is not a JSON number"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"abi":' + b"1" * 5000 + b"}", "not JSON"),
        (b'{"abi":true}', "name: is missing"),
        (b"[]", "top level: expected an object, found []"),
        (b" " * ((2 << 20) + 1), "has 2,097,153 bytes, more than 2,097,152"),
    ],
)
def test_what_is_no_manifest(data: bytes, message: str) -> None:
    with pytest.raises(ContainerError, match="manifest: ") as caught:
        Manifest.from_json(data)
    assert message in caught.value.message


def test_arguments_nested_too_deeply() -> None:
    """JSON's own parser goes deeper than the reader of arguments does."""
    nested = json.loads("[" * 900 + "1" + "]" * 900)
    with pytest.raises(ContainerError, match="manifest: nested too deeply"):
        Manifest.from_json(changed("stages.2.arguments", {"a": nested}))


def test_numbers_that_are_not_finite() -> None:
    text = samples.manifest().to_json().replace(b'"threshold":0.1', b'"threshold":1e999')
    with pytest.raises(ContainerError, match="outside of what a double holds"):
        Manifest.from_json(text)
    stages = list(samples.manifest().stages)
    stages[2] = replace(stages[2], arguments={"threshold": float("inf")})
    with pytest.raises(ContainerError, match="cannot be written as JSON"):
        samples.manifest(stages=tuple(stages)).to_json()


def test_ports() -> None:
    manifest = samples.manifest()
    assert [stage.name for stage in manifest.sources.values()] == ["features"]
    assert manifest.output_types == {0: samples.WORD, 1: samples.PAIR}
    assert manifest.stage("net").target == "./net.tflite"
    with pytest.raises(KeyError):
        manifest.stage("nobody")


def test_two_outputs_with_one_port() -> None:
    stages = samples.manifest().stages
    second = replace(stages[3], name="other", port=1)
    with pytest.raises(ContainerError, match="two outputs have one port"):
        Manifest.from_json(samples.manifest(stages=(*stages, second)).to_json())


def test_two_capabilities_with_one_port() -> None:
    stages = samples.manifest().stages
    with pytest.raises(ContainerError, match="two capabilities have one port"):
        Manifest.from_json(samples.manifest(stages=(*stages, replace(stages[0], name="b"))).to_json())


@given(st.data())
def test_a_mutated_manifest_reads_or_is_refused(data: st.DataObject) -> None:
    text = bytearray(samples.manifest().to_json())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text) - 1))
        text[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        manifest = Manifest.from_json(bytes(text))
    except ContainerError:
        return
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_quantization_along_an_axis() -> None:
    kind = samples.FOUR.with_quantization(Quantization((0.1, 0.2, 0.3, 0.4), (0, 1, 2, 3), axis=1))
    stages = list(samples.manifest().stages)
    stages[0] = replace(stages[0], outputs=(kind,))
    manifest = samples.manifest(stages=tuple(stages), plans={Profile.MCU: samples.PLAN})
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.stages[1].inputs == (OutputReference("features", 0),)
