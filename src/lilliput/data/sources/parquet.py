"""Parquet with a column of pictures (bytes, or a struct of bytes and path) and a column of labels.

One file, or a folder (or its ``data``) with files called ``train*``, ``val*`` or ``validation*``, and ``test*``.
Labels are strings, or integers whose names are taken from the Hugging Face entry of the schema if it is there, or
booleans (classes ``False`` and ``True``). The pictures' names are in the struct, or in a column of their own; rows
without one are called ``row_0``, ``row_1`` and so on.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lilliput.data.sources.source import Listing, Picture, Source, make_listing
from lilliput.data.sources.tree import canonical
from lilliput.errors import MissingExtraError, SourceError

_SPLIT_NAMES = {
    "train": re.compile(r"train(ing)?(?![a-z])", re.IGNORECASE),
    "val": re.compile(r"val(id|idation)?(?![a-z])", re.IGNORECASE),
    "test": re.compile(r"test(ing)?(?![a-z])", re.IGNORECASE),
}
_IMAGE_COLUMNS = ("image", "img", "picture", "jpg", "jpeg", "png", "bytes")
_LABEL_COLUMNS = ("label", "labels", "class", "class_id", "wnid", "target", "y", "fine_label")
_NAME_COLUMNS = ("path", "file_name", "filename")


class _Columns(NamedTuple):
    image: str
    is_struct: bool
    name: str | None  # a.b is the field b of the struct a
    label: str | None
    class_names: list[str] | None


def open_parquet(path: Path, *, seed: int, val_fraction: float) -> Source:
    """A source over one file or a folder of them. Raises: MissingExtraError without pyarrow; SourceError."""
    files = _files(path)
    stamp = hashlib.sha256()
    for file in (file for split in files.values() for file in split):
        status = file.stat()
        line = f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        stamp.update(line.encode("utf-8", "surrogateescape"))
    text = f"parquet {stamp.hexdigest()} {seed} {val_fraction}"
    return Source(
        path.resolve().name, path, text, partial(_listing, path, files, seed, val_fraction)
    )


def _files(path: Path) -> dict[str, list[Path]]:
    if path.is_file():
        return {"train": [path]}
    found: dict[str, list[Path]] = {}
    folder = path if any(path.glob("*.parquet")) else path / "data"
    for file in sorted(folder.glob("*.parquet")):
        if file.name.startswith(".") or not file.is_file():
            continue
        splits = [split for split, pattern in _SPLIT_NAMES.items() if pattern.match(file.name)]
        if not splits:
            raise SourceError(
                f"{path}: '{file.name}' does not say which split it is of",
                "call the files train*, val* and test*.parquet, or name a single file",
            )
        found.setdefault(splits[0], []).append(file)
    if "train" not in found:
        raise SourceError(f"{path} has no train*.parquet", "call the training file so")
    return found


def _listing(
    path: Path, files: Mapping[str, list[Path]], seed: int, val_fraction: float
) -> Listing:
    reader = _Reader()
    splits = {
        split: [picture for file in files[split] for picture in reader.add(file, split)]
        for split in sorted(files)
    }
    if reader.has_numbers:  # zeros in front make the order of the ids that of the numbers
        ids = {p.class_id for pictures in splits.values() for p in pictures if p.class_id}
        width = max(map(len, ids), default=1)
        splits = {
            split: [p._replace(class_id=p.class_id and p.class_id.zfill(width)) for p in pictures]
            for split, pictures in splits.items()
        }
    return make_listing(str(path), splits, {}, reader.read, seed=seed, val_fraction=val_fraction)


class _Reader:
    """Reads pictures by their position, a row group at a time, keeping the latest of them.

    ``has_numbers`` tells whether any class id is a bare number.
    """

    _KEPT_BYTES = 512 << 20

    def __init__(self) -> None:
        self.has_numbers = False
        self._parquet = _pyarrow_parquet()
        self._starts: list[int] = []  # position of the first row of each group
        self._groups: list[tuple[Path, int, _Columns]] = []
        self._count = 0
        self._kept: dict[int, Any] = {}
        self._lock = threading.Lock()

    def add(self, path: Path, split: str) -> list[Picture]:
        """The pictures of one file, without their pixels."""
        with self._open(path) as file:
            columns = _columns(path, file.schema_arrow)
            first = self._count
            for group in range(file.num_row_groups):
                self._starts.append(self._count)
                self._groups.append((path, group, columns))
                self._count += file.metadata.row_group(group).num_rows
            labels, names = self._labels_and_names(path, file, columns)
        if columns.label is None and split != "test":
            raise SourceError(
                f"{path} has no column of labels (its columns: {', '.join(file.schema_arrow.names)})",
                f"name the column of labels one of: {', '.join(_LABEL_COLUMNS)}",
            )
        ids = _class_ids(path, labels, columns.class_names, split)
        self.has_numbers |= columns.class_names is None and any(map(_is_number, labels))
        return [
            Picture(f"{path.name}, row {row}", name, id, position=first + row)
            for row, (name, id) in enumerate(zip(names, ids, strict=True))
        ]

    def read(self, picture: Picture) -> bytes:
        """The bytes of a picture. Raises: OSError when there are none; SourceError."""
        number = bisect_right(self._starts, picture.position) - 1
        with self._lock:
            images = self._images(number)
        data = images[picture.position - self._starts[number]].as_py()
        if data is None:
            raise OSError("there are no bytes in this row")
        return data

    def _images(self, number: int) -> Any:
        """The column of bytes of one row group."""
        images = self._kept.pop(number, None)
        if images is None:
            images = self._load(*self._groups[number])
        self._kept[number] = images  # the latest used stands last
        while len(self._kept) > 1 and sum(i.nbytes for i in self._kept.values()) > self._KEPT_BYTES:
            del self._kept[next(iter(self._kept))]
        return images

    def _load(self, path: Path, group: int, columns: _Columns) -> Any:
        name = f"{columns.image}.bytes" if columns.is_struct else columns.image
        with self._open(path) as file:
            try:
                images = file.read_row_group(group, columns=[name]).column(0).combine_chunks()
            except (OSError, ValueError) as error:
                raise SourceError(f"{path} is damaged: {error}", "copy it again") from error
        return images.field("bytes") if columns.is_struct else images

    def _labels_and_names(
        self, path: Path, file: Any, columns: _Columns
    ) -> tuple[list[Any], list[str]]:
        empty: list[Any] = [None] * file.metadata.num_rows
        try:
            labels = _values(file, columns.label) if columns.label else empty
            paths = _values(file, columns.name) if columns.name else empty
        except (OSError, ValueError) as error:
            raise SourceError(f"{path} is damaged: {error}", "copy it again") from error
        names = [
            canonical(re.split(r"[/\\]", p)[-1]) if p and isinstance(p, str) else f"row_{row}"
            for row, p in enumerate(paths)
        ]
        return labels, names

    def _open(self, path: Path) -> Any:
        try:
            return self._parquet.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{path} is no whole Parquet file: {error}", "copy it again"
            ) from error


def _values(file: Any, column: str) -> list[Any]:
    """A whole column, or a field of a column of structs (``a.b``)."""
    values = file.read(columns=[column]).column(0).to_pylist()
    field = column.rpartition(".")[2]
    return [value[field] if isinstance(value, dict) else value for value in values]


def _pyarrow_parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "parquet") from error
    return pyarrow.parquet


def _columns(path: Path, schema: Any) -> _Columns:
    """Which column is which: by the Hugging Face entry, else by name; the only one of bytes holds the pictures."""
    features = _features(schema)
    pictures = {field.name: field.type for field in schema if _may_hold_pictures(field.type)}
    marked = [n for n in pictures if features.get(n, {}).get("_type") == "Image"]
    only = pictures if len(pictures) == 1 else ()
    image = _first(marked or _called(pictures, _IMAGE_COLUMNS) or only)
    if image is None:
        raise SourceError(
            f"{path} has no column of pictures (its columns: {', '.join(schema.names)})",
            "call the column of bytes 'image'",
        )
    others = [name for name in schema.names if name not in pictures]
    labelled = [n for n in others if features.get(n, {}).get("_type") == "ClassLabel"]
    label = _first(labelled or _called(others, _LABEL_COLUMNS))
    class_names = features.get(label, {}).get("names") if label else None
    is_struct = _is_struct(pictures[image])
    fields = [field.name for field in pictures[image]] if is_struct else []
    name = f"{image}.path" if "path" in fields else _first(_called(others, _NAME_COLUMNS))
    return _Columns(image, is_struct, name, label, class_names)


def _called(known: Iterable[str], wanted: tuple[str, ...]) -> list[str]:
    return [name for word in wanted for name in known if name.casefold() == word]


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)


def _features(schema: Any) -> dict[str, Any]:
    try:
        entry = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = entry["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _may_hold_pictures(type_: Any) -> bool:
    if _is_struct(type_):
        return any(field.name == "bytes" and _is_binary(field.type) for field in type_)
    return _is_binary(type_)


def _is_binary(type_: Any) -> bool:
    return str(type_) in ("binary", "large_binary", "binary_view")


def _is_struct(type_: Any) -> bool:
    return str(type_).startswith("struct<")


def _class_ids(
    path: Path, labels: list[Any], names: list[str] | None, split: str
) -> list[str | None]:
    """A class id per row; a test split may do without (all null, empty or -1)."""
    missing = [row for row, label in enumerate(labels) if _is_missing(label)]
    if missing:
        if split == "test" and len(missing) == len(labels):
            return [None] * len(labels)
        raise SourceError(f"{path}, row {missing[0]} has no label", "label it or remove the row")
    wrong = [row for row, label in enumerate(labels) if not isinstance(label, int | str)]
    if wrong:
        raise SourceError(f"{path}, row {wrong[0]}: a label is an integer or a text")
    if names is not None:
        return [_named(path, row, label, names) for row, label in enumerate(labels)]
    return [canonical(str(label)) for label in labels]


def _is_missing(label: Any) -> bool:
    return label is None or label == -1 or (isinstance(label, str) and not label.strip())


def _is_number(label: Any) -> bool:
    return isinstance(label, int) and not isinstance(label, bool)


def _named(path: Path, row: int, label: Any, names: list[str]) -> str:
    if isinstance(label, str):
        return canonical(label)
    if not 0 <= label < len(names):
        raise SourceError(f"{path}, row {row}: label {label} has no name ({len(names)} are listed)")
    return canonical(names[label])
