"""What a folder, a pattern or a name stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lilliput.delivery.pictures import find_pictures
from lilliput.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("x10.jpg", "x2.JPEG", "deep/er/y.png", "notes.txt", ".hidden.jpg", "__MACOSX/z.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def short(found: list[str], folder: Path) -> list[str]:
    return [os.path.relpath(one, folder) for one in found]


def test_a_folder_stands_for_its_pictures_in_natural_order(folder):
    assert short(find_pictures([folder]), folder) == ["deep/er/y.png", "x2.JPEG", "x10.jpg"]


def test_a_pattern_stands_for_what_fits_it(folder):
    assert short(find_pictures([f"{folder}/x*"]), folder) == ["x2.JPEG", "x10.jpg"]
    assert short(find_pictures([f"{folder}/**/*.png"]), folder) == ["deep/er/y.png"]
    # As in a shell: files of any name, and folders, which stand for their pictures.
    found = short(find_pictures([f"{folder}/[d-n]*"]), folder)
    assert found == ["deep/er/y.png", "notes.txt"]


def test_a_name_stands_for_itself(folder):
    (folder / "a[1].jpg").touch()
    names = [f"{folder}/a[1].jpg", f"{folder}/notes.txt", f"{folder}/missing.jpg"]
    assert find_pictures([*names, names[0]]) == [*names, names[0]]


def test_nothing_found_is_said(folder):
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no pictures in the folder .*empty"):
        find_pictures([folder / "empty"])
    with pytest.raises(UsageError, match="no file fits the pattern"):
        find_pictures([f"{folder}/*.bmp"])
    with pytest.raises(UsageError, match=r"'line\\nbreak\*'"):
        find_pictures(["line\nbreak*"])


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_a_circle_ends(folder):
    (folder / "deep" / "again").symlink_to(folder)
    found = short(find_pictures([folder]), folder)
    assert "x2.JPEG" in found
    assert len(found) < 100
