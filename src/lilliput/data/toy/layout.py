"""The toy set as one zip in the official layout of Tiny ImageNet.

toy/wnids.txt                            an id per line, sorted
toy/words.txt                            id, tab, name
toy/train/<id>/<id>_boxes.txt            file name and box, tabs between them
toy/train/<id>/images/<id>_<number>.JPEG
toy/val/val_annotations.txt              file name, id and box
toy/val/images/val_<number>.JPEG
toy/test/images/test_<number>.JPEG       no labels
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
from PIL import Image

from lilliput.data.toy.catalogue import toy_classes
from lilliput.data.toy.picture import Picture, draw_picture, generator
from lilliput.errors import UsageError
from lilliput.results.atomic import atomic_path

ROOT = "toy"
_DATE = (2016, 1, 1, 0, 0, 0)
_QUALITY = 88
_CLASSES = toy_classes()


def write_toy_zip(
    file: Path | BinaryIO,
    *,
    seed: int = 0,
    train_images: int = 120,
    val_images: int = 25,
    test_images: int = 5,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Draw the toy set into a zip; the numbers of images are per class.

    Equal arguments give equal bytes, and a larger set begins with the pictures of a smaller one. ``progress`` is told
    how many pictures are drawn and how many there will be.

    Raises: UsageError for a negative seed or number of images, or no training image; StorageError where ``file``
    cannot be written.
    """
    _check(seed, train_images, val_images, test_images)
    total = len(_CLASSES) * (train_images + val_images + test_images)
    members = _members(seed, train_images, val_images, test_images)
    if not isinstance(file, Path):
        _write(file, members, total, progress)
        return
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        _write(stream, members, total, progress)


def _check(seed: int, train_images: int, val_images: int, test_images: int) -> None:
    if seed < 0:
        raise UsageError(f"the seed of the toy set is {seed}", "a seed is 0 or more")
    if train_images < 1 or val_images < 0 or test_images < 0:
        raise UsageError(
            f"a toy set of {train_images} training, {val_images} validation and {test_images} test images per class",
            "at least 1 training image per class, and no negative number",
        )


def _write(
    stream: BinaryIO,
    members: Iterator[tuple[str, bytes]],
    total: int,
    progress: Callable[[int, int], None],
) -> None:
    drawn = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            # Date, system and rights are fixed, and nothing is compressed: the bytes depend on the pictures alone.
            entry = zipfile.ZipInfo(f"{ROOT}/{name}", _DATE)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
            if name.endswith(".JPEG"):
                drawn += 1
                progress(drawn, total)


def _members(seed: int, train: int, val: int, test: int) -> Iterator[tuple[str, bytes]]:
    yield "wnids.txt", _lines(id for id, _ in _CLASSES)
    yield "words.txt", _lines(f"{id}\t{name}" for id, name in _CLASSES)
    for number, (id, _) in enumerate(_CLASSES):
        boxes = []
        for index in range(train):
            name, picture = f"{id}_{index}.JPEG", draw_picture(seed, "train", number, index)
            boxes.append("\t".join([name, *map(str, picture.box)]))
            yield f"train/{id}/images/{name}", _jpeg(picture)
        yield f"train/{id}/{id}_boxes.txt", _lines(boxes)
    annotations = []
    for position, (number, index) in enumerate(_shuffled(seed, "val", val)):
        name, picture = f"val_{position}.JPEG", draw_picture(seed, "val", number, index)
        annotations.append("\t".join([name, _CLASSES[number][0], *map(str, picture.box)]))
        yield f"val/images/{name}", _jpeg(picture)
    yield "val/val_annotations.txt", _lines(annotations)
    for position, (number, index) in enumerate(_shuffled(seed, "test", test)):
        yield f"test/images/test_{position}.JPEG", _jpeg(draw_picture(seed, "test", number, index))


def _shuffled(seed: int, split: str, images: int) -> Iterator[tuple[int, int]]:
    """(class, index) of every picture, the classes in another order in every round: names tell no labels."""
    for index in range(images):
        order = generator(seed, split, index).permutation(len(_CLASSES))
        yield from ((int(number), index) for number in order)


def _jpeg(picture: Picture) -> bytes:
    if not picture.grey:
        return simplejpeg.encode_jpeg(picture.pixels, _QUALITY, colorsubsampling="420")
    grey = np.asarray(Image.fromarray(picture.pixels).convert("L"))[..., None]
    return simplejpeg.encode_jpeg(grey, _QUALITY, colorspace="GRAY", colorsubsampling="Gray")


def _lines(lines: Iterator[str] | list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
