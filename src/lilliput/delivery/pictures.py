"""The picture files that a user points at, and their way to pixels."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lilliput.data.decode import UndecodableError, decode_into
from lilliput.data.sources.source import natural_key
from lilliput.data.sources.tree import FolderTree, files_below
from lilliput.errors import UsageError

# Files in a folder that count as pictures; a file that is named itself may be called anything.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"),
    *(".bmp", ".dib", ".gif", ".tif", ".tiff"),
)
MAX_BYTES = 256 << 20


def find_pictures(names: Sequence[str | Path]) -> list[str]:
    """The files that ``names`` stand for, in their order.

    A folder stands for every picture in it, at any depth, in natural order, as its ending tells; hidden files and the
    litter of systems are passed over. A text with ``*``, ``?`` or ``[`` that is no file stands for the files that fit
    it (``**``: any folders between). Any other name stands for itself, there or not.
    Raises: UsageError for a folder without pictures, and for a pattern that nothing fits.
    """
    return [file for name in names for file in _files_of(os.fspath(name))]


def read_picture(file: str | Path, pixels: np.ndarray) -> str:
    """Decode a file into ``pixels``, uint8[size,size,3], as training did; gives "" or why it cannot be read."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            return f"the file is larger than {MAX_BYTES >> 20} MB"
        decode_into(data, pixels)
    except OSError as error:
        return error.strerror or str(error)
    except UndecodableError as error:
        return str(error)
    except ValueError:  # a name with a zero byte
        return "no file can have this name"
    return ""


def _files_of(name: str) -> Iterator[str]:
    if os.path.isdir(name):
        found = _pictures_below(name)
        if not found:
            raise UsageError(
                f"there are no pictures in the folder {name!r}",
                "looked for files that end in " + ", ".join(ENDINGS),
            )
        yield from found
    elif glob.has_magic(name) and not os.path.lexists(name):
        fitting = sorted(glob.glob(name, recursive=True), key=natural_key)
        if not fitting:
            raise UsageError(f"no file fits the pattern {name!r}", "see what is there: ls")
        for one in fitting:
            yield from _pictures_below(one) if os.path.isdir(one) else (one,)
    else:
        yield name


def _pictures_below(folder: str) -> list[str]:
    inside = [path for path, _ in files_below(FolderTree(Path(folder)), "")]
    chosen = (path for path in inside if path.casefold().endswith(ENDINGS))
    return [os.path.join(folder, path) for path in sorted(chosen, key=natural_key)]
