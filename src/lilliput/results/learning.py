"""Which training images the network got right in which epoch: ``learning.npz``, a plain archive without any pickle.

``right`` uint8[epochs, ceil(n/8)] holds a bit per image (``numpy.packbits`` along axis 1), ``names`` the n file names
as UTF-8 bytes. Right is what the network ranked first at the step that used the image, augmentation and dropout on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.results.archive import DAMAGE
from lilliput.results.atomic import atomic_path


class Learning(NamedTuple):
    """``right`` bool[epochs, n]: which of the n training images were right in each epoch; ``names``: their names."""

    right: NDArray[np.bool_]
    names: tuple[str, ...]


def write_learning(path: Path, rows: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> None:
    """Write the record of all epochs so far, a packed row each, atomically. Raises: StorageError."""
    encoded = np.array([name.encode() for name in names], dtype=np.bytes_)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, right=np.stack(rows), names=encoded)


def read_learning(path: Path) -> Learning:
    """What :func:`write_learning` wrote. Raises: RunError naming the file and what is wrong with it."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            rows, encoded = archive["right"], archive["names"]
        names = tuple(name.decode() for name in encoded.tolist())
        if rows.dtype != np.uint8 or rows.shape != (len(rows), -(-len(names) // 8)):
            raise ValueError(f"right is {rows.dtype}{list(rows.shape)} for {len(names)} names")
        return Learning(np.unpackbits(rows, axis=1, count=len(names)).astype(np.bool_), names)
    except DAMAGE as error:
        raise RunError(
            f"{path} cannot be read as a learning record: {error}", "train again to have one"
        ) from error
