"""The page, as it lies beside this file, and a few pictures to try it on."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lilliput.data.toy.catalogue import toy_classes
from lilliput.data.toy.picture import draw_picture

FOLDER = Path(__file__).with_name("page")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
# Pictures of the toy set on which the thing is plain to see: class and index.
_EXAMPLES = ((10, 0), (2, 3), (7, 1), (6, 2), (5, 0), (3, 1))


class ExamplePicture(NamedTuple):
    """``name`` is the class it was drawn as."""

    name: str
    png: bytes


def page_file(path: str) -> tuple[bytes, str]:
    """Content and type of a file of the page, by the path it is asked for."""
    name, kind = FILES[path]
    return (FOLDER / name).read_bytes(), kind


@cache
def examples() -> tuple[ExamplePicture, ...]:
    """Drawn once, by the toy set, so that they are nobody's photographs."""
    names = [name for _, name in toy_classes()]
    return tuple(ExamplePicture(names[number], _png(number, index)) for number, index in _EXAMPLES)


def _png(number: int, index: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_picture(0, "val", number, index).pixels).save(file, "PNG")
    return file.getvalue()
