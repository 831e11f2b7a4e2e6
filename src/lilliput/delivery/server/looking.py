"""Pictures to answers, and which places of a picture an answer rests on. Runs in the desk's threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.data.decode import MAX_PIXELS, UndecodableError, decode_into
from lilliput.delivery.classifier import Classifier, Guess
from lilliput.delivery.description import Description
from lilliput.delivery.server.body import Sent
from lilliput.delivery.server.refusal import Refusal

GRID = 8
GREY = 128
_HINT = f"JPEG, PNG, WEBP, BMP, GIF or TIFF of at most {MAX_PIXELS // 1_000_000} million pixels"


@dataclass(frozen=True, eq=False)
class Served:
    """A classifier by the name it is served under, with what its file says about itself."""

    name: str
    classifier: Classifier
    description: Description

    def facts(self) -> dict[str, Any]:
        """What ``/model`` tells about it."""
        told = self.description
        return {
            "name": self.name,
            "source": told.source,
            "classes": [one._asdict() for one in told.classes],
            "size": self.classifier.size,
            "views": list(told.views),
            "metadata": told.to_metadata(),
        }


class Looked(NamedTuple):
    """How much less probable ``best`` becomes when a place is covered: ``drops`` float[rows, columns] in -1 .. 1.

    The places tile the picture, row by row from its top left; a cover reaches over its neighbours too.
    """

    best: Guess
    drops: NDArray[np.float64]


def label(
    all_served: Sequence[Served], sent: Sequence[Sent], top: int, most_pixels: int
) -> list[dict[str, Any]]:
    """What every classifier says to every picture: ``top`` classes, the best first; or why it cannot be read.

    Once pictures of ``most_pixels`` together have been decoded, the others are not.
    """
    sizes = {one.classifier.size for one in all_served}
    seen = _all_decoded(sent, sizes, most_pixels)
    said: list[list[dict[str, Any]]] = [[] for _ in sent]
    good = [number for number, one in enumerate(seen) if not isinstance(one, Refusal)]
    for one in all_served:
        size = one.classifier.size
        pixels = np.zeros((len(good), size, size, 3), np.uint8)
        for row, number in zip(pixels, good, strict=True):
            row[...] = seen[number][size]  # pyrefly: ignore
        for number, row in zip(good, one.classifier(pixels), strict=True):
            guesses = one.classifier.best(row, top)
            named = [guess._asdict() for guess in guesses]
            said[number].append({"classifier": one.name, "top": named})
    return [
        {"file": file, "error": one.facts} if isinstance(one, Refusal) else {"file": file, "answers": answers}
        for (file, _), one, answers in zip(sent, seen, said, strict=True)
    ]  # fmt: skip


def explain(one: Served, sent: Sent) -> Looked:
    """Cover one place after the other with grey, and see what becomes of the best class.

    Raises: Refusal when the picture cannot be read.
    """
    image = read(sent.data, one.classifier.size)
    covered = cover(image, min(GRID, len(image)))
    probabilities = one.classifier(np.concatenate([image[np.newaxis], covered]))
    best = one.classifier.best(probabilities[0], 1)[0]
    column = int(probabilities[0].argmax())
    drops = probabilities[0, column].astype(float) - probabilities[1:, column]
    side = round(len(covered) ** 0.5)
    return Looked(best, drops.reshape(side, side))


def cover(image: NDArray[np.uint8], grid: int) -> NDArray[np.uint8]:
    """The picture uint8[size,size,3] with a grey square around each of grid x grid places, uint8[grid * grid, ...].

    A square is two places wide, so that an object on the border of two is covered whole once.
    """
    size = len(image)
    covered = np.repeat(image[np.newaxis], grid * grid, axis=0)
    middles = (np.arange(grid) + 0.5) * size / grid
    reach = size / grid
    starts = np.floor(np.maximum(middles - reach, 0)).astype(int)
    ends = np.ceil(np.minimum(middles + reach, size)).astype(int)
    for row in range(grid):
        for column in range(grid):
            place = covered[row * grid + column]
            place[starts[row] : ends[row], starts[column] : ends[column]] = GREY
    return covered


def read(data: bytes, size: int) -> NDArray[np.uint8]:
    """A picture as uint8[size,size,3], as training saw it. Raises: Refusal."""
    return _read(data, {size})[0][size]


def _read(data: bytes, sizes: Iterable[int]) -> tuple[dict[int, NDArray[np.uint8]], int]:
    """A picture in every size, and how many pixels it took to decode. Raises: Refusal."""
    found = {size: np.empty((size, size, 3), np.uint8) for size in sizes}
    try:
        seen = [decode_into(data, pixels) for pixels in found.values()]
    except UndecodableError as error:
        raise Refusal(422, "UndecodableError", str(error), _HINT) from None
    return found, sum(one.width * one.height for one in seen)


def _all_decoded(
    sent: Sequence[Sent], sizes: Iterable[int], most_pixels: int
) -> list[Mapping[int, NDArray[np.uint8]] | Refusal]:
    """Every picture in every size that is asked for, or why there is none."""
    decoded: list[Mapping[int, NDArray[np.uint8]] | Refusal] = []
    pixels = 0
    for one in sent:
        if pixels >= most_pixels:
            most = f"the pictures before it have {most_pixels // 1_000_000} million pixels already"
            decoded.append(Refusal(422, "TooManyPixels", most, "send it in a request of its own"))
            continue
        try:
            found, more = _read(one.data, sizes)
        except Refusal as refusal:
            decoded.append(refusal)
        else:
            decoded.append(found)
            pixels += more
    return decoded
