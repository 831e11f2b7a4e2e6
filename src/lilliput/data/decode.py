"""The bytes of one picture file -> RGB pixels of one size: the same rules in training, prediction and serving.

What the file is, its content tells, never its name. The rules:

- JPEG by simplejpeg; JPEGs it does not take (CMYK, YCCK, EXIF, warnings) and PNG, WEBP, BMP, GIF, TIFF by Pillow;
- grey becomes three equal channels; 16 bits become 8 by value / 257; transparency is laid over white;
- CMYK becomes RGB by Pillow's plain formula, colour profiles are not applied;
- of an animation or a multi-page file the first frame; EXIF orientation is applied;
- more than 25 million pixels are refused from the header, before any decoding;
- a picture of the wanted size is left as it is; any other is cut to its central square (of the upright picture)
  and scaled with Pillow's antialiased bicubic filter: sharper than a box, less ringing than Lanczos, and computed
  in integers, so the same everywhere.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

MAX_PIXELS = 25_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
DECODE_VERSION = 1  # raised whenever a rule above changes, so that packs are made anew

_WARNINGS = Lock()  # Python's warning filters belong to all threads
_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I")


class UndecodableError(ValueError):
    """These bytes are no picture that can be read; the message says why, without naming the file."""


class Seen(NamedTuple):
    """What a picture was in its file: width and height (upright), and whether it had one channel."""

    width: int
    height: int
    is_grey: bool


def decode(data: bytes, size: int) -> np.ndarray:
    """The picture in ``data`` as uint8[size, size, 3], RGB. Raises: UndecodableError."""
    pixels = np.empty((size, size, 3), np.uint8)
    decode_into(data, pixels)
    return pixels


def decode_into(data: bytes, pixels: np.ndarray) -> Seen:
    """Like :func:`decode` into ``pixels``, a contiguous uint8[size, size, 3]. Raises: UndecodableError."""
    if not data:
        raise UndecodableError("the file is empty")
    seen = _decode_jpeg(data, pixels)
    if seen is not None:
        return seen
    image, is_grey = _open_with_pillow(data)
    _fit(image, pixels)
    return Seen(image.width, image.height, is_grey)


def central_square(width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the part of a picture that is kept, in pixels of that picture."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _decode_jpeg(data: bytes, pixels: np.ndarray) -> Seen | None:
    """The fast way, or None where Pillow must decide."""
    if data[:2] != b"\xff\xd8" or b"Exif\x00\x00" in data:
        return None
    try:
        rows, columns, colours, _ = simplejpeg.decode_jpeg_header(data)
        height, width = int(rows), int(columns)
        _check_pixels(width, height)
        if colours not in ("Gray", "YCbCr"):
            return None
        if width == height == len(pixels):
            simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=pixels)
        else:
            _fit(Image.fromarray(simplejpeg.decode_jpeg(data, colorspace="RGB")), pixels)
        return Seen(width, height, colours == "Gray")
    except UndecodableError:
        raise
    except ValueError:  # damaged, or merely odd: Pillow knows the difference
        return None


def _open_with_pillow(data: bytes) -> tuple[Image.Image, bool]:
    """The upright RGB picture, and whether the file was grey."""
    try:
        with _quietly():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            _check_pixels(image.width, image.height)
            image.load()
            is_grey = image.mode in _GREY_MODES
            return _rgb(_upright(image)), is_grey
    except UndecodableError:
        raise
    except Image.UnidentifiedImageError:
        raise UndecodableError(f"not a picture ({', '.join(FORMATS)} are read)") from None
    # Pillow's readers answer damaged files with many kinds of exception; each means the same to us.
    except Exception as error:
        raise UndecodableError(f"damaged: {error or type(error).__name__}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Pillow's warnings about metadata and sizes: what matters of them is checked here."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UndecodableError(f"{width}x{height} pixels are more than {MAX_PIXELS:,}")


def _upright(image: Image.Image) -> Image.Image:
    try:
        with _quietly():
            return ImageOps.exif_transpose(image)
    except Exception:  # EXIF that cannot be read turns nothing
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise UndecodableError("32-bit pixels have no fixed range")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UndecodableError("32-bit pixels have no fixed range")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _fit(image: Image.Image, pixels: np.ndarray) -> None:
    size = len(pixels)
    if image.size != (size, size):
        box = central_square(image.width, image.height)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    pixels[...] = np.asarray(image)
