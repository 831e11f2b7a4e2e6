from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.data.sources import open_source
from lilliput.errors import SourceError

MakeFolders = Callable[..., Path]


def counts(path: Path) -> dict[str, int]:
    return {split: len(p) for split, p in open_source(path).listing().splits.items()}


@pytest.mark.parametrize("val", ["val", "Valid", "validation"])
def test_train_val_test(class_folders: MakeFolders, val: str) -> None:
    root = class_folders(
        {"train/cat": 3, "train/dog": 2, f"{val}/cat": 1, f"{val}/dog": 1, "test/dog": 4}
    )
    listing = open_source(root).listing()
    assert counts(root) == {"train": 5, "val": 2, "test": 4}
    assert {p.class_id for p in listing.splits["test"]} == {"dog"}
    names = [p.name for p in listing.splits["train"]]
    assert names == ["cat/0.jpg", "cat/1.jpg", "2.jpg", "dog/0.jpg", "dog/1.jpg"]


@pytest.mark.parametrize("test", ["test", "test/images"])
def test_flat_test_folder_is_unlabelled(class_folders: MakeFolders, test: str) -> None:
    root = class_folders({"train/cat": 3, "train/dog": 2, "val/cat": 1, test: 4})
    assert {p.class_id for p in open_source(root).listing().splits["test"]} == {None}


def test_one_level_is_split(class_folders: MakeFolders) -> None:
    assert counts(class_folders({"cat": 20, "dog": 5})) == {"train": 22, "val": 3}


def test_train_alone_is_split(class_folders: MakeFolders) -> None:
    assert counts(class_folders({"train/cat": 20, "train/dog": 5})) == {"train": 22, "val": 3}


def test_deeper_levels_belong_to_the_class(class_folders: MakeFolders) -> None:
    root = class_folders({"cat/images": 4, "cat/more/tabby": 4, "dog": 4})
    listing = open_source(root).listing()
    ids = [p.class_id for pictures in listing.splits.values() for p in pictures]
    assert (ids.count("cat"), ids.count("dog")) == (8, 4)


@pytest.mark.parametrize("names", [["train"], ["test"], ["Val", "training"]])
@pytest.mark.parametrize("level", ["", "/images"])
def test_a_class_may_be_called_like_a_split(
    class_folders: MakeFolders, names: list[str], level: str
) -> None:
    folders = {f"{name}{level}": 3 for name in ("bus", *names)}
    listing = open_source(class_folders(folders)).listing()
    assert [info.id for info in listing.classes] == sorted(("bus", *names))
    assert {split: len(p) for split, p in listing.splits.items()} == {
        "train": 2 * len(folders),
        "val": len(folders),
    }


def test_splits_stay_splits_beside_other_folders(class_folders: MakeFolders) -> None:
    root = class_folders({"train/cat": 3, "train/dog": 2, "val/cat": 1, "test": 4, "more": 1})
    assert counts(root) == {"train": 5, "val": 1, "test": 4}


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"cat": 3}, "has no class folders|only one class, 'cat'"),
        ({"cat": 3, "dog": 0}, "class folder 'dog' holds no pictures"),
        ({"train/cat": 3, "train/dog": 3, "val/cat": 1, "val/eel": 1}, "class 'eel' is in val"),
        ({"train/cat": 3, "train/dog": 3, "val/cat": 0}, "class folder 'val/cat' holds no"),
        ({"val/cat": 3, "val/dog": 3}, "none called 'train'"),
        ({"Val/cat": 3, "bus": 3}, "has a folder 'Val' but none called 'train'"),
        ({"train/cat": 1, "train/dog": 1, "val/cat": 1, "valid/cat": 1}, "could be the val split"),
        ({"train/cat": 1, "train/dog": 1, "train": 1}, "outside of the class folders"),
        ({"cafe\u0301": 1, "caf\u00e9": 1}, "both called"),
        ({"": 3}, "has no class folders"),
    ],
)
def test_folders_that_cannot_be_read(tmp_path: Path, folders: dict, message: str) -> None:
    root = tmp_path / "animals"
    for folder, count in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / folder / f"{i}.jpg").write_bytes(b"1")
    with pytest.raises(SourceError, match=message) as caught:
        open_source(root).listing()
    assert str(root) in str(caught.value)
