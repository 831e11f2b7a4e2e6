"""Stored pictures carried in the page, re-encoded so that even a page about many runs stays small enough to mail."""

from __future__ import annotations

import warnings
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from lilliput.analysis.report.blocks import Note, Picture

PAGE_BYTES = (
    6_000_000  # of pictures as they stand in the page; the rest of a page stays well below 2 MB
)
# (longest side in pixels, WebP quality), from fine to coarse; a coarser step is taken as the room gets scarce.
_STEPS = ((1600, 82), (1100, 70), (700, 60))
_PICTURES_PER_STEP = (
    12  # a picture may take the twelfth part of what room is left before it gets coarser
)


@dataclass
class Album:
    """Takes pictures in for one page, and keeps count of the ``room`` (bytes of base64) that is left."""

    room: int = PAGE_BYTES

    def take(self, path: Path, alt: str, caption: str = "") -> Picture | Note:
        """The picture at ``path``; a note in its place when it cannot be read or no room is left."""
        try:
            address, width, height = self._encode(path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return Note(text=f"{path.name} cannot be shown: {error}")
        if len(address) > self.room:
            return Note(
                text=f"{path.name} is left out to keep this page small; it lies in {path.parent}"
            )
        self.room -= len(address)
        return Picture(address=address, alt=alt, caption=caption, width=width, height=height)

    def _encode(self, path: Path) -> tuple[str, int, int]:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as opened:
                    picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
            except Image.DecompressionBombWarning as warning:
                raise ValueError("it is too large") from warning
        address, size = "", picture.size
        for longest, quality in _STEPS:
            size = _fit(picture.size, longest)
            address = _webp(picture if size == picture.size else picture.resize(size), quality)
            if len(address) <= self.room / _PICTURES_PER_STEP:
                break
        return address, size[0], size[1]


def _fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    shrink = min(1.0, longest / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def _webp(picture: Image.Image, quality: int) -> str:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + b64encode(buffer.getvalue()).decode()
