from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from lilliput.data import decode as decode_module
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


def tiff(values: np.ndarray, order: str, tags: dict[int, list[int]]) -> bytes:
    """A TIFF by hand, in one strip; ``tags`` are added to the necessary ones."""
    height, width, channels = values.shape
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    photometric = 1 if channels == 1 else 2
    table = {256: [width], 257: [height], 258: [values.itemsize * 8] * channels, 259: [1]}
    table |= {262: [photometric], 273: [8], 277: [channels], 278: [height], 279: [len(data)]}
    entries, more = b"", b""
    start = 8 + len(data) + 2 + 12 * len(table | tags) + 4
    for tag, numbers in sorted((table | tags).items()):
        content = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            content, more = struct.pack(f"{order}I", start + len(more)), more + content
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + content
    mark = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(table | tags))
    return mark + struct.pack(f"{order}I", 8 + len(data)) + data + count + entries + bytes(4) + more


def png(width: int, height: int, bits: int, colours: int, rows: bytes) -> bytes:
    """A PNG by hand, for what Pillow does not write."""

    def block(kind: bytes, content: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + end

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = block(b"IHDR", header) + block(b"IDAT", zlib.compress(rows)) + block(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def sixteen_bits(channels: int) -> np.ndarray:
    """All that is hard to round, among noise."""
    values = noise(64, 64, channels, dtype=np.uint16)
    values[0, :, 0] = [*range(0, 8192, 256), *range(128, 16512, 512)]
    values[1, :5, 0] = 0, 255, 256, 65407, 65535
    return values


def over_white(values: np.ndarray) -> np.ndarray:
    """What 16-bit RGBA becomes, from the document's words: / 257, rounded, then laid over white."""
    image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def test_sixteen_bit_colour_is_rounded() -> None:
    values = sixteen_bits(3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    pixels = decode(png(64, 64, 16, 2, rows), 64)
    np.testing.assert_array_equal(pixels, np.rint(values / 257))
    assert pixels[1, 1, 0] == 1


@pytest.mark.parametrize("colours", [4, 6])
def test_sixteen_bit_transparency_is_rounded(colours: int) -> None:
    values = sixteen_bits(2 if colours == 4 else 4)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    rgba = values[..., [0, 0, 0, 1]] if colours == 4 else values
    np.testing.assert_array_equal(decode(png(64, 64, 16, colours, rows), 64), over_white(rgba))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_is_rounded(order: str) -> None:
    values = sixteen_bits(4)
    for channels in (1, 3):
        part = values[..., :channels]
        expected = np.rint(part / 257) * np.ones(3)
        np.testing.assert_array_equal(decode(tiff(part, order, {}), 64), expected)
    transparent = tiff(values, order, {338: [2]})
    np.testing.assert_array_equal(decode(transparent, 64), over_white(values))


def test_tiff_that_would_be_misread_is_refused() -> None:
    values = sixteen_bits(3)
    in_planes = tiff(values, "<", {284: [2], 273: [8] * 3, 279: [values.nbytes // 3] * 3})
    with pytest.raises(UndecodableError, match="16 bits a channel"):
        decode(in_planes, 64)
    with pytest.raises(UndecodableError, match="12 bits a channel"):
        decode(tiff(values[..., :1], "<", {258: [12]}), 64)


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
        (png(30000, 30000, 8, 2, b"\0" * 100), "30000x30000 pixels are more than 25,000,000"),
        (png(6000, 6000, 8, 2, b"\0" * 100), "36000000|6000x6000"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason):
        decode(data, 64)


def scans_repeated(times: int, mode: str) -> bytes:
    """A progressive JPEG whose last scan comes that many times more."""
    data = encoded(Image.fromarray(noise(64, 64, 3)).convert(mode), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_of_very_many_scans_is_refused(mode: str) -> None:
    assert decode(scans_repeated(20, mode), 64).shape == (64, 64, 3)
    with pytest.raises(UndecodableError, match="more than 100 scans"):
        decode(scans_repeated(120, mode), 64)


@pytest.mark.parametrize("options", [{}, {"exif": b"Exif\x00\x00" + b"\xff\xda" * 200}])
def test_what_merely_looks_like_scans_does_not_count(options: dict) -> None:
    """In a segment of metadata, and behind the end, where telephones keep a film."""
    image = Image.fromarray(noise(64, 64, 3))
    plain = encoded(image, "JPEG", quality=100)
    data = encoded(image, "JPEG", quality=100, **options) + b"\xff\xda\x00\x02" * 200
    np.testing.assert_array_equal(decode(data, 64), decode(plain, 64))


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "LA", "grey", "palette", "transparent RGB"])
def test_in_bands_a_picture_is_what_it_is_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "palette":
        image = Image.fromarray(noise(40, 30, 4)).quantize(16)
        data = encoded(image, transparency=3)
    elif kind == "transparent RGB":
        data = encoded(Image.fromarray(noise(40, 30, 3) // 200), transparency=(0, 1, 0))
    else:
        colour, channels = {"grey": (0, 1), "RGB": (2, 3), "LA": (4, 2), "RGBA": (6, 4)}[kind]
        values = noise(40, 30 * channels, dtype=np.uint16).astype(">u2")
        rows = b"".join(b"\0" + row.tobytes() for row in values)
        data = png(30, 40, 16, colour, rows)
    whole = decode(data, 24)
    monkeypatch.setattr(decode_module, "_BAND_PIXELS", 30 * 7)
    np.testing.assert_array_equal(decode(data, 24), whole)


@pytest.mark.parametrize("colour", [0, 6])
def test_sixteen_bits_take_little_more_memory_than_the_picture(colour: int) -> None:
    channels = {0: 1, 6: 4}[colour]
    data = png(2000, 1500, 16, colour, b"\0" * (1 + 2000 * 2 * channels) * 1500)
    tracemalloc.start()
    decode(data, 64)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2000 * 1500 * channels * 7


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(picture: Draw, part: float) -> None:
    for data in (picture(1), encoded(Image.fromarray(noise(32, 32, 3)))):
        with pytest.raises(UndecodableError):
            decode(data[: int(len(data) * part)], 64)


@pytest.mark.parametrize("top", [1, 255, 65535, 70000])
@pytest.mark.parametrize(
    ("dtype", "kind"), [(np.uint32, 1), (np.int32, 2), (np.int16, 2), (np.float32, 3)]
)
def test_pixels_without_a_fixed_range_are_refused_whatever_they_hold(
    top: int, dtype: type, kind: int
) -> None:
    values = np.linspace(0, min(top, 32767) if dtype is np.int16 else top, 64)
    data = tiff(values.astype(dtype).reshape(8, 8, 1), "<", {339: [kind]})
    with pytest.raises(UndecodableError, match="no fixed range"):
        decode(data, 8)


def test_formats_beyond_the_list_are_refused() -> None:
    with pytest.raises(UndecodableError, match="not a picture"):
        decode(encoded(Image.new("RGB", (4, 4)), "PPM"), 4)
