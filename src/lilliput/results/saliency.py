"""Where a network looked: ``saliency.npz``, a plain archive that holds the pictures too and needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.results.archive import DAMAGE
from lilliput.results.atomic import atomic_path

SALIENCY_FILE = "saliency.npz"
_HINT = "make it again: lilliput explain RUN"


@dataclass(frozen=True, eq=False, kw_only=True)
class Saliency:
    """What m predictions rested on.

    ``maps`` float32[m,h,w] in 0..1: how much each pixel spoke for or against the predicted class; 1 is the most of its
    picture. ``images`` uint8[m,h,w,3]; ``boxes`` int16[m,4] (x0 y0 x1 y1, -1 where there is none); ``labels`` and
    ``predicted`` int64[m] are columns of the network's output; ``method`` is how the maps were made.
    """

    names: tuple[str, ...]
    maps: NDArray[np.float32]
    images: NDArray[np.uint8]
    boxes: NDArray[np.int16]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    method: str

    def __len__(self) -> int:
        return len(self.names)

    def save(self, folder: Path) -> Path:
        """Write atomically into a run folder. Raises: StorageError."""
        path = folder / SALIENCY_FILE
        arrays = {name: getattr(self, name) for name in _SHAPES}
        names = np.array(
            [name.encode("utf-8", "surrogateescape") for name in self.names], np.bytes_
        )
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, names=names, method=np.array(self.method), **arrays)
        return path

    @classmethod
    def load(cls, folder: Path) -> Saliency | None:
        """What a run folder holds; None when it holds none. Raises: RunError when it is damaged."""
        path = folder / SALIENCY_FILE
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in _SHAPES}
                names = archive["names"].tolist()
                method = str(archive["method"])
            _check(arrays, len(names))
            decoded = tuple(name.decode("utf-8", "surrogateescape") for name in names)
            return cls(names=decoded, method=method, **arrays)
        except DAMAGE as error:
            raise RunError(f"{path} cannot be read as saliency: {error}", _HINT) from error


def _check(arrays: dict[str, NDArray[Any]], m: int) -> None:
    for name, (kind, dimensions) in _SHAPES.items():
        array = arrays[name]
        if array.dtype != kind or array.ndim != dimensions or len(array) != m:
            raise ValueError(f"{name} is {array.dtype}{list(array.shape)} for {m} pictures")
    if arrays["images"].shape != (*arrays["maps"].shape, 3):
        raise ValueError("maps and images differ in size")


_SHAPES: dict[str, tuple[type[np.generic], int]] = {
    "maps": (np.float32, 3),
    "images": (np.uint8, 4),
    "boxes": (np.int16, 2),
    "labels": (np.int64, 1),
    "predicted": (np.int64, 1),
}
