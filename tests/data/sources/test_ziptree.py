from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.data.sources import ziptree
from lilliput.data.sources.ziptree import ZipTree
from lilliput.errors import SourceError

ZipWith = Callable[..., Path]


def spoiled(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("deflate", [False, True])
def test_reads_folders_files_and_contents(tmp_path: Path, zip_with: ZipWith, deflate: bool) -> None:
    path = zip_with(
        tmp_path / "a.zip", {"a/b/c.txt": b"c" * 99, "a/d": b"", "e/": b""}, deflate=deflate
    )
    for tree in (ZipTree(path), ZipTree(Path("memory"), path.read_bytes())):
        assert tree.folders("") == ["a", "e"] and tree.folders("a") == ["b"]
        assert tree.files("a") == ["d"] and tree.files("e") == []
        assert tree.read("a/b/c.txt") == b"c" * 99 and tree.read("a/d") == b""


def test_litter_is_not_seen(tmp_path: Path, zip_with: ZipWith) -> None:
    litter = {"__MACOSX/a/._b": b"", "a/.DS_Store": b"", "a/Thumbs.db": b"", "a/b": b""}
    tree = ZipTree(zip_with(tmp_path / "a.zip", litter))
    assert tree.folders("") == ["a"] and tree.files("a") == ["b"]


def test_names_in_utf8_without_the_flag(tmp_path: Path, zip_with: ZipWith) -> None:
    path = zip_with(tmp_path / "a.zip", {"XX/b": b"1"})
    tree = ZipTree(spoiled(path, b"XX/b", "é/b".encode()))
    assert tree.folders("") == ["é"] and tree.read("é/b") == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "a//evil",
        "C:/evil",
        "a/./evil",
        "..",
        "a/..",
        "x\\evil",
        "a/../",
    ],
)
def test_unsafe_names_are_refused(tmp_path: Path, zip_with: ZipWith, name: str) -> None:
    path = zip_with(tmp_path / "a.zip", {"good/picture": b"1", name: b"2"})
    with pytest.raises(SourceError, match="unsafe name") as caught:
        ZipTree(path)
    assert str(path) in str(caught.value) and name in str(caught.value)


@given(
    st.lists(st.sampled_from(["a", "b", "..", ".", "", "c:", "\\", "\0"]), min_size=1, max_size=5)
)
def test_every_accepted_name_stays_inside(parts: list[str]) -> None:
    name = "/".join(parts)
    info = zipfile.ZipInfo(name or "x")
    info.orig_filename = name
    tree = object.__new__(ZipTree)
    tree.path, tree._members, tree._inside, tree._ignored = (
        Path("z"),
        {},
        {"": ([], [])},
        {"": False},
    )
    try:
        tree._add(info)
    except SourceError:
        return
    for accepted in [*tree._members, *tree._inside]:
        assert not accepted.startswith("/") and "\\" not in accepted and "\0" not in accepted
        assert ".." not in accepted.split("/")


def test_nul_in_a_name(tmp_path: Path, zip_with: ZipWith) -> None:
    path = spoiled(zip_with(tmp_path / "a.zip", {"a/bXc": b"1"}), b"a/bXc", b"a/b\0c")
    with pytest.raises(SourceError, match="unsafe name"):
        ZipTree(path)


@pytest.mark.parametrize("odd", ["a/b\x1b[31mc", "a\n/b", "a/\u009b2Jb", "a/b\x7f"])
def test_a_name_that_a_terminal_would_obey(tmp_path: Path, zip_with: ZipWith, odd: str) -> None:
    with pytest.raises(SourceError, match="unsafe name") as caught:
        ZipTree(zip_with(tmp_path / "a.zip", {odd: b"1"}))
    assert str(caught.value).isprintable()
    assert any(code in str(caught.value) for code in (r"\x1b[31m", r"\x0a", r"\x9b", r"\x7f"))


