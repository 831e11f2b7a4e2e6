"""The pack: a decoded data set as plain arrays in one folder, opened without reading the pixels.

Specified in ``docs/format.md``; numpy and json alone can read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lilliput.data import manifest
from lilliput.errors import PackError, did_you_mean


class ClassInfo(NamedTuple):
    """A class: ``id`` as the source has it, ``name`` for people ("n04146614", "school bus")."""

    id: str
    name: str


@dataclass(frozen=True, eq=False)
class Split:
    """The pictures of one split, sorted by class and natural file name. All arrays are read-only.

    ``images`` is uint8[n, height, width, 3] (RGB), mapped from the disk. ``labels`` is int64[n], an index into the
    classes of the pack, or None for an unlabelled split. ``boxes`` is int16[n, 4]: x0 y0 x1 y1, inclusive pixels; -1
    where there is none.
    """

    images: np.ndarray
    labels: np.ndarray | None
    boxes: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


class Pack:
    """A pack on disk.

    ``classes`` are sorted by id, ``image_size`` is (height, width), ``splits`` names what is there. ``fingerprint`` is
    equal for equal pictures with equal classes in equal splits, however the source kept them. ``left_out`` holds
    (file, reason) of the broken pictures of the source that are not in the pack; ``stamp`` tells which source it was
    made of, and how.
    """

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path = path
        self.classes = tuple(ClassInfo(entry["id"], entry["name"]) for entry in document["classes"])
        self.image_size: tuple[int, int] = tuple(document["image_size"])
        self.splits: tuple[str, ...] = tuple(document["splits"])
        self.fingerprint: str = document["fingerprint"]
        self.source: str = document["source"]
        self.stamp: str = document["stamp"]
        self.left_out = tuple((file, reason) for file, reason in document["left_out"])
        self._splits: Mapping[str, Any] = document["splits"]

    @classmethod
    def open(cls, path: str | Path) -> Pack:
        """Open a pack, checking everything that is quick to check: the manifest whole, the files by size and header.

        Labels and boxes are checked whole when their split is loaded, pixels only by :meth:`verify`.
        Raises: PackError naming the file that is missing, damaged or of a newer version.
        """
        folder = Path(path)
        pack = cls(folder, manifest.read(folder))
        for split, array, entry in pack._files():
            pack._check_file(split, array, entry)
        return pack

    @property
    def counts(self) -> dict[str, int]:
        """Number of pictures per split."""
        return {split: entry["count"] for split, entry in self._splits.items()}

    def __contains__(self, split: str) -> bool:
        return split in self._splits

    def __getitem__(self, split: str) -> Split:
        if split not in self._splits:
            raise PackError(f"{self.path} has no split '{split}'", did_you_mean(split, self.splits))
        files = self._splits[split]["files"]
        arrays = {array: self._load(split, array, entry) for array, entry in files.items()}
        names = tuple(self._splits[split]["names"])
        return Split(arrays["images"], arrays.get("labels"), arrays["boxes"], names)

    def __repr__(self) -> str:
        counts = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        return f"Pack({str(self.path)!r}: {len(self.classes)} classes, {counts})"

    def verify(self) -> None:
        """Read every byte and compare it with the checksums. Raises: PackError naming the damaged file."""
        manifest.read(self.path)
        for split, array, entry in self._files():
            self._check_file(split, array, entry)
            with open(self._path(split, array), "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != entry["sha256"]:
                raise self._damaged(split, array, "its checksum is wrong")

    def _files(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        return [
            (split, array, entry)
            for split, content in self._splits.items()
            for array, entry in content["files"].items()
        ]

    def _check_file(self, split: str, array: str, entry: Mapping[str, Any]) -> None:
        path = self._path(split, array)
        if not path.is_file():
            raise self._damaged(split, array, "it is missing")
        if path.stat().st_size != entry["bytes"]:
            raise self._damaged(split, array, f"it should have {entry['bytes']:,} bytes")
        try:
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        # numpy parses the header as Python: damage shows as anything from SyntaxError to a warning.
        except Exception as error:
            raise self._damaged(split, array, "its header is wrong") from error
        if [found.dtype.name, *found.shape] != [entry["dtype"], *entry["shape"]]:
            raise self._damaged(split, array, "its header is wrong")

    def _load(self, split: str, array: str, entry: Mapping[str, Any]) -> np.ndarray:
        path = self._path(split, array)
        if array == "images":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        # A damaged label would be trained on in silence; these files are small enough to be read twice.
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise self._damaged(split, array, "its checksum is wrong")
        loaded = np.load(BytesIO(content), allow_pickle=False)
        loaded.flags.writeable = False
        return loaded

    def _path(self, split: str, array: str) -> Path:
        return self.path / f"{split}.{array}.npy"

    def _damaged(self, split: str, array: str, why: str) -> PackError:
        return PackError(f"{self._path(split, array)} is damaged: {why}", manifest.REBUILD)
