"""IMAGE: a picture, turned upright, resized and converted as the capability declares.

The shape is (height, width, channels), channels first where they stand first, or (height, width) for grey;
dimensions of size one before it do not matter.  The argument `pixel-format` is RGB, BGR or GrayScale (any
case, `@PixelFormat::` before it or not); left out, three channels are RGB and one is grey.  The argument
`layout`, NHWC or NCHW, decides where a shape could be read both ways.

The picture is stretched to the size, bilinearly; what is transparent becomes white.  A pixel is 0..255 in
integer types, that minus 128 in `i8`, and 0..1 in floats.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from container.arrays import Array, to_bytes
from container.errors import ContainerError, SensorError
from container.files import read_bounded
from container.manifest import StageRecord
from container.tensors import ElementType, TensorType
from runtime.sensors.source import MAXIMUM_FILE_BYTES, Repeated, SensorSource, argument, unfit

if TYPE_CHECKING:
    from PIL.Image import Image

MAXIMUM_PIXELS = 64 << 20
"""A small file can claim to be a huge picture: beyond this it is not unpacked."""

_CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1, "GREYSCALE": 1, "GRAY": 1, "GREY": 1}
_FOREIGN_PROGRAMS = {"EPS"}
"""Formats that Pillow hands to another program."""
_SIXTEEN_BITS = 257
"""65,535 / 255."""


@dataclass(frozen=True)
class Layout:
    """How the capability wants its pixels."""

    height: int
    width: int
    channels: int
    channels_first: bool
    bgr: bool


def open_image(stage: StageRecord, path: Path) -> SensorSource:
    """Raises SensorError when the file is no picture, ContainerError when the type is none for pictures."""
    layout = layout_of(stage)
    kind = stage.outputs[0]
    image = _read(path)
    try:
        pixels = _pixels(image, layout)
    except Exception as error:  # Pillow decodes late, and its decoders let out whatever they meet.
        raise unfit(path, f"is a damaged picture: {str(error)[:120]}") from None
    return Repeated(to_bytes(kind, _convert(kind, pixels)))


def layout_of(stage: StageRecord) -> Layout:
    """What type and arguments of an IMAGE capability mean.  Raises ContainerError when nothing."""
    kind = stage.outputs[0]
    if kind.element is ElementType.UTF8:
        raise ContainerError(f"`{stage.name}`: IMAGE gives numbers, not {kind}")
    text = argument(stage, "pixel_format", str)
    pixel_format = text.rsplit("::", 1)[-1].upper() if text else None
    if pixel_format is not None and pixel_format not in _CHANNELS:
        raise ContainerError(f"`{stage.name}`: the pixel format is {text!r}, expected RGB, BGR or GrayScale")
    channels = _CHANNELS[pixel_format] if pixel_format else _declared_channels(kind)
    height, width, first = _size(stage, channels)
    return Layout(height, width, channels, first, bgr=pixel_format == "BGR")


def _declared_channels(kind: TensorType) -> int:
    shape = kind.shape
    return 3 if len(shape) >= 3 and 3 in (shape[-1], shape[-3]) else 1


def _size(stage: StageRecord, channels: int) -> tuple[int, int, bool]:
    """Height, width, and whether the channels stand first."""
    kind = stage.outputs[0]
    height, width = argument(stage, "height", int), argument(stage, "width", int)
    layout = argument(stage, "layout", str)
    for shape, first in _readings(kind.shape, channels):
        right_order = layout not in ("NHWC", "NCHW") or first == (layout == "NCHW")
        if right_order and height in (None, shape[0]) and width in (None, shape[1]):
            return shape[0], shape[1], first
    if height and width and height * width * channels == kind.count and height > 0 and width > 0:
        return height, width, False
    asked = f"{channels} channel{'s' if channels > 1 else ''}"
    raise ContainerError(
        f"`{stage.name}`: {kind} is no picture of {asked}"
        + (f", {width} wide and {height} high" if height and width else ""),
        hint=f"expected a shape such as [1,HEIGHT,WIDTH,{channels}]",
    )


def _readings(shape: tuple[int, ...], channels: int) -> list[tuple[tuple[int, int], bool]]:
    """The (height, width) a shape can mean, with whether the channels stand first."""
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    readings = []
    if len(shape) == 3 and shape[2] == channels:
        readings.append(((shape[0], shape[1]), False))
    if len(shape) == 3 and shape[0] == channels:
        readings.append(((shape[1], shape[2]), True))
    if len(shape) == 2 and channels == 1:
        readings.append(((shape[0], shape[1]), False))
    return readings


def _read(path: Path) -> Image:
    from PIL import Image, UnidentifiedImageError

    data = read_bounded(path, MAXIMUM_FILE_BYTES)
    Image.init()
    formats = [name for name in Image.OPEN if name not in _FOREIGN_PROGRAMS]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise unfit(path, "is no picture of a known format", hint="PNG and JPEG are understood") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except Exception as error:  # The readers of some formats let out whatever they meet.
        raise unfit(path, f"is a damaged picture: {str(error)[:120]}") from None
    if image.width * image.height > MAXIMUM_PIXELS:
        raise _too_large(path)
    return image


def _too_large(path: Path) -> SensorError:
    return unfit(path, f"has more than {MAXIMUM_PIXELS:,} pixels, the most that is read")


def _pixels(image: Image, layout: Layout) -> Array:
    """The pixels in the layout's order, as bytes."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        upright = ImageOps.exif_transpose(image)
        plain = _on_white(_eight_bits(upright)).convert("RGB" if layout.channels == 3 else "L")
        resized = plain.resize((layout.width, layout.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized).reshape(layout.height, layout.width, layout.channels)
    if layout.bgr:
        pixels = pixels[:, :, ::-1]
    return pixels.transpose(2, 0, 1) if layout.channels_first else pixels


def _eight_bits(image: Image) -> Image:
    """Pillow cuts pictures of 16 bits off at 255 instead of scaling them."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.clip(np.asarray(image), 0, 65_535) // _SIXTEEN_BITS).astype(np.uint8))


def _on_white(image: Image) -> Image:
    from PIL import Image

    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)


def _convert(kind: TensorType, pixels: Array) -> Array:
    if kind.element.is_float:
        return (pixels.astype(np.float64) / 255).astype(kind.element.dtype)
    if kind.element is ElementType.I8:
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return pixels.astype(kind.element.dtype)
