"""The file: what is sealed is found again, and no broken framing gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import ContainerError, RuneError
from container.sections import Container, load, seal
from container.wasm import EMPTY_MODULE, custom_section, sections
from tests.container import samples

CODE = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1))'))
SEALED = seal(samples.manifest(), {Profile.SIMD: CODE, Profile.MCU: EMPTY_MODULE})


def test_parts_come_back() -> None:
    container = Container.parse(seal(samples.manifest(), {Profile.SIMD: CODE, Profile.MCU: CODE}, b"golden"))
    assert container.manifest == samples.manifest()
    assert container.modules == {Profile.SIMD: CODE, Profile.MCU: CODE}
    assert container.golden == b"golden"


def test_layout_of_the_file() -> None:
    data = seal(samples.manifest(), {Profile.SIMD: CODE, Profile.MCU: EMPTY_MODULE}, b"\1\2\3")
    assert data.startswith(CODE)
    ours = [(section.name, section.payload) for section in sections(data) if section.identifier == 0]
    assert [name for name, _ in ours if name.startswith("rune.")] == [
        "rune.manifest",
        "rune.mcu",
        "rune.golden",
    ]
    # The last section byte by byte: id 0, size 15, name of 11 bytes, three bytes of payload.
    assert data.endswith(b"\x00\x0f\x0brune.golden\1\2\3")


def test_any_engine_loads_it() -> None:
    wasmtime.Module(wasmtime.Engine(), SEALED)


def test_same_parts_same_bytes() -> None:
    assert seal(samples.manifest(), {Profile.MCU: EMPTY_MODULE, Profile.SIMD: CODE}) == SEALED


def test_digest_is_the_file_s() -> None:
    container = Container.parse(
        seal(samples.manifest(plans={Profile.SIMD: samples.PLAN}), {Profile.SIMD: CODE})
    )
    assert len(container.digest) == 64
    assert container.digest != Container.parse(SEALED).digest


def test_a_container_for_boards_alone() -> None:
    manifest = samples.manifest(plans={Profile.MCU: samples.PLAN})
    data = seal(manifest, {Profile.MCU: CODE})
    assert Container.parse(data).modules == {Profile.MCU: CODE}
    wasmtime.Module(wasmtime.Engine(), data)


def test_other_custom_sections_stay() -> None:
    signed = SEALED + custom_section("signature", b"xyz")
    container = Container.parse(signed)
    assert container.modules[Profile.SIMD] == CODE + custom_section("signature", b"xyz")


@pytest.mark.parametrize("size", [0, 127, 128, 16383, 16384, 2_097_152])
def test_sizes_on_both_sides_of_each_leb128_border(size: int) -> None:
    module = EMPTY_MODULE + custom_section("x", b"a" * size)
    (section,) = sections(module)
    assert (section.name, len(section.payload), section.end) == ("x", size, len(module))


MANIFEST = custom_section("rune.manifest", samples.manifest().to_json())
MCU = custom_section("rune.mcu", EMPTY_MODULE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a WebAssembly module: begins with nothing"),
        (b"PK\x03\x04rest", "not a WebAssembly module: begins with 50 4b 03 04"),
        (b"\0asm\x0d\0\1\0", "not a WebAssembly module of version 1: the version is 0d 00 01 00"),
        (EMPTY_MODULE, "this WebAssembly module is no container: it has no section `rune.manifest`"),
        (EMPTY_MODULE + MANIFEST + MANIFEST + MCU, "the section `rune.manifest` is there twice"),
        (EMPTY_MODULE + MANIFEST, "the manifest's plans and the section `rune.mcu` do not belong together"),
        (EMPTY_MODULE + MANIFEST + custom_section("rune.mcu", b""), "section `rune.mcu`: not a WebAssembly"),
        (
            EMPTY_MODULE + MANIFEST + custom_section("rune.mcu", EMPTY_MODULE + b"\1"),
            "section `rune.mcu`: cut short",
        ),
        (EMPTY_MODULE + b"\0", "cut short: a number at byte 9 has no end"),
        (EMPTY_MODULE + b"\0\x80", "cut short: a number at byte 9 has no end"),
        (EMPTY_MODULE + b"\0\xff\xff\xff\xff\x7f", "the number at byte 9 does not fit 32 bits"),
        (EMPTY_MODULE + b"\0\x80\x80\x80\x80\x80\0", "the number at byte 9 does not fit 32 bits"),
        (
            EMPTY_MODULE + b"\0\x05\x04abc",
            "cut short: the section at byte 8 has 5 bytes, the file ends after 4",
        ),
        (
            EMPTY_MODULE + b"\0\x03\x04abcdef",
            "the name of the section at byte 10 runs over the section's end",
        ),
        (EMPTY_MODULE + b"\0\x02\x01\xff", "the name of the section at byte 10 is not UTF-8"),
        (EMPTY_MODULE + custom_section("rune.manifest", b"{"), "manifest: not JSON"),
    ],
)
def test_broken_files(data: bytes, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        Container.parse(data)
    assert message in caught.value.message


def test_parts_that_do_not_belong_together() -> None:
    with pytest.raises(ContainerError, match="do not belong together"):
        seal(samples.manifest(plans={Profile.SIMD: samples.PLAN}), samples.MODULES)
    with pytest.raises(ContainerError, match="no plan for it"):
        seal(samples.manifest(plans={Profile.MCU: samples.PLAN}), {Profile.SIMD: CODE, Profile.MCU: CODE})
    with pytest.raises(ContainerError, match="is there twice"):
        seal(samples.manifest(), {Profile.SIMD: SEALED, Profile.MCU: CODE})


def test_load_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "app.rune"
    path.write_bytes(SEALED)
    assert load(path).manifest.name == "sample"
    path.write_bytes(SEALED[:-1])
    with pytest.raises(ContainerError) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}: cut short")
    assert caught.value.hint is None


def test_a_file_that_is_no_module_at_all_says_where_containers_come_from(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(ContainerError, match="begins with 1c 00 00 00") as caught:
        load(path)
    assert caught.value.hint is not None
    assert "rune build" in caught.value.hint


@pytest.mark.parametrize("name", ["missing.rune", "", "nul\0.rune"])
def test_load_of_what_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContainerError, match="cannot be read"):
        load(tmp_path / name)


@given(st.data())
def test_a_mutated_container_reads_or_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(SEALED)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(sealed) - 1))
        sealed[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        container = Container.parse(bytes(sealed))
    except RuneError:
        return
    assert container.modules.keys() == container.manifest.plans.keys()


@given(st.lists(st.tuples(st.integers(0, 13), st.binary(max_size=200)), max_size=5))
def test_sections_are_found_as_written(parts: list[tuple[int, bytes]]) -> None:
    written = [(number, number == 0, payload) for number, payload in parts]
    module = EMPTY_MODULE + b"".join(
        custom_section("n", payload) if custom else bytes([number]) + leb128(len(payload)) + payload
        for number, custom, payload in written
    )
    found = [(section.identifier, section.name == "n", section.payload) for section in sections(module)]
    assert found == written


def leb128(value: int) -> bytes:
    """Sizes below 2^14, the long way round."""
    return bytes([value]) if value < 128 else bytes([value % 128 + 128, value // 128])
