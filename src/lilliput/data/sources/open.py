"""Tell what kind of source a path or name is, and open it."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

from lilliput.data import manifest
from lilliput.data.sources.classfolders import find_root, read_class_folders
from lilliput.data.sources.official import is_official, read_official
from lilliput.data.sources.source import Listing, Source
from lilliput.data.sources.tree import FolderTree, Tree
from lilliput.data.sources.ziptree import ZipTree, zip_stamp
from lilliput.errors import SourceError, UsageError

VAL_FRACTION = 0.1
_KINDS = "a zip or folder of class folders, the official Tiny ImageNet, or Parquet"


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A listing is hundred thousands of small tuples and no cycle; looking for one takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def open_source(source: str | Path, *, seed: int = 0, val_fraction: float = VAL_FRACTION) -> Source:
    """The source at a path, or the one called ``toy`` or ``tiny-imagenet`` (write ``./toy`` for a folder of that name).

    ``seed`` and ``val_fraction`` only matter where there is no val split and one is held out of train.
    Raises: SourceError when nothing readable is there; UsageError when nothing is named.
    """
    if not str(source):  # as a path it would be the current folder
        raise UsageError("no data set is named", f"give {_KINDS}, or 'toy'")
    kind = str(source) if str(source) in NAMED else _kind_of(Path(source))
    return SOURCES[kind](source, seed, val_fraction)


def is_pack(data: str | Path) -> bool:
    """Whether what a user names is a pack, to be opened, and no source."""
    return str(data) not in ("", *NAMED) and manifest.is_pack_like(Path(data))


def _kind_of(path: Path) -> str:
    try:
        if path.is_dir():
            if manifest.is_pack_like(path):
                raise SourceError(
                    f"{path} is a pack already",
                    f"use it as it is, wherever data is asked for: --data {path}",
                )
            return "parquet" if _holds_parquet(path) else "folder"
        if not path.is_file():  # a pipe or device could keep us waiting for ever
            raise SourceError(f"there is no data set at {path}", f"give {_KINDS}, or 'toy'")
        with open(path, "rb") as file:
            start = file.read(4)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if start == b"PAR1" or path.suffix.casefold() == ".parquet":
        return "parquet"
    if start[:2] == b"PK" or path.suffix.casefold() == ".zip":
        return "zip"
    raise SourceError(f"{path} is no data set that can be read", f"give {_KINDS}")


def _holds_parquet(path: Path) -> bool:
    return any(
        folder.is_dir() and any(name.endswith(".parquet") for name in os.listdir(folder))
        for folder in (path, path / "data")
    )


def _toy(source: str | Path, seed: int, val_fraction: float) -> Source:
    from lilliput.data import toy

    # Another way of drawing is another set.
    drawing_code = sorted(Path(toy.__file__ or "").parent.glob("*.py"))
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in drawing_code)).hexdigest()

    def listing() -> Listing:
        drawing = BytesIO()
        toy.write_toy_zip(drawing)
        return _read_tree(ZipTree(Path("toy"), drawing.getvalue()), seed, val_fraction)

    return Source("toy", None, f"toy {stamp}", listing)


def _tiny_imagenet(source: str | Path, seed: int, val_fraction: float) -> Source:
    from lilliput.data.download import download_tiny_imagenet

    return _zip(download_tiny_imagenet(), seed, val_fraction)


def _zip(source: str | Path, seed: int, val_fraction: float) -> Source:
    path = Path(source)
    return Source(
        path.resolve().name,
        path,
        f"{zip_stamp(path)} {seed} {val_fraction}",
        partial(_read_zip, path, seed, val_fraction),
    )


def _folder(source: str | Path, seed: int, val_fraction: float) -> Source:
    path = Path(source)
    tree = FolderTree(path)
    stamp = f"{tree.stamp} {seed} {val_fraction}"
    return Source(path.resolve().name, path, stamp, partial(_read_tree, tree, seed, val_fraction))


def _parquet(source: str | Path, seed: int, val_fraction: float) -> Source:
    from lilliput.data.sources.parquet import open_parquet

    return open_parquet(Path(source), seed=seed, val_fraction=val_fraction)


@_no_garbage_collection()
def _read_zip(path: Path, seed: int, val_fraction: float) -> Listing:
    return _read_tree(ZipTree(path), seed, val_fraction)


@_no_garbage_collection()
def _read_tree(tree: Tree, seed: int, val_fraction: float) -> Listing:
    root = find_root(tree)
    if not tree.folders(root):
        raise SourceError(f"{tree.path} has no class folders", f"give {_KINDS}")
    read = read_official if is_official(tree, root) else read_class_folders
    return read(tree, root, seed=seed, val_fraction=val_fraction)


NAMED = ("toy", "tiny-imagenet")
SOURCES: dict[str, Callable[[str | Path, int, float], Source]] = {
    "toy": _toy,
    "tiny-imagenet": _tiny_imagenet,
    "zip": _zip,
    "folder": _folder,
    "parquet": _parquet,
}