@pytest.mark.parametrize(
    ("place", "value", "problem", "hint"),
    [
        (8, 1, "encrypted", "extract it with its password"),
        (10, 12, "method 12", "zip it again with deflate"),
        (41, 0o120000 >> 8, "symbolic link", "zip the folder again"),
        (24, 99, "contradicting", "copy or download"),
        (27, 99, "contradicting", "copy or download"),
        (46, ord("/"), "unsafe name", "zip the folder again"),
        (47, ord(":"), "unsafe name", "zip the folder again"),
        (48, ord("c"), "twice", "zip it again"),
    ],
)
def test_whatever_is_refused_comes_with_a_next_step(
    tmp_path: Path, zip_with: ZipWith, place: int, value: int, problem: str, hint: str
) -> None:
    """Bytes of the second member's entry in the directory are changed; 46 is where its name begins."""
    path = zip_with(tmp_path / "a.zip", {"a/c": b"1", "a/b": b"22"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + place] = value
    path.write_bytes(data)
    with pytest.raises(SourceError, match=problem) as caught:
        ZipTree(path)
    assert hint in caught.value.hint


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a/link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(SourceError, match=r"a\.zip: member 'a/link' is a symbolic link"):
        ZipTree(tmp_path / "a.zip")


def test_encrypted_members_are_refused(tmp_path: Path, zip_with: ZipWith) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": b"1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="'a/b' is encrypted"):
        ZipTree(path)


def test_unknown_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/b", b"1" * 100)
    with pytest.raises(SourceError, match="compressed by method 12"):
        ZipTree(tmp_path / "a.zip")


def test_duplicates_are_refused(tmp_path: Path, zip_with: ZipWith) -> None:
    path = spoiled(zip_with(tmp_path / "a.zip", {"a/bb": b"1", "a/cc": b"2"}), b"a/cc", b"a/bb")
    with pytest.raises(SourceError, match="'a/bb' is there twice"):
        ZipTree(path)


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_name_is_a_file_or_a_folder(tmp_path: Path, zip_with: ZipWith, names: tuple) -> None:
    path = zip_with(tmp_path / "a.zip", dict.fromkeys(names, b"1"))
    with pytest.raises(SourceError, match="twice"):
        ZipTree(path)


def test_bombs_are_refused(
    tmp_path: Path, zip_with: ZipWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": b"\0" * (2 << 20)}, deflate=True)
    with pytest.raises(SourceError, match=r"'a/b' would expand \d+ times") as caught:
        ZipTree(path)
    assert "give the folder instead" in caught.value.hint
    path = zip_with(tmp_path / "b.zip", {"a/b": b"1" * 100, "a/c": b"1" * 100})
    monkeypatch.setattr(ziptree, "MAX_MEMBER_BYTES", 99)
    with pytest.raises(SourceError, match="'a/b' would expand to 100 bytes"):
        ZipTree(path)
    monkeypatch.setattr(ziptree, "MAX_MEMBER_BYTES", 1000)
    monkeypatch.setattr(ziptree, "MAX_TOTAL_BYTES", 199)
    with pytest.raises(SourceError, match="would expand to more than"):
        ZipTree(path)


def test_a_member_that_lies_about_its_length(tmp_path: Path, zip_with: ZipWith) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": b"\0" * 50_000}, deflate=True)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 500)
    path.write_bytes(data)
    with pytest.raises(SourceError, match="'a/b' is damaged: its length"):
        ZipTree(path).read("a/b")


def test_overlapping_members_are_refused(tmp_path: Path, zip_with: ZipWith) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": b"1" * 100, "a/c": b"1" * 100})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, second + 42, 10)
    path.write_bytes(data)
    with pytest.raises(SourceError, match="lies inside 'a/b'"):
        ZipTree(path)


@pytest.mark.parametrize("deflate", [False, True])
def test_wrong_checksum_names_zip_and_member(
    tmp_path: Path, zip_with: ZipWith, deflate: bool
) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": bytes(range(256))}, deflate=deflate)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.zip: member 'a/b' is damaged"):
        ZipTree(path).read("a/b")


@pytest.mark.parametrize("keep", [0, 1, 30, -1, -30])
def test_truncated_zips(tmp_path: Path, zip_with: ZipWith, keep: int) -> None:
    path = zip_with(tmp_path / "a.zip", {"a/b": b"1" * 100, "a/c": b"2"})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SourceError, match=r"a\.zip is not a whole zip"):
        ZipTree(path)


def test_any_flipped_bit_is_found_or_harmless(tmp_path: Path, zip_with: ZipWith) -> None:
    """Whatever bit flips, reading gives the right bytes, or a SourceError, never another exception or other bytes."""
    files = {"a/b": b"some words", "a/c": b"x" * 50}
    good = zip_with(tmp_path / "a.zip", files, deflate=True).read_bytes()
    for position in range(len(good)):
        data = bytearray(good)
        data[position] ^= 1 << position % 8
        try:
            tree = ZipTree(Path("memory"), bytes(data))
            for name, content in files.items():
                if name.split("/")[1] in tree.files("a"):
                    assert tree.read(name) == content
        except SourceError:
            pass
