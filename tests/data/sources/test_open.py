from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.data.sources import SOURCES, open_source
from lilliput.errors import SourceError


def test_every_kind_is_in_the_table() -> None:
    assert list(SOURCES) == ["toy", "tiny-imagenet", "zip", "folder", "parquet"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.zip"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=name):
        open_source(tmp_path / name)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(SourceError, match="no data set"):
        open_source(tmp_path / "a.zip")


@pytest.mark.parametrize("content", [b"", b"some words"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(SourceError, match="no data set that can be read"):
        open_source(tmp_path / "a.tar")


def test_a_zip_is_known_by_its_content(official_zip: Path) -> None:
    other = official_zip.rename(official_zip.with_name("mini.data"))
    assert len(open_source(other).listing().classes) == 3


def test_stamp_changes_with_the_file(official_zip: Path) -> None:
    first = open_source(official_zip)
    os.utime(official_zip, (1, 1))
    assert open_source(official_zip).stamp != first.stamp
    assert first.stem == "mini"


def test_toy_is_drawn(class_folders: Callable[..., Path]) -> None:
    source = open_source("toy")
    assert source.path is None and source.stem == "toy"
    assert source.stamp == open_source("toy").stamp


def test_tiny_imagenet_is_downloaded(official_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lilliput.data.download.download_tiny_imagenet", lambda: official_zip)
    assert len(open_source("tiny-imagenet").listing().splits["test"]) == 12
