"""The same pictures give the same pack, however the source keeps them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.errors import BrokenImagesError

Contents = Callable[[Path], dict[str, bytes]]
MakeFolders = Callable[..., Path]


def as_class_folders(official: Path, root: Path) -> Path:
    """The same pictures in train, val and test, val sorted, without any of the official files."""
    for line in (official / "val" / "val_annotations.txt").read_text().splitlines():
        name, id = line.split("\t")[:2]
        folder = root / "valid" / id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((official / "val" / "images" / name).read_bytes())
    for path in [*official.rglob("n0*.JPEG"), *official.rglob("test_*.JPEG")]:
        folder = root / ("test" if "test" in path.name else f"train/{path.name[:3]}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    return root


def as_parquet(official: Path, root: Path) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folders = as_class_folders(official, root / "sorted")
    for split in ("train", "valid", "test"):
        files = sorted(folders.joinpath(split).rglob("*.JPEG"), reverse=True)
        labels = [None if split == "test" else path.parent.name for path in files]
        rows = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        table = pa.table({"image": rows, "label": pa.array(labels, pa.string())})
        pq.write_table(table, root / f"{split}-00000-of-00001.parquet", row_group_size=5)
    return root


def test_zip_and_folder_give_the_same_bytes(
    official: Path, official_zip: Path, tmp_path: Path, contents: Contents
) -> None:
    folder = prepare(official, tmp_path / "a")
    archive = prepare(official_zip, tmp_path / "b")
    assert folder.fingerprint == archive.fingerprint
    arrays = [
        {k: v for k, v in contents(p.path).items() if k != "manifest.json"}
        for p in (folder, archive)
    ]
    assert arrays[0] == arrays[1] and len(arrays[0]) == 8


@pytest.mark.parametrize("convert", [as_class_folders, as_parquet])
def test_the_fingerprint_is_that_of_the_pictures(
    official: Path, tmp_path: Path, convert: Callable[[Path, Path], Path]
) -> None:
    pack = prepare(official, tmp_path / "a")
    (tmp_path / "other").mkdir()
    other = prepare(convert(official, tmp_path / "other"), tmp_path / "b")
    assert other.fingerprint == pack.fingerprint
    for split in pack.splits:
        np.testing.assert_array_equal(other[split].images, pack[split].images)
        assert other[split].names == pack[split].names
        assert np.array_equal(other[split].labels, pack[split].labels)


def test_another_label_or_pixel_is_another_fingerprint(official: Path, tmp_path: Path) -> None:
    prints = {prepare(official, tmp_path / "a").fingerprint}
    annotations = official / "val" / "val_annotations.txt"
    text = annotations.read_text()
    annotations.write_text(text.replace("n01", "n02", 1))
    prints.add(prepare(official, tmp_path / "b").fingerprint)
    annotations.write_text(text)
    images = official / "test" / "images"
    (images / "test_0.JPEG").write_bytes((images / "test_1.JPEG").read_bytes())
    prints.add(prepare(official, tmp_path / "c").fingerprint)
    assert len(prints) == 3


def as_table(folders: Path, path: Path, names: str) -> Path:
    """One table of the pictures in class folders, shuffled; ``names`` says where it keeps their names."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    files = sorted(folders.rglob("*.jpg"), key=lambda file: file.read_bytes())
    images: list = [file.read_bytes() for file in files]
    columns = {"label": [file.parent.name for file in files]}
    if names == "struct":
        images = [{"bytes": i, "path": f.name} for i, f in zip(images, files, strict=True)]
    elif names:
        columns[names] = [file.relative_to(folders).as_posix() for file in files]
    pq.write_table(pa.table({"image": images, **columns}), path, row_group_size=7)
    return path


def held_out(pack: Pack) -> set[tuple[int, bytes]]:
    val = pack["val"]
    assert val.labels is not None
    return {(label, image.tobytes()) for label, image in zip(val.labels, val.images, strict=True)}


@pytest.mark.parametrize("names", ["", "struct", "path", "file_name", "FileName"])
def test_what_is_held_out_does_not_hang_on_names(
    class_folders: MakeFolders, tmp_path: Path, names: str
) -> None:
    folders = class_folders({"cat": 30, "dog": 11, "eel": 2})
    pack = prepare(folders, tmp_path / "a")
    table = prepare(as_table(folders, tmp_path / "t.parquet", names), tmp_path / "b")
    assert table.fingerprint == pack.fingerprint
    assert len(held_out(pack)) == 5 and held_out(table) == held_out(pack)
    for split in pack.splits if names else ():
        assert table[split].names == pack[split].names
        np.testing.assert_array_equal(table[split].images, pack[split].images)
        np.testing.assert_array_equal(table[split].labels, pack[split].labels)


def test_renamed_pictures_stay_in_their_split(class_folders: MakeFolders, tmp_path: Path) -> None:
    folders = class_folders({"cat": 30, "dog": 11})
    before = prepare(folders, tmp_path / "a")
    for path in [*folders.rglob("*.jpg")]:
        path.rename(path.with_name(f"{zlib.crc32(path.name.encode())}-{path.name}"))
    after = prepare(folders, tmp_path / "b")
    assert after.fingerprint == before.fingerprint and held_out(after) == held_out(before)
    assert after["val"].names != before["val"].names


def test_a_picture_that_is_there_twice_stays_in_one_split(
    class_folders: MakeFolders, tmp_path: Path
) -> None:
    folders = class_folders({"cat": 20, "dog": 20})
    for path in [*folders.rglob("*.jpg")]:
        path.with_name(f"copy-{path.name}").write_bytes(path.read_bytes())
    pack = prepare(folders, tmp_path / "pack")
    held = {image for _, image in held_out(pack)}
    assert len(pack["val"]) == 8 and len(held) == 4
    assert not held & {image.tobytes() for image in pack["train"].images}


@pytest.mark.parametrize("skip", [False, True])
def test_a_broken_picture_is_named_wherever_it_is_held(
    class_folders: MakeFolders, tmp_path: Path, skip: bool
) -> None:
    folders = class_folders({"cat": 5, "dog": 5})
    for name in ("0.jpg", "1.jpg"):
        (folders / "cat" / name).unlink()
        (folders / "cat" / name).symlink_to("nowhere")
    if skip:
        pack = prepare(folders, tmp_path / "pack", skip_broken=True)
        assert [file for file, _ in pack.left_out] == ["cat/0.jpg", "cat/1.jpg"]
    else:
        with pytest.raises(BrokenImagesError, match=r"cat/0\.jpg: cannot be read"):
            prepare(folders, tmp_path / "pack")
