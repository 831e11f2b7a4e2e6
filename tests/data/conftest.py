"""A miniature of the official layout, drawn, and the same pictures in every other way a user may have them."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IDS = ("n01", "n02", "n03")
TRAIN, VAL, TEST = 11, 4, 12  # per class, per class, in all


def jpeg(seed: int, *, size: tuple[int, int] = (64, 64), mode: str = "RGB", **options) -> bytes:
    """A soft random picture of its own, as a JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def write_official(root: Path) -> Path:
    """The official layout; the fourth training picture of each class is grey."""
    for number, id in enumerate(IDS):
        images = root / "train" / id / "images"
        images.mkdir(parents=True)
        boxes = []
        for i in range(TRAIN):
            mode = "L" if i == 3 else "RGB"
            (images / f"{id}_{i}.JPEG").write_bytes(jpeg(100 * number + i, mode=mode))
            boxes.append(f"{id}_{i}.JPEG\t{i}\t1\t{i + 40}\t63\n")
        (images.parent / f"{id}_boxes.txt").write_text("".join(boxes))
    (root / "val" / "images").mkdir(parents=True)
    lines = []
    for i in range(VAL * len(IDS)):
        (root / "val" / "images" / f"val_{i}.JPEG").write_bytes(jpeg(1000 + i))
        lines.append(f"val_{i}.JPEG\t{IDS[i * 2 % 3]}\t0\t{i}\t60\t61\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "test" / "images").mkdir(parents=True)
    for i in range(TEST):
        (root / "test" / "images" / f"test_{i}.JPEG").write_bytes(jpeg(2000 + i))
    (root / "wnids.txt").write_text("".join(f"{id}\n" for id in reversed(IDS)))
    (root / "words.txt").write_text("n01\tschool bus\nn02\tcup, mug\nn03\twooden spoon\nn9\tidea\n")
    return root


def write_zip(path: Path, files: dict[str, bytes], *, deflate: bool = False) -> Path:
    """A zip with these members in this order."""
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    """Path inside ``folder`` -> content, in the order of plain strings, as zip programs like it."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


@pytest.fixture(scope="session")
def _official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_official(tmp_path_factory.mktemp("source") / "mini")


@pytest.fixture
def official(_official: Path, tmp_path: Path) -> Path:
    """The official layout as a folder that the test may spoil."""
    target = tmp_path / "mini"
    for name, content in files_of(_official).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return target


@pytest.fixture
def official_zip(_official: Path, tmp_path: Path) -> Path:
    """The official layout as a zip."""
    members = {f"mini/{name}": content for name, content in files_of(_official).items()}
    return write_zip(tmp_path / "mini.zip", members, deflate=True)


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """``class_folders({"train/cat": 3, ...})`` makes folders with that many pictures."""

    def make(folders: dict[str, int], name: str = "animals") -> Path:
        root = tmp_path / name
        for number, (folder, count) in enumerate(folders.items()):
            (root / folder).mkdir(parents=True)
            for i in range(count):
                (root / folder / f"{i}.jpg").write_bytes(jpeg(100 * number + i, size=(32, 32)))
        return root

    return make


@pytest.fixture
def real_source() -> Path:
    """The official Tiny ImageNet, zip or folder."""
    place = os.environ.get("LILLIPUT_TINY_IMAGENET")
    if not place:
        pytest.skip("LILLIPUT_TINY_IMAGENET is not set")
    return Path(place)


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """``picture(seed, size=(w, h), mode=...)``: see :func:`jpeg`."""
    return jpeg


@pytest.fixture
def zip_with() -> Callable[..., Path]:
    """``zip_with(path, files, deflate=...)``: see :func:`write_zip`."""
    return write_zip


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """``contents(folder)``: see :func:`files_of`."""
    return files_of
