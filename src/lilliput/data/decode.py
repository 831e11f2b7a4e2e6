"""The bytes of one picture file -> RGB pixels of one size: the same rules in training, prediction and serving.

What the file is, its content tells, never its name. The rules:

- JPEG by simplejpeg; JPEGs it does not take (CMYK, YCCK, EXIF, warnings) and PNG, WEBP, BMP, GIF, TIFF by Pillow;
- grey becomes three equal channels; transparency is laid over white;
- 16 bits become 8 by value / 257, rounded, in grey and colour (TIFF with a fourth channel that is not plain
  transparency: by the high byte); pixels of 32 bits, signed or floating-point ones have no fixed range and are refused,
  whatever they hold, as is TIFF of 12 bits, or of 16 in separate planes;
- CMYK becomes RGB by Pillow's plain formula, colour profiles are not applied;
- of an animation or a multi-page file the first frame; EXIF orientation is applied;
- more than 25 million pixels, or a JPEG of more than 100 scans, are refused before any decoding;
- a picture of the wanted size is left as it is; any other is cut to its central square (of the upright picture)
  and scaled with Pillow's antialiased bicubic filter: sharper than a box, less ringing than Lanczos, and computed
  in integers, so the same everywhere.
"""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, ImageFile, ImageOps

MAX_PIXELS = 25_000_000
MAX_SCANS = 100  # of a JPEG, each over all its pixels; progressive ones have about ten
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
DECODE_VERSION = 2  # raised whenever a rule above changes, so that packs are made anew

_BITS_PER_SAMPLE, _PLANAR_CONFIGURATION = 258, 284  # tags of TIFF
_WARNINGS = Lock()  # Python's warning filters belong to all threads
_BAND_PIXELS = 1 << 18
# In a JPEG: bytes that open a segment, or end a scan's pixels. Zeros and restarts (D0..D7) are part of the pixels.
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_SCAN, _END = 0xDA, 0xD9
_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N")
# Of 16-bit colours Pillow keeps the high bytes. By this raw mode it finds the low ones, in these channels.
_SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_LOW_BYTES = {"LA;16B": ("RGBA", [1, 1, 1, 3])} | {
    f"{mode};16{order}": (f"{mode};16{swapped}", [*range(len(mode))])
    for mode in ("RGB", "RGBA")
    for order, swapped in _SWAPPED.items()
}


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
    if data[:2] == b"\xff\xd8" and _scans(data) > MAX_SCANS:
        raise UndecodableError(f"a JPEG of more than {MAX_SCANS} scans")
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


def _scans(data: bytes) -> int:
    """How many scans a JPEG has; what comes behind its end does not count. The search ends with the first too many."""
    place, scans = 2, 0
    while scans <= MAX_SCANS and (found := _MARKER.search(data, place)):
        kind = data[found.end() - 1]
        if kind == _END:
            break
        scans += kind == _SCAN
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return scans


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
            _check_depth(image)
            _load(image, data)
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
    """Without Pillow's warnings about metadata, and its limit of pixels: what matters of them is checked here."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UndecodableError(f"{width}x{height} pixels are more than {MAX_PIXELS:,}")


def _check_depth(image: ImageFile.ImageFile) -> None:
    """Refuse what has no fixed range, and the TIFF that Pillow misreads."""
    if image.mode in ("I", "F"):
        raise UndecodableError("pixels of 32 bits, or signed ones, have no fixed range")
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(_BITS_PER_SAMPLE, (8,)))
    in_planes = tags.get(_PLANAR_CONFIGURATION) == 2 and not image.mode.startswith("I;16")
    if bits > 8 and (in_planes or not all(";16" in _raw_mode(tile) for tile in image.tile)):
        raise UndecodableError(f"{bits} bits a channel, stored like this, are not read")


def _load(image: ImageFile.ImageFile, data: bytes) -> None:
    """Load the pixels, those of 16-bit colours rounded to 8 bits."""
    raw_mode = _raw_mode(image.tile[0]) if image.tile else ""
    image.load()
    if raw_mode not in _LOW_BYTES:
        return
    other_mode, channels = _LOW_BYTES[raw_mode]
    with _quietly():
        other = Image.open(io.BytesIO(data), formats=FORMATS)
    other.tile = [tile._replace(args=_with_raw_mode(tile.args, other_mode)) for tile in other.tile]
    high, low = np.array(image), np.asarray(other)
    for rows in _bands(image):
        high[rows] = _eight_bits(high[rows].astype(np.uint32) * 256 + low[rows][..., channels])
    image.frombytes(high)


def _bands(image: Image.Image) -> Iterator[slice]:
    """The rows of a picture, some at a time: what is computed of large pictures at once takes memory."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield slice(top, min(top + rows, image.height))


def _raw_mode(tile: Any) -> str:
    """How the pixels of a part of a file are laid down, in Pillow's words."""
    return tile.args if isinstance(tile.args, str) else str(tile.args[0])


def _with_raw_mode(arguments: Any, raw_mode: str) -> Any:
    return raw_mode if isinstance(arguments, str) else (raw_mode, *arguments[1:])


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """16-bit values / 257, rounded."""
    return ((values + 128) // 257).astype(np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    try:
        with _quietly():
            return ImageOps.exif_transpose(image)
    except Exception:  # EXIF that cannot be read turns nothing
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = np.empty(values.shape, np.uint8)
        for rows in _bands(image):
            grey[rows] = _eight_bits(values[rows].astype(np.uint32))
        return Image.fromarray(grey).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    laid = Image.new("RGB", image.size)
    for rows in _bands(image):
        over = image.crop((0, rows.start, image.width, rows.stop)).convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        laid.paste(Image.alpha_composite(white, over).convert("RGB"), (0, rows.start))
    return laid


def _fit(image: Image.Image, pixels: np.ndarray) -> None:
    size = len(pixels)
    if image.size != (size, size):
        box = central_square(image.width, image.height)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    pixels[...] = np.asarray(image)
