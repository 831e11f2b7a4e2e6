from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from lilliput.data.decode import UndecodableError, central_square, decode, decode_into

Draw = Callable[..., bytes]


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_is_bit_equal_to_pillow(picture: Draw, options: dict) -> None:
    data = picture(1, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, 64), expected)


def test_grey_jpeg_has_three_equal_channels(picture: Draw) -> None:
    data = picture(1, mode="L")
    pixels = decode(data, 64)
    grey = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(pixels, np.stack([grey] * 3, axis=-1))
    assert decode_into(data, pixels).is_grey


def test_cmyk_jpeg_is_what_pillow_makes_of_it(picture: Draw) -> None:
    data = picture(1, mode="CMYK")
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, 64), expected)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(format: str) -> None:
    pixels = noise(16, 16, 3)
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(Image.fromarray(pixels), format, **options)
    np.testing.assert_array_equal(decode(data, 16), pixels)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = noise(16, 16, dtype=np.uint16)
    values[0, :4] = 0, 256, 257, 65535
    pixels = decode(encoded(Image.fromarray(values)), 16)
    np.testing.assert_array_equal(pixels[..., 0], np.rint(values / 257).astype(np.uint8))
    assert pixels[0, 3].tolist() == [255, 255, 255]


def png(width: int, height: int, bits: int, colours: int, rows: bytes) -> bytes:
    """A PNG by hand, for what Pillow does not write."""

    def block(kind: bytes, content: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + end

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = block(b"IHDR", header) + block(b"IDAT", zlib.compress(rows)) + block(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_colour_is_scaled_not_clipped() -> None:
    values = noise(8, 8, 3, dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    pixels = decode(png(8, 8, 16, 2, rows), 8).astype(float)
    assert np.abs(pixels - values / 257).max() <= 1


def test_one_bit_and_palette() -> None:
    bits = noise(8, 8) > 127
    pixels = decode(encoded(Image.fromarray(bits)), 8)
    np.testing.assert_array_equal(pixels, np.repeat(bits[..., None] * 255, 3, axis=2))
    palette = Image.fromarray(noise(8, 8, 3)).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(decode(encoded(palette), 8), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert(mode)
    data = encoded(clear, transparency=0) if mode == "P" else encoded(clear)
    assert (decode(data, 8) == 255).all()


def test_half_transparency_is_mixed() -> None:
    data = encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)))
    assert (decode(data, 4) == 127).all()


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data, 8)[0, 0].tolist() == [255, 0, 0]


def test_exif_orientation_is_applied(picture: Draw) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    plain, turned = picture(1), picture(1, exif=exif.tobytes())
    np.testing.assert_array_equal(decode(turned, 64), decode(plain, 64)[::-1, ::-1])


def test_broken_exif_turns_nothing(picture: Draw) -> None:
    data = picture(1, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode(data, 64), decode(picture(1), 64))


def test_other_sizes_are_cut_to_the_central_square() -> None:
    pixels = noise(16, 40, 3)
    wide = decode(encoded(Image.fromarray(pixels)), 16)
    np.testing.assert_array_equal(wide, pixels[:, 12:28])
    tall = decode(encoded(Image.fromarray(pixels.transpose(1, 0, 2))), 16)
    np.testing.assert_array_equal(tall, pixels.transpose(1, 0, 2)[12:28])


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = decode(encoded(Image.fromarray(stripes)), 16)
    assert np.abs(shrunk[:, 1:-1].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", size, (10, 20, 30)))
    assert (decode(data, 16) == [10, 20, 30]).all()
    left, top, right, bottom = central_square(*size)
    assert right - left == bottom - top == min(size)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"some words", "not a picture"),
        (b"\xff\xd8 words", "not a picture|damaged"),
        (png(30000, 30000, 8, 2, b"\0" * 100), "pixels|damaged"),
        (png(6000, 6000, 8, 2, b"\0" * 100), "36000000|6000x6000"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason):
        decode(data, 64)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(picture: Draw, part: float) -> None:
    for data in (picture(1), encoded(Image.fromarray(noise(32, 32, 3)))):
        with pytest.raises(UndecodableError):
            decode(data[: int(len(data) * part)], 64)


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(UndecodableError, match="range"):
        decode(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), 4)


def test_formats_beyond_the_list_are_refused() -> None:
    with pytest.raises(UndecodableError, match="not a picture"):
        decode(encoded(Image.new("RGB", (4, 4)), "PPM"), 4)
