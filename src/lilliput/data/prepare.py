"""``prepare``: any source -> a pack, made once and used again for as long as the source stays the same."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from lilliput.data import manifest
from lilliput.data.decode import DECODE_VERSION
from lilliput.data.home import home
from lilliput.data.pack import Pack
from lilliput.data.packing import Progress, make_manifest, write_arrays
from lilliput.data.sources import Listing, Source, open_source
from lilliput.data.sources.open import is_pack
from lilliput.errors import BrokenImagesError, PackError, StorageError, UsageError
from lilliput.results.atomic import atomic_folder, storage_errors

MAX_SIZE = 1024
_STALE_SECONDS = 3600  # a living prepare writes many times a second
_SKIP_HINT = "repair or remove them, or leave them out with --skip-broken"


def prepare(
    source: str | Path,
    to: Path | None = None,
    *,
    size: int = 64,
    skip_broken: bool = False,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Pack:
    """Make the pack of ``source`` in the folder ``to`` (default: the user's cache), or open it if it is there already.

    Pictures become ``size`` x ``size`` pixels. ``skip_broken`` leaves broken ones out (see ``Pack.left_out``);
    ``force`` makes the pack anew and replaces one that is in the way, though never a folder that is something else.

    Raises: SourceError, BrokenImagesError, PackError (something else is at ``to``), StorageError.
    """
    if not 1 <= size <= MAX_SIZE:
        raise UsageError(f"size {size} is out of range", f"give 1 to {MAX_SIZE} pixels")
    opened = open_source(source)
    stamp = _stamp(opened, size)
    target = Path(to) if to is not None else default_place(opened, stamp)
    _refuse_inside(opened, target)
    place = _folder_above(target)
    if _is_taken(target) and not force:
        return _reuse(target, opened, stamp, skip_broken)
    if _is_taken(target) and not manifest.is_pack_folder(target):
        raise PackError(f"{target} is no pack, so it is not replaced", "choose another place")
    _remove_stale(target)
    listing = opened.listing()
    _check_space(place, listing, size)
    try:
        with atomic_folder(target) as folder:
            written = write_arrays(
                listing, folder, size=size, skip_broken=skip_broken, progress=progress
            )
            content = make_manifest(listing, written, size=size, source=opened.name, stamp=stamp)
            (folder / manifest.MANIFEST).write_bytes(content)
            if force and _is_taken(target):
                _set_aside(target)
    except FileExistsError:  # another process was faster
        return _reuse(target, opened, stamp, skip_broken)
    return Pack.open(target)


def open_data(
    data: str | Path | Pack,
    *,
    size: int = 64,
    skip_broken: bool = False,
    progress: Progress = lambda done, total: None,
) -> Pack:
    """A pack from whatever the user has: a pack, or a source that is then prepared in the default place.

    Raises: as :func:`prepare` and ``Pack.open``.
    """
    if isinstance(data, Pack):
        return data
    if is_pack(data):
        return Pack.open(data)
    return prepare(data, size=size, skip_broken=skip_broken, progress=progress)


def default_place(source: Source, stamp: str) -> Path:
    """Where the pack of a source goes unless told: below LILLIPUT_HOME, or the user's cache directory."""
    stem = re.sub(r"[^\w.-]", "_", source.stem)[:80]
    return home() / "packs" / f"{stem}-{stamp[:10]}"


def _stamp(source: Source, size: int) -> str:
    text = f"{manifest.VERSION} {DECODE_VERSION} {size} {source.stamp}"
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_inside(source: Source, target: Path) -> None:
    if source.path is None or not source.path.is_dir():
        return
    if target.resolve().is_relative_to(source.path.resolve()):
        raise UsageError(
            f"{target} lies inside the source {source.path}, which is never written to",
            "choose another place with --to",
        )


def _is_taken(target: Path) -> bool:
    """Whether anything is there; an empty folder is not."""
    with storage_errors(target):
        try:
            return (
                not target.is_dir() or any(target.iterdir()) if os.path.lexists(target) else False
            )
        except NotADirectoryError:
            return True


def _reuse(target: Path, source: Source, stamp: str, skip_broken: bool) -> Pack:
    """The pack at ``target`` if it is of this very source. Raises: PackError, BrokenImagesError."""
    if not (target / manifest.MANIFEST).is_file():
        raise PackError(f"{target} holds something that is no pack", "choose another place")
    pack = Pack.open(target)
    if pack.stamp != stamp:
        raise PackError(
            f"{target} holds a pack of another source ('{pack.source}'), of the same one before it changed,"
            " or of another size",
            "choose another place, or replace it with --force",
        )
    if pack.left_out and not skip_broken:
        raise BrokenImagesError(pack.left_out, _SKIP_HINT)
    return pack


def _folder_above(target: Path) -> Path:
    """The nearest folder above ``target`` that is there. Raises: StorageError when a file stands in its way."""
    place = target.absolute().parent
    with storage_errors(target):
        while not os.path.lexists(place):
            place = place.parent
        if not place.is_dir():
            raise StorageError(
                f"cannot write {target}: {place} is not a folder", "choose another place"
            )
    return place


def _check_space(place: Path, listing: Listing, size: int) -> None:
    count = sum(map(len, listing.splits.values()))
    needed = count * (size * size * 3 + 200) + (1 << 20)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StorageError(
            f"the pack needs {needed / 1e6:,.1f} MB, {place} has {free / 1e6:,.1f} MB free",
            "free some space or choose another place with --to",
        )


def _set_aside(target: Path) -> None:
    """Make room for the finished pack: the old one moves away in one step, then goes."""
    if not manifest.is_pack_folder(target):
        raise FileExistsError(target)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    with storage_errors(target):
        os.rename(target, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _remove_stale(target: Path) -> None:
    """Clear what killed processes left beside ``target``; what was written to lately may be alive."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.partial")
    with suppress(OSError):
        for folder in target.parent.iterdir():
            if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
                latest = max(p.stat().st_mtime for p in (folder, *folder.iterdir()))
                if time.time() - latest > _STALE_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
