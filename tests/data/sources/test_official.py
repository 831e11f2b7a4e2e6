from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lilliput.data.pack import ClassInfo
from lilliput.data.sources import Listing, open_source
from lilliput.data.sources.source import NO_BOX
from lilliput.errors import SourceError


def listing(path: Path) -> Listing:
    return open_source(path).listing()


def sort_val(root: Path, *, level: bool, keep: bool) -> None:
    """Re-sort val into class folders, as many recipes on the web do."""
    annotations = root / "val" / "val_annotations.txt"
    for line in annotations.read_text().splitlines():
        name, id = line.split("\t")[:2]
        folder = root / "val" / id / ("images" if level else "")
        folder.mkdir(parents=True, exist_ok=True)
        (root / "val" / "images" / name).rename(folder / name)
    if not keep:
        annotations.unlink()
        (root / "val" / "images").rmdir()


def test_folder_and_zip_list_the_same(official: Path, official_zip: Path) -> None:
    folder, archive = listing(official), listing(official_zip)
    assert folder.classes == archive.classes
    for split, pictures in folder.splits.items():
        others = archive.splits[split]
        assert [p[1:4] for p in pictures] == [p[1:4] for p in others]
        assert [folder.read(p) for p in pictures] == [archive.read(p) for p in others]


def test_classes_take_the_first_synonym(official: Path) -> None:
    expected = (
        ClassInfo("n01", "school bus"),
        ClassInfo("n02", "cup"),
        ClassInfo("n03", "wooden spoon"),
    )
    assert listing(official).classes == expected
    (official / "words.txt").unlink()
    assert [info.name for info in listing(official).classes] == ["n01", "n02", "n03"]


def test_labels_boxes_and_order(official: Path) -> None:
    splits = listing(official).splits
    assert [p.name for p in splits["train"][:11]] == [f"n01_{i}.JPEG" for i in range(11)]
    assert splits["train"][2].box == (2, 1, 42, 63)
    rows = (official / "val" / "val_annotations.txt").read_text().splitlines()
    expected = {row[0]: row for row in (line.split("\t") for line in rows)}
    for picture in splits["val"]:
        assert picture.class_id == expected[picture.name][1]
        assert list(picture.box) == [int(v) for v in expected[picture.name][2:]]
    assert [p.name for p in splits["test"]] == [f"test_{i}.JPEG" for i in range(12)]
    assert {(p.class_id, p.box) for p in splits["test"]} == {(None, NO_BOX)}


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_val_sorted_into_class_folders(official: Path, level: bool, keep: bool) -> None:
    before = listing(official).splits["val"]
    sort_val(official, level=level, keep=keep)
    after = listing(official).splits["val"]
    assert [(p.name, p.class_id) for p in after] == [(p.name, p.class_id) for p in before]
    assert [p.box for p in after] == [p.box if keep else NO_BOX for p in before]


def test_set_inside_other_folders(official: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer" / "again"
    outer.mkdir(parents=True)
    shutil.move(official, outer / "mini")
    assert len(listing(tmp_path / "outer").splits["train"]) == 33


def spoil(root: Path, what: str) -> None:  # noqa: C901
    val, annotations = root / "val", root / "val" / "val_annotations.txt"
    text = annotations.read_text()
    if what == "annotations missing":
        annotations.unlink()
    elif what == "picture missing":
        (val / "images" / "val_3.JPEG").unlink()
    elif what == "picture unlisted":
        annotations.write_text(text[text.index("\n") + 1 :])
    elif what == "unknown class":
        annotations.write_text(text.replace("n02", "n77", 1))
    elif what == "no number":
        annotations.write_text(text.replace("\t60\t", "\tsixty\t", 1))
    elif what == "listed twice":
        annotations.write_text(f"{text}\n{text.splitlines()[3].replace('n01', 'n03')}\n")
    elif what == "boxed twice":
        with open(root / "train" / "n01" / "n01_boxes.txt", "a") as table:
            table.write("n01_2.JPEG\t2\t1\t42\t62\n")
    elif what == "half sorted":
        (val / "n01").mkdir()
        (val / "images" / "val_0.JPEG").rename(val / "n01" / "val_0.JPEG")
    elif what == "wrongly sorted":
        sort_val(root, level=False, keep=True)
        (val / "n01" / "val_0.JPEG").rename(val / "n02" / "val_0.JPEG")
    elif what == "class folder missing":
        shutil.rmtree(root / "train" / "n02")
    elif what == "class folder unlisted":
        (root / "wnids.txt").write_text("n01\nn03\n")
    elif what == "class folder empty":
        shutil.rmtree(root / "train" / "n02" / "images")
    elif what == "picture astray":
        shutil.copy(val / "images" / "val_0.JPEG", root / "train" / "astray.JPEG")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("annotations missing", r"val_annotations\.txt is missing"),
        ("picture missing", r"names pictures that are not there: val_3\.JPEG"),
        ("picture unlisted", r"lacks pictures that are there: val_0\.JPEG"),
        ("unknown class", r"gives 'val_\d+\.JPEG' the unknown class 'n77'"),
        ("no number", r"val_annotations\.txt, line 1 is not 6 columns"),
        ("listed twice", r"val_annotations\.txt, line 14 contradicts .* about 'val_3\.JPEG'"),
        ("boxed twice", r"n01_boxes\.txt, line 12 contradicts .* about 'n01_2\.JPEG'"),
        ("half sorted", "beside them"),
        ("wrongly sorted", r"lies in class 'n02', val_annotations\.txt says 'n01'"),
        ("class folder missing", r"wnids\.txt names a class that train has no folder of: 'n02'"),
        ("class folder unlisted", r"wnids\.txt lacks a class that train has a folder of: 'n02'"),
        ("class folder empty", "class folder 'train/n02' holds no pictures"),
        ("picture astray", r"'train/astray\.JPEG' lies outside of the class folders"),
    ],
)
def test_spoiled_sets_are_refused_by_name(official: Path, what: str, message: str) -> None:
    spoil(official, what)
    with pytest.raises(SourceError, match=message) as caught:
        listing(official)
    assert str(official) in str(caught.value)


def test_a_line_that_is_there_twice_is_no_matter(official: Path) -> None:
    before = listing(official)
    for table in official.rglob("*_*.txt"):
        table.write_text(table.read_text() * 2)
    assert listing(official).splits == before.splits


@pytest.mark.parametrize("spelling", ["Images", "IMAGES"])
def test_images_in_another_spelling(official: Path, spelling: str) -> None:
    before = listing(official).splits
    for folder in [*official.rglob("images")]:
        folder.rename(folder.with_name(spelling))
    after = listing(official).splits
    for split, pictures in before.items():
        assert [p[1:4] for p in after[split]] == [p[1:4] for p in pictures]


def test_an_emptied_images_in_another_spelling(official: Path) -> None:
    sort_val(official, level=False, keep=True)
    (official / "val" / "images").rename(official / "val" / "Images")
    assert len(listing(official).splits["val"]) == 12


def test_litter_changes_nothing(official: Path) -> None:
    before = listing(official)
    (official / ".DS_Store").write_bytes(b"1")
    (official / "train" / "n01" / "images" / "Thumbs.db").write_bytes(b"1")
    (official / "train" / "n01" / "notes.txt").write_text("1")
    assert listing(official).splits == before.splits
