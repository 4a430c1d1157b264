"""Sensors: what each kind delivers, and which arguments and types do not fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import runefile
from container.manifest import Argument
from container.tensors import TensorType
from runefile.check import CheckResult, check
from runefile.diagnostics import Code
from tests.runefile.fakes import FakeCatalog, read_model, tensor


def checked(declared: str, kind: str) -> CheckResult:
    """Check a pipeline of one capability and an output."""
    text = f"FROM a\nCAPABILITY<{declared}> it {kind}\nOUT serial\nRUN it serial\n"
    document = runefile.parse(text).document
    assert document is not None
    return check(document, directory=Path(), name="test", blocks=FakeCatalog(), models=read_model)


def delivered(declared: str, kind: str) -> tuple[TensorType, Mapping[str, Argument]]:
    result = checked(declared, kind)
    assert result.pipeline is not None, result.diagnostics
    capability = result.pipeline.stages[0]
    return capability.outputs[0], capability.arguments


@pytest.mark.parametrize(
    ("declared", "kind", "expected", "arguments"),
    [
        ("F32[4]", "RAW", tensor("f32", 4), {}),
        ("I16[2,3]", "RAW --length 12 --source 1", tensor("i16", 2, 3), {"length": 12, "source": 1}),
        ("UTF8", "RAW --length 64", tensor("utf8", 1, width=64), {"length": 64}),
        ("_", "RAND -n 8", tensor("f32", 8), {"n": 8}),
        ("I8[2,4]", "RAND --count 8 --seed 7", tensor("i8", 2, 4), {"n": 8, "seed": 7}),
        ("I16[1,16000]", "SOUND", tensor("i16", 1, 16000), {"hz": 16000}),
        (
            "_",
            "SOUND --hz 8000 --sample-duration-ms 500",
            tensor("i16", 4000),
            {"hz": 8000, "sample_duration_ms": 500},
        ),
        ("F32[1,128,3,1]", "ACCEL", tensor("f32", 1, 128, 3, 1), {"n": 128}),
        ("_", "ACCEL --samples 64 --hz 25", tensor("f32", 64, 3), {"n": 64, "hz": 25}),
        ("F32[3]", "ACCEL", tensor("f32", 3), {"n": 1}),
        ("_", "TEMPERATURE", tensor("f32", 1), {}),
        ("F32[1,4]", "TEMPERATURE -n 4 --period-ms 500", tensor("f32", 1, 4), {"n": 4, "period_ms": 500}),
        ("_", "ADC --channel 2 --count 8", tensor("u16", 8), {"channel": 2, "n": 8}),
        ("U16[16]", "ADC --channel 0", tensor("u16", 16), {"channel": 0}),
    ],
)
def test_what_is_delivered(
    declared: str, kind: str, expected: TensorType, arguments: Mapping[str, Argument]
) -> None:
    assert delivered(declared, kind) == (expected, arguments)


@pytest.mark.parametrize(
    ("declared", "arguments", "expected"),
    [
        ("U8[1,96,64,3]", "", (96, 64, "NHWC", "RGB")),
        ("U8[96,64,3]", "--pixel-format BGR", (96, 64, "NHWC", "BGR")),
        ("U8[1,96,64,1]", "", (96, 64, "NHWC", "GrayScale")),
        ("I8[1,3,96,64]", "", (96, 64, "NCHW", "RGB")),
        ("F32[1,96,64]", "", (96, 64, "HW", "GrayScale")),
        ("U8[96,64]", "--pixel-format @PixelFormat::GrayScale", (96, 64, "HW", "GrayScale")),
        ("U8[1,3,3,3]", "", (3, 3, "NHWC", "RGB")),
        ("U8[1,3,3,3]", "--layout nchw", (3, 3, "NCHW", "RGB")),
        ("U8[1,1,3,5]", "--width 5", (3, 5, "NCHW", "GrayScale")),
        ("U8[1,1,5,3]", "--width 5", (1, 5, "NHWC", "RGB")),
    ],
)
def test_the_layout_of_an_image_follows_from_its_shape(
    declared: str, arguments: str, expected: tuple[int, int, str, str]
) -> None:
    _, found = delivered(declared, f"IMAGE {arguments}")
    assert tuple(found[name] for name in ("height", "width", "layout", "pixel_format")) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", tensor("u8", 1, 4, 6, 3)),
        ("--pixel-format grayscale", tensor("u8", 1, 4, 6, 1)),
        ("--layout NCHW", tensor("u8", 1, 3, 4, 6)),
        ("--layout HW --pixel_format GrayScale", tensor("u8", 4, 6)),
    ],
)
def test_the_shape_of_an_image_follows_from_its_arguments(arguments: str, expected: TensorType) -> None:
    assert delivered("_", f"IMAGE --width 6 --height 4 {arguments}")[0] == expected


@pytest.mark.parametrize(
    ("declared", "kind", "message", "hint"),
    [
        ("_", "RAW", "RAW needs a type: nothing says what it should deliver", "write CAPABILITY<F32[4]>"),
        ("UTF8", "RAW", "RAW text needs the number of bytes to read", "add --length 64"),
        (
            "F32[4]",
            "RAW --length 4",
            "F32[4] takes 16 bytes, but length says 4",
            "remove --length: it follows from the type",
        ),
        ("UTF8", "RAND", "RAND delivers numbers, not text", "declare a number type such as F32"),
        (
            "F32[4]",
            "RAND -n 5",
            "F32[4] holds 4 numbers, but n says 5",
            "remove -n: it follows from the type",
        ),
        ("_", "RAND -n 0", "n must be at least 1, not 0", None),
        (
            "_",
            "SOUND",
            "SOUND needs a type: nothing says what it should deliver",
            "write CAPABILITY<I16[16000]>",
        ),
        (
            "F32[16000]",
            "SOUND",
            "SOUND delivers samples as I16, not F32",
            "declare I16, and put a block such as audio_float_conversion or cast behind it",
        ),
        (
            "I16[2,8000]",
            "SOUND",
            "SOUND delivers one channel of samples, not I16[2,8000]",
            "declare I16[16000]",
        ),
        (
            "I16[8000]",
            "SOUND --sample-duration-ms 1000",
            "16000 Hz for 1000 ms are 16000 samples, but the type I16[8000] holds 8000",
            "declare I16[16000], or --sample-duration-ms 500",
        ),
        ("F32[128,4]", "ACCEL", "ACCEL delivers rows of 3 values, not F32[128,4]", "declare F32[170,3]"),
        (
            "F32[128,3]",
            "ACCEL -n 64",
            "F32[128,3] holds 128 rows, but n says 64",
            "declare F32[64,3], or -n 128",
        ),
        (
            "I8[128,3]",
            "ACCEL",
            "ACCEL delivers rows of x, y, z as F32, not I8",
            "declare F32, and put a block such as quantize or cast behind it",
        ),
        (
            "I8[1]",
            "TEMPERATURE",
            "TEMPERATURE delivers degrees Celsius as F32, not I8",
            "declare F32, and put a block such as quantize or cast behind it",
        ),
        (
            "F32[4]",
            "ADC --channel 1",
            "ADC delivers readings as U16, not F32",
            "declare U16, and put a block such as cast behind it",
        ),
        (
            "U16[4]",
            "ADC --channel 1 -n 5",
            "U16[4] holds 4 readings, but n says 5",
            "remove -n: it follows from the type",
        ),
        (
            "_",
            "ADC",
            'ADC needs the argument "channel": which of its inputs',
            "add --channel with an integer",
        ),
        ("_", "ADC --channel -1", "channel must be at least 0, not -1", None),
        ("_", "ADC --channel 256", "a channel is a number from 0 to 255, not 256", None),
        (
            "_",
            "TEMPERATURE --period-ms 250",
            "period_ms is a multiple of 100 up to 25,500, not 250",
            "write 200",
        ),
        (
            "_",
            "RAND -n 4 --period-ms 60000",
            "period_ms is a multiple of 100 up to 25,500, not 60,000",
            "write 25500",
        ),
        (
            "U8[4]",
            "IMAGE",
            "U8[4] is no shape of an image",
            "an image is [1,height,width,channels], [1,channels,height,width] or [height,width]",
        ),
        (
            "U8[2,4,4,3]",
            "IMAGE",
            "U8[2,4,4,3] is no shape of an image",
            "an image is [1,height,width,channels], [1,channels,height,width] or [height,width]",
        ),
        (
            "U8[4,6]",
            "IMAGE --width 4 --height 6",
            "U8[4,6] is no image of width 4, height 6",
            "these arguments make U8[1,6,4,3]",
        ),
        (
            "U8[4,6,3]",
            "IMAGE --pixel-format GrayScale",
            "U8[4,6,3] is no image of pixel_format GrayScale",
            "an image is [1,height,width,channels], [1,channels,height,width] or [height,width]",
        ),
    ],
)
def test_what_does_not_fit(declared: str, kind: str, message: str, hint: str | None) -> None:
    [fault] = checked(declared, kind).diagnostics
    assert (fault.message, fault.hint) == (message, hint)


def test_a_wrong_argument_is_pointed_at() -> None:
    [fault] = checked("_", "SOUND --sample-duration-ms 0 --hz 8000").diagnostics
    assert fault.code is Code.WRONG_ARGUMENT
    text = "FROM a\nCAPABILITY<_> it SOUND --sample-duration-ms "
    assert (fault.span.start, fault.span.end) == (len(text), len(text) + 1)


def test_a_model_says_what_a_capability_without_a_type_delivers(tmp_path: Path) -> None:
    (tmp_path / "person.tflite").write_bytes(b"person")
    text = "FROM a\nCAPABILITY<_> it IMAGE\nMODEL<_,_> m ./person.tflite\nOUT serial\nRUN it m serial\n"
    document = runefile.parse(text).document
    assert document is not None
    result = check(document, directory=tmp_path, name="test", blocks=FakeCatalog(), models=read_model)
    assert result.pipeline is not None
    image = result.pipeline.stages[0]
    assert image.outputs == (tensor("u8", 1, 96, 96, 1, scale=1 / 256),)
    assert image.arguments == {"width": 96, "height": 96, "layout": "NHWC", "pixel_format": "GrayScale"}
