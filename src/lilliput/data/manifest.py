"""manifest.json of a pack: its exact bytes, and the checksum that finds any change to them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lilliput.errors import PackError

FORMAT = "lilliput pack"
VERSION = 1
MANIFEST = "manifest.json"
ARRAYS = ("images", "labels", "boxes")
ARRAY_FILES = frozenset(f"{s}.{a}.npy" for s in ("train", "val", "test") for a in ARRAYS)
REBUILD = "make the pack again: lilliput prepare SOURCE --to DIR --force"


def render(document: dict[str, Any]) -> bytes:
    """The file's bytes: one line per key, the checksum last. There is one way to write a document, so that reading
    and writing it again must give the same bytes; any flipped bit is found so.
    """
    content = {key: value for key, value in document.items() if key != "checksum"}
    body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    lines.append(f'"checksum": "{hashlib.sha256(body).hexdigest()}"')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def read(folder: Path) -> dict[str, Any]:
    """The checked document. Raises: PackError when it is missing, damaged or too new."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise PackError(
            f"there is no pack at {folder}", f"make one: lilliput prepare SOURCE --to {folder}"
        ) from None
    except OSError as error:
        raise PackError(f"cannot read {path}: {error.strerror}") from error
    try:
        document = json.loads(raw)
        kind, version = document["format"], document["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PackError(f"{path} is damaged", REBUILD) from error
    if kind == FORMAT and type(version) is int and version > VERSION:
        raise PackError(
            f"{folder} is a pack of version {version}; this Lilliput reads up to {VERSION}",
            "update Lilliput: pip install --upgrade lilliput",
        )
    if kind != FORMAT or version != VERSION or render(document) != raw:
        raise PackError(f"{path} is damaged", REBUILD)
    return document


def is_pack_folder(path: Path) -> bool:
    """Whether a folder holds a pack, damaged or not, and nothing else: only such a folder is ever replaced."""
    if not path.is_dir() or path.is_symlink():
        return False
    names = {entry.name for entry in path.iterdir()}
    return MANIFEST in names and names <= ARRAY_FILES | {MANIFEST}


def is_pack_like(path: Path) -> bool:
    """Whether a folder is meant to be a pack; a source may well have a ``manifest.json`` of its own."""
    arrays = (path / name for name in ARRAY_FILES)
    return (path / MANIFEST).is_file() and any(array.is_file() for array in arrays)
