"""Pictures of every kind become the pixels that the capability declares."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from container.errors import ContainerError, SensorError
from container.manifest import StageRecord
from container.tensors import ElementType, TensorType
from runtime.sensors.image import Layout, layout_of, open_image
from tests.runtime import guests

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def image(shape: tuple[int, ...], element: ElementType = ElementType.U8, **arguments: Any) -> StageRecord:
    return guests.capability("camera", TensorType(element, shape), "IMAGE", **arguments)


def row(path: Path, colors: list[tuple[int, int, int]], **options: Any) -> Path:
    """A picture of one row."""
    picture = Image.new("RGB", (len(colors), 1))
    for x, color in enumerate(colors):
        picture.putpixel((x, 0), color)
    picture.save(path, **options)
    return path


def read(stage: StageRecord, path: Path) -> list[float]:
    values: list[float] = np.frombuffer(
        open_image(stage, path).sample(), stage.outputs[0].element.dtype
    ).tolist()
    return values


@pytest.mark.parametrize(
    ("shape", "arguments", "expected"),
    [
        ((1, 1, 2, 3), {}, [255, 0, 0, 0, 255, 0]),
        ((1, 2, 3), {"pixel-format": "RGB"}, [255, 0, 0, 0, 255, 0]),
        ((1, 1, 2, 3), {"pixel_format": "@PixelFormat::BGR"}, [0, 0, 255, 0, 255, 0]),
        ((1, 3, 1, 2), {"pixel-format": "rgb"}, [255, 0, 0, 255, 0, 0]),
        ((1, 3, 1, 2), {"pixel-format": "BGR"}, [0, 0, 0, 255, 255, 0]),
        ((1, 1, 2, 1), {"pixel-format": "@PixelFormat::GrayScale"}, [76, 150]),
        ((1, 2), {}, [76, 150]),
        ((6,), {"pixel-format": "RGB", "width": 2, "height": 1}, [255, 0, 0, 0, 255, 0]),
    ],
)
def test_layouts(
    tmp_path: Path, shape: tuple[int, ...], arguments: dict[str, Any], expected: list[int]
) -> None:
    """Grey is ITU-R 601: 0.299 red, 0.587 green."""
    assert read(image(shape, **arguments), row(tmp_path / "x.png", [RED, GREEN])) == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (ElementType.U8, [0, 51, 255]),
        (ElementType.I8, [-128, -77, 127]),
        (ElementType.U16, [0, 51, 255]),
        (ElementType.I32, [0, 51, 255]),
        (ElementType.F32, [0.0, float(np.float32(0.2)), 1.0]),
        (ElementType.F64, [0.0, 0.2, 1.0]),
    ],
)
def test_element_types(tmp_path: Path, element: ElementType, expected: list[float]) -> None:
    path = row(tmp_path / "x.png", [(0, 0, 0), (51, 51, 51), (255, 255, 255)])
    assert read(image((1, 1, 3, 1), element), path) == expected


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tiff", "webp", "ppm", "tga", "ico", "jp2"])
def test_formats(tmp_path: Path, ending: str) -> None:
    picture = Image.new("RGB", (16, 16), (255, 255, 255))
    picture.save(tmp_path / f"x.{ending}", lossless=True)
    assert read(image((16, 16, 3)), tmp_path / f"x.{ending}") == [255] * 768


def test_resized(tmp_path: Path) -> None:
    picture = Image.new("L", (64, 32), 200)
    picture.save(tmp_path / "x.png")
    assert read(image((1, 8, 8, 1)), tmp_path / "x.png") == [200] * 64


def test_shrinking_takes_the_mean(tmp_path: Path) -> None:
    """A fine checkerboard is grey from afar, not black or white."""
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "x.png")
    assert all(126 <= value <= 129 for value in read(image((8, 8)), tmp_path / "x.png"))


def test_turned_upright(tmp_path: Path) -> None:
    """Orientation 6: the first row of the upright picture is the first column of the file's, from below."""
    picture = Image.new("RGB", (1, 2), RED)
    picture.putpixel((0, 1), BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "x.png", exif=exif)
    assert read(image((1, 2, 3)), tmp_path / "x.png") == [*BLUE, *RED]


def test_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (255, 0, 0, 0)).save(tmp_path / "x.png")
    assert read(image((1, 1, 3)), tmp_path / "x.png") == [255, 255, 255]
    palette = Image.new("P", (1, 1), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "y.png", transparency=1)
    assert read(image((1, 1, 3)), tmp_path / "y.png") == [255, 255, 255]


def test_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert read(image((1, 4)), tmp_path / "x.png") == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("shape", "arguments", "expected"),
    [
        ((1, 96, 64, 1), {}, Layout(96, 64, 1, False, False)),
        ((1, 1, 96, 64), {}, Layout(96, 64, 1, True, False)),
        ((1, 3, 96, 64), {}, Layout(96, 64, 3, True, False)),
        ((3, 3, 3), {}, Layout(3, 3, 3, False, False)),
        ((3, 3, 3), {"layout": "NCHW"}, Layout(3, 3, 3, True, False)),
        ((1, 3, 96, 3), {"width": 3, "height": 96}, Layout(96, 3, 3, True, False)),
        ((1, 28, 28), {"layout": "HW"}, Layout(28, 28, 1, True, False)),
        ((1, 1, 1, 28, 28), {}, Layout(28, 28, 1, True, False)),
    ],
)
def test_meaning_of_shapes(shape: tuple[int, ...], arguments: dict[str, Any], expected: Layout) -> None:
    assert layout_of(image(shape, **arguments)) == expected


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (image((1, 8, 8, 4)), "`camera`: U8[1,8,8,4] is no picture of 1 channel"),
        (image((2, 8, 8, 3)), "`camera`: U8[2,8,8,3] is no picture of 3 channels"),
        (image((1, 8, 8, 1), pixel_format="RGB"), "`camera`: U8[1,8,8,1] is no picture of 3 channels"),
        (image((8, 8), width=9, height=8), "`camera`: U8[8,8] is no picture of 1 channel, 9 wide and 8 high"),
        (image((8, 8), pixel_format="YUV"), "`camera`: the pixel format is 'YUV', expected RGB"),
        (image((8, 8), width="8"), "`camera`: the argument `width` is '8', expected int"),
        (image((8, 8), ElementType.UTF8), "`camera`: IMAGE gives numbers, not UTF8[8,8]"),
    ],
)
def test_capabilities_that_make_no_sense(stage: StageRecord, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        layout_of(stage)
    assert caught.value.message.startswith(message)


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no picture of a known format"),
        (b"hello", "is no picture of a known format"),
        (png(100_000, 100_000), "has more than 67,108,864 pixels, the most that is read"),
        (png(0x7FFFFFFF, 0x7FFFFFFF), "has more than 67,108,864 pixels"),
        (png(10_000, 7_000), "has more than 67,108,864 pixels"),
        (png(0, 0), ""),
        (png(200, 200), "is a damaged picture: "),
        (png(4, 4)[:-26], "is a damaged picture: "),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n",
            "is no picture of a known format",
        ),
    ],
)
def test_hostile_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(SensorError) as caught:
        open_image(image((8, 8)), path)
    assert caught.value.message.startswith(f"{path}: {message}")


def test_jpeg_is_close(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 30)).save(buffer, "JPEG", quality=95)
    (tmp_path / "x.jpg").write_bytes(buffer.getvalue())
    found = np.array(read(image((16, 16, 3)), tmp_path / "x.jpg")).reshape(-1, 3)
    assert np.abs(found - (10, 200, 30)).max() <= 3
