from __future__ import annotations

import os
from pathlib import Path

import pytest

from lilliput.data.sources.tree import (
    FolderTree,
    canonical,
    files_below,
    is_ignored,
    may_be_picture,
    read_lines,
)
from lilliput.errors import SourceError


def test_reads_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / "b" / "c.jpg").write_bytes(b"1")
    tree = FolderTree(tmp_path)
    assert tree.folders("") == ["a", "empty"] and tree.files("") == []
    assert list(files_below(tree, "a")) == [("a/b/c.jpg", "c.jpg")]
    assert tree.read("a/b/c.jpg") == b"1"


def test_pipes_and_loops_do_not_hang(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "nowhere.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "a" / "link.jpg").symlink_to(__file__)
    tree = FolderTree(tmp_path)
    assert [name for _, name in files_below(tree, "")] == ["link.jpg", "nowhere.jpg"]


def test_stamp_follows_names_sizes_and_times(tmp_path: Path) -> None:
    file = tmp_path / "a"
    stamps = []
    for content, time in (("1", 1), ("2", 2), ("22", 2)):
        file.write_text(content)
        os.utime(file, (time, time))
        stamps.append(FolderTree(tmp_path).stamp)
    file.rename(tmp_path / "b")
    stamps.append(FolderTree(tmp_path).stamp)
    assert len(set(stamps)) == 4
    assert FolderTree(tmp_path).stamp == stamps[-1]


@pytest.mark.parametrize("name", [".hidden", "._a.jpg", "__MACOSX", "Thumbs.db", "desktop.ini"])
def test_litter(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPEG", True),
        ("a", True),
        ("a.heic", True),
        ("a.b", True),
        ("a.TXT", False),
        ("n_boxes.txt", False),
        ("txt", True),
    ],
)
def test_what_counts_as_a_picture(name: str, expected: bool) -> None:
    assert may_be_picture(name) is expected


def test_one_spelling_of_accents() -> None:
    assert canonical("cafe\u0301") == canonical("caf\u00e9") == "caf\u00e9"


def test_text_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(SourceError, match=r"words\.txt is not UTF-8"):
        read_lines(FolderTree(tmp_path), "words.txt")
