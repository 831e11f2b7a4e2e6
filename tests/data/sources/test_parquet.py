from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lilliput.data.sources import open_source
from lilliput.errors import MissingExtraError, SourceError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path: Path, names: list[str] | None = None, group: int = 3, **columns: Any) -> Path:
    """A Parquet file; ``names`` become the class names in the Hugging Face entry."""
    table = pa.table(columns)
    if names is not None:
        label = {"names": names, "_type": "ClassLabel"}
        entry = {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(entry)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.fixture
def images(picture: Callable[..., bytes]) -> list[bytes]:
    return [picture(i, size=(32, 32)) for i in range(8)]


def test_bytes_and_text_labels(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", image=images, label=["dog", "cat"] * 4)
    listing = open_source(path).listing()
    assert [info.id for info in listing.classes] == ["cat", "dog"]
    assert {split: len(p) for split, p in listing.splits.items()} == {"train": 6, "val": 2}
    for pictures in listing.splits.values():
        for p in pictures:
            row = int(p.name.removeprefix("row_"))
            assert listing.read(p) == images[row]
            assert p.class_id == ("dog", "cat")[row % 2]


def test_struct_numbers_and_names(tmp_path: Path, images: list[bytes]) -> None:
    rows = [{"bytes": data, "path": f"x/{9 - i}.jpg"} for i, data in enumerate(images)]
    for split in (
        "train-00000-of-00002-ab",
        "train-00001-of-00002-cd",
        "validation-00000-of-00001",
    ):
        write(
            tmp_path / "hf" / "data" / f"{split}.parquet", ["b", "a"], image=rows, label=[0, 1] * 4
        )
    write(tmp_path / "hf" / "data" / "test.parquet", ["b", "a"], image=rows, label=[-1] * 8)
    listing = open_source(tmp_path / "hf").listing()
    assert {split: len(p) for split, p in listing.splits.items()} == {
        "train": 16,
        "val": 8,
        "test": 8,
    }
    assert [p.name for p in listing.splits["val"][:4]] == ["2.jpg", "4.jpg", "6.jpg", "8.jpg"]
    assert {p.class_id for p in listing.splits["val"][:4]} == {"a"}
    assert {p.class_id for p in listing.splits["test"]} == {None}
    assert listing.read(listing.splits["val"][0]) == images[7]


def test_bare_numbers_keep_their_order(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", image=images, label=[2, 10, 2, 10, 9, 9, 0, 0])
    assert [info.id for info in open_source(path).listing().classes] == ["00", "02", "09", "10"]


def test_truth_values_are_classes(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", image=images, label=[True, False] * 4)
    assert [info.id for info in open_source(path).listing().classes] == ["False", "True"]


@pytest.mark.parametrize("label", [None, "", -1])
def test_a_test_split_may_have_no_labels(
    tmp_path: Path, images: list[bytes], label: str | int | None
) -> None:
    known = [1, 2] if isinstance(label, int) else ["1", "2"]
    write(tmp_path / "f" / "train.parquet", image=images, label=known * 4)
    write(tmp_path / "f" / "test.parquet", image=images, label=[label] * 8)
    assert {p.class_id for p in open_source(tmp_path / "f").listing().splits["test"]} == {None}


def test_names_are_no_labels(tmp_path: Path, images: list[bytes]) -> None:
    write(tmp_path / "f" / "train.parquet", image=images, label=["a", "b"] * 4)
    names = [f"x/{i}.jpg" for i in range(7)] + [None]
    write(tmp_path / "f" / "test.parquet", image=images, file_name=names)
    test = open_source(tmp_path / "f").listing().splits["test"]
    assert {p.class_id for p in test} == {None}
    assert [p.name for p in test] == [f"{i}.jpg" for i in range(7)] + ["row_7"]


def test_a_row_without_bytes_is_broken_not_fatal(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", image=[None, *images[1:]], label=["a", "b"] * 4)
    listing = open_source(path).listing()
    picture = next(p for s in listing.splits.values() for p in s if p.name == "row_0")
    with pytest.raises(OSError, match="no bytes"):
        listing.read(picture)


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        ({"image": [b"1"] * 2, "label": ["a", None]}, None, "row 1 has no label"),
        ({"image": [b"1"] * 2, "label": ["a", ""]}, None, "row 1 has no label"),
        ({"image": [b"1"] * 2, "label": [" ", "a"]}, None, "row 0 has no label"),
        ({"image": [b"1"] * 2, "foo": ["a", "b"]}, None, r"labels \(its columns: image, foo\)"),
        ({"image": [b"1"] * 2, "label": [0, 5]}, ["a", "b"], "row 1: label 5 has no name"),
        ({"image": [b"1"] * 2, "label": [0.5, 1.5]}, None, "an integer or a text"),
        ({"image": [b"1"] * 2, "label": ["a", "a"]}, None, "only one class"),
        ({"image": [b"1"] * 2, "a": [1, 2], "b": [1, 2]}, None, "no column of labels"),
        ({"words": ["1", "2"], "label": ["a", "b"]}, None, "no column of pictures"),
    ],
)
def test_unusable_tables_are_named(
    tmp_path: Path, columns: dict, names: list[str] | None, message: str
) -> None:
    path = write(tmp_path / "a.parquet", names, **columns)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(path).listing()
    assert "a.parquet" in str(caught.value)


def test_the_names_of_the_column_of_labels_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=[b"1"] * 2, foo=["a", "b"])
    with pytest.raises(SourceError) as caught:
        open_source(path).listing()
    assert "label, labels, class, class_id, wnid" in caught.value.hint


def test_damaged_files_are_named(tmp_path: Path, images: list[bytes]) -> None:
    path = write(tmp_path / "a.parquet", image=images, label=["a", "b"] * 4)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SourceError, match=r"a\.parquet is no whole Parquet file"):
        open_source(path).listing()


def test_files_that_do_not_tell_their_split(tmp_path: Path, images: list[bytes]) -> None:
    write(tmp_path / "f" / "pictures.parquet", image=images, label=["a", "b"] * 4)
    with pytest.raises(SourceError, match=r"'pictures\.parquet' does not say which split"):
        open_source(tmp_path / "f")


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", image=images, label=["a", "b"] * 4)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError) as caught:
        open_source(path).listing()
    assert "optional part 'parquet'" in str(caught.value) and "parquet" in caught.value.hint
