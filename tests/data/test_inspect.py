from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.data.inspect import inspect_data
from lilliput.data.prepare import prepare
from lilliput.errors import PackError


def test_counts_and_class_order(official: Path) -> None:
    found = inspect_data(official)
    assert [info.id for info in found.classes] == ["n01", "n02", "n03"]
    assert {s: (v.count, v.per_class, v.grey, v.resized) for s, v in found.splits.items()} == {
        "train": (33, (11, 11, 11), 3, 0),
        "val": (12, (4, 4, 4), 0, 0),
        "test": (12, (), 0, 0),
    }
    assert found.broken == () and found.duplicates == ()


def test_duplicates_within_and_across_splits(official: Path) -> None:
    images = official / "train" / "n01" / "images"
    shutil.copy(images / "n01_0.JPEG", images / "n01_99.JPEG")
    shutil.copy(images / "n01_1.JPEG", official / "test" / "images" / "test_5.JPEG")
    shutil.copy(images / "n01_2.JPEG", official / "train" / "n02" / "images" / "n02_99.JPEG")
    found = inspect_data(official)
    names = [[(p.split, Path(p.name).name) for p in group] for group in found.duplicates]
    within = [("train", "n01_0.JPEG"), ("train", "n01_99.JPEG")]
    across = [("train", "n01_1.JPEG"), ("test", "test_5.JPEG")]
    contradictory = [("train", "n01_2.JPEG"), ("train", "n02_99.JPEG")]
    assert names == [within, across, contradictory]
    assert [g[0].name for g in found.across_splits] == [found.duplicates[1][0].name]
    assert [g[0].name for g in found.contradictory] == [found.duplicates[2][0].name]


def test_resized_and_broken(class_folders: Callable[..., Path]) -> None:
    root = class_folders({"cat": 10, "dog": 10})
    (root / "cat" / "3.jpg").write_text("words")
    found = inspect_data(root)
    assert sum(split.count for split in found.splits.values()) == 19
    assert sum(split.resized or 0 for split in found.splits.values()) == 19
    assert [file for file, _ in found.broken] == ["cat/3.jpg"]
    assert sum(s.resized or 0 for s in inspect_data(root, size=32).splits.values()) == 0


def test_a_pack_is_looked_into_as_well(official: Path, tmp_path: Path) -> None:
    source, pack = inspect_data(official), prepare(official, tmp_path / "pack")
    found = inspect_data(pack.path)
    assert found.classes == source.classes
    assert [(v.count, v.per_class, v.grey) for v in found.splits.values()] == [
        (v.count, v.per_class, v.grey) for v in source.splits.values()
    ]
    with open(pack.path / "val.images.npy", "r+b") as file:
        file.seek(5000)
        file.write(b"\0\1\2")
    with pytest.raises(PackError, match=r"val\.images\.npy"):
        inspect_data(pack.path)


def test_nothing_is_written(official: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    before = contents(official.parent)
    seen = []
    inspect_data(official, progress=lambda done, total: seen.append((done, total)))
    assert contents(official.parent) == before
    assert seen[0] == (0, 57) and seen[-1] == (57, 57)
