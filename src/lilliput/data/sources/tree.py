"""Files in folders, whether on disk or in a zip: the little that the layouts need to know of either."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from lilliput.errors import SourceError

IGNORED_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "lost+found"}
NOT_PICTURES = {
    *(
        "txt",
        "md",
        "rst",
        "csv",
        "tsv",
        "json",
        "jsonl",
        "xml",
        "yaml",
        "yml",
        "toml",
        "ini",
        "cfg",
        "log",
    ),
    *(
        "html",
        "htm",
        "pdf",
        "doc",
        "docx",
        "xls",
        "xlsx",
        "py",
        "ipynb",
        "sh",
        "lnk",
        "url",
        "db",
        "sqlite",
    ),
    *("mat", "npy", "npz", "pkl", "pt", "pth", "h5", "hdf5", "parquet", "cache"),
    *("zip", "tar", "gz", "tgz", "xz", "7z", "rar", "mp4", "avi", "mov"),
}
MAX_TEXT_BYTES = 64 << 20
_MAX_DEPTH = 12


class Tree(Protocol):
    """Folders are named by their path below the top, parts joined by "/"; the top is ""."""

    path: Path
    stamp: str

    def folders(self, folder: str) -> list[str]:
        """Names of the folders right inside, sorted."""
        ...

    def files(self, folder: str) -> list[str]:
        """Names of the files right inside, sorted; what :func:`is_ignored` names is left out."""
        ...

    def position(self, file: str) -> int:
        """Reading files in this order is cheapest."""
        ...

    def read(self, file: str) -> bytes:
        """The content of a file; may be called from many threads."""
        ...


class FolderTree:
    """A folder on disk, looked through once. Pipes, sockets and devices are left out, links are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inside: dict[str, tuple[list[str], list[str]]] = {}
        stamp = hashlib.sha256()
        self._walk("", str(path), (), stamp)
        self.stamp = stamp.hexdigest()

    def folders(self, folder: str) -> list[str]:
        """See :class:`Tree`."""
        return self._inside.get(folder, ([], []))[0]

    def files(self, folder: str) -> list[str]:
        """See :class:`Tree`."""
        return self._inside.get(folder, ([], []))[1]

    def position(self, file: str) -> int:
        """See :class:`Tree`: any order is as good."""
        return 0

    def read(self, file: str) -> bytes:
        """See :class:`Tree`. Raises: OSError."""
        with open(self.path / file, "rb", buffering=0) as opened:
            return opened.read()

    def _walk(
        self, folder: str, place: str, above: tuple[tuple[int, int], ...], stamp: Any
    ) -> None:
        try:
            here = os.stat(place)
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(f"cannot look into {place}: {error.strerror}") from error
        identity = (here.st_dev, here.st_ino)
        folders: list[str] = []
        files: list[str] = []
        self._inside[folder] = (folders, files)
        if identity in above or len(above) >= _MAX_DEPTH:  # a link to a folder it lies in
            return
        for entry in entries:
            if is_ignored(entry.name):
                continue
            status = _status(entry)
            if status is not None and stat.S_ISDIR(status.st_mode):
                folders.append(entry.name)
                self._walk(join(folder, entry.name), entry.path, (*above, identity), stamp)
            elif status is None or stat.S_ISREG(status.st_mode):
                files.append(entry.name)
                size, time = (status.st_size, status.st_mtime_ns) if status else (-1, -1)
                line = f"{join(folder, entry.name)}\0{size}\0{time}\n"
                stamp.update(line.encode("utf-8", "surrogateescape"))


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """None for a link that leads nowhere: reading it will say so."""
    try:
        return entry.stat()
    except OSError:
        return None


def join(folder: str, name: str) -> str:
    """A path in a tree; the top folder is ""."""
    return f"{folder}/{name}" if folder else name


def is_ignored(name: str) -> bool:
    """Whether a file or folder is the litter of a system: hidden, or made by macOS, Windows or a NAS."""
    return name.startswith(".") or name.casefold() in IGNORED_NAMES


def may_be_picture(name: str) -> bool:
    """Whether a file counts as a picture, broken or not: all do but those whose ending says they are something else."""
    return name.rpartition(".")[2].casefold() not in NOT_PICTURES or "." not in name


def canonical(text: str) -> str:
    """One spelling of an accented name, whichever system wrote it."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def read_lines(tree: Tree, file: str) -> list[str]:
    """The lines of a text file in UTF-8. Raises: SourceError."""
    try:
        data = tree.read(file)
        if len(data) > MAX_TEXT_BYTES:
            raise SourceError(f"{tree.path}: {file} is too large ({len(data):,} bytes)")
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SourceError(f"{tree.path}: {file} is not UTF-8 text") from error
    except OSError as error:
        raise SourceError(f"{tree.path}: cannot read {file}: {error.strerror}") from error


def files_below(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """Path and canonical base name of every file in ``folder``, at any depth, that may be a picture."""
    for name in tree.files(folder):
        if may_be_picture(name):
            yield join(folder, name), canonical(name)
    for name in tree.folders(folder):
        yield from files_below(tree, join(folder, name))
