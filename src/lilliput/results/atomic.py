"""Files that are either whole or absent: written under a temporary name in the same folder, fsynced, renamed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lilliput.errors import StorageError, UsageError

_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write at ``path`` into a :class:`StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"no space left to write {path}", "free some space or choose another place"
            ) from error
        if error.errno in _UNWRITABLE:
            raise StorageError(
                f"cannot write {path}: {error.strerror}", "choose a place you may write to"
            ) from error
        if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG}:
            raise StorageError(
                f"cannot write {path}: {error.strerror}", "choose another place"
            ) from error
        raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary file name beside ``path`` to write to; on a clean exit it is fsynced and becomes ``path``.

    Whatever goes wrong inside, ``path`` keeps its old content (or its absence) and the temporary file is removed.

    Raises: StorageError when the place is full or may not be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with storage_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Like :func:`atomic_path` for a folder of files; ``path`` must not exist yet when the block ends.

    Raises: StorageError; FileExistsError when another process has put a folder at ``path`` meanwhile.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            yield temporary
            for file in temporary.iterdir():
                sync(file)
            sync(temporary)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if path.exists():
                raise FileExistsError(path) from error
            raise
        sync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def refuse_taken(out: Path, example: str, *, force: bool, option: str = "--out") -> None:
    """Raises: UsageError when ``out`` is a folder, or there already and ``force`` not given.

    ``example`` is a file that ``option``, by which ``out`` was named, could name instead of a folder.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder", f"name a file: {option} {example}")
    if out.exists() and not force:
        raise UsageError(f"{out} is there already", "--force replaces it, or name another file")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically. Raises: StorageError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a whole UTF-8 file atomically. Raises: StorageError."""
    write_bytes(path, content.encode())


def sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_name(name: str, otherwise: str) -> str:
    """A name fit for a folder on any file system; ``otherwise`` when nothing of it is."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".-") or otherwise
