"""Decode every picture of a source once, on all cores, and lay the pixels down as the arrays of a pack."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from math import ceil, floor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lilliput.data import manifest
from lilliput.data.decode import central_square
from lilliput.data.decoding import HEADER_BYTES, Decoder, Look, Order, decoders
from lilliput.data.sources.source import NO_BOX, Box, Listing, Picture
from lilliput.errors import BrokenImagesError, SourceError
from lilliput.results.atomic import sync

Progress = Callable[[int, int], None]

_CHUNK_BYTES = 4 << 20


def look_at_all(
    listing: Listing, size: int, progress: Progress, folder: Path | None = None
) -> Iterator[tuple[str, list[Look]]]:
    """Decode every picture on all cores; yield each split, once done, with a look per picture.

    Given a folder, the pixels go to ``<split>.images.npy`` there, which must exist; the header is left to do.
    Raises: SourceError when the source itself is damaged; OSError when a file cannot be written.
    """
    looks = {split: [Look()] * len(pictures) for split, pictures in listing.splits.items()}
    left = {split: len(pictures) for split, pictures in listing.splits.items()}
    total = sum(left.values())
    progress(0, total)
    for split, places, seen in _looks_by_chunk(listing, size, folder):
        for place, look in zip(places, seen, strict=True):
            looks[split][place] = look
        left[split] -= len(places)
        progress(total - sum(left.values()), total)
        if not left[split]:
            yield split, looks[split]


def _looks_by_chunk(
    listing: Listing, size: int, folder: Path | None
) -> Iterator[tuple[str, list[int], list[Look]]]:
    waiting: deque[tuple[str, list[int], Future[list[Look]]]] = deque()
    with (
        decoders(sum(map(len, listing.splits.values()))) as (threads, decode),
        ThreadPoolExecutor(threads) as pool,
    ):
        try:
            for split, places in _chunk_places(listing, size):
                path = None if folder is None else str(folder / f"{split}.images.npy")
                pictures = [listing.splits[split][place] for place in places]
                order = Order(size, places, path)
                work = pool.submit(_look_at, pictures, listing.read, decode, order)
                waiting.append((split, places, work))
                if len(waiting) > 3 * threads:
                    split, places, work = waiting.popleft()
                    yield split, places, work.result()
            for split, places, work in waiting:
                yield split, places, work.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def write_arrays(
    listing: Listing, folder: Path, *, size: int, skip_broken: bool, progress: Progress
) -> dict[str, Any]:
    """Write all arrays into ``folder``; return the manifest's part: fingerprint, left_out, splits.

    Raises: BrokenImagesError with every broken picture, unless they are to be skipped; SourceError; OSError when the
    folder cannot be written to.
    """
    for split in listing.splits:
        (folder / f"{split}.images.npy").touch()
    looks: dict[str, list[Look]] = {}
    finished: dict[str, Future[dict[str, Any]]] = {}
    # The checksums of one split are made while the next is decoded.
    with ThreadPoolExecutor(len(listing.splits)) as finisher:
        for split, seen in look_at_all(listing, size, progress, folder):
            looks[split] = seen
            finished[split] = finisher.submit(_finish_split, listing, split, seen, folder, size)
    broken = broken_pictures(listing, looks)
    if broken and not skip_broken:
        raise BrokenImagesError(
            broken, "repair or remove them, or leave them out with --skip-broken"
        )
    _check_enough(listing, looks)
    return {
        "fingerprint": _fingerprint(listing, looks, size),
        "left_out": broken,
        "splits": {split: work.result() for split, work in finished.items()},
    }


def broken_pictures(listing: Listing, looks: dict[str, list[Look]]) -> list[tuple[str, str]]:
    """(file, reason) of every picture that could not be decoded."""
    return [
        (picture.file, look.reason)
        for split, pictures in listing.splits.items()
        for picture, look in zip(pictures, looks[split], strict=True)
        if look.reason
    ]


def _check_enough(listing: Listing, looks: dict[str, list[Look]]) -> None:
    """Raises: SourceError when leaving out the broken pictures empties a class of train, or a split."""
    left = {
        (split, picture.class_id)
        for split, pictures in listing.splits.items()
        for picture, look in zip(pictures, looks[split], strict=True)
        if not look.reason
    }
    wanted = [("train", info.id) for info in listing.classes]
    missing = [f"class '{id}' in {split}" for split, id in wanted if (split, id) not in left]
    missing += [split for split in listing.splits if split not in {split for split, _ in left}]
    if missing:
        raise SourceError(f"without its broken pictures nothing is left of {', '.join(missing)}")


def fit_box(box: Box, width: int, height: int, size: int) -> Box:
    """Where an inclusive box of a width x height picture lies once the picture is cut and scaled to size x size.

    It is clipped to the picture; NO_BOX when nothing of it is left.
    """
    if box == NO_BOX or (width == size and height == size):
        return box
    left, top, right, _ = central_square(width, height)
    scale = size / (right - left)
    x0, x1 = _fit_side(box[0], box[2], left, scale, size)
    y0, y1 = _fit_side(box[1], box[3], top, scale, size)
    return (x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else NO_BOX


def _fit_side(first: int, last: int, start: float, scale: float, size: int) -> tuple[int, int]:
    low, high = (first - start) * scale, (last + 1 - start) * scale
    return max(floor(low), 0), min(ceil(high), size) - 1


def _chunk_places(listing: Listing, size: int) -> Iterator[tuple[str, list[int]]]:
    count = max(1, _CHUNK_BYTES // (size * size * 3))
    for split, pictures in listing.splits.items():
        order = sorted(range(len(pictures)), key=lambda place: pictures[place].position)
        for start in range(0, len(order), count):
            yield split, order[start : start + count]


def _look_at(
    pictures: Sequence[Picture], read: Callable[[Picture], bytes], decode: Decoder, order: Order
) -> list[Look]:
    files: list[bytes] = []
    unread: dict[int, str] = {}
    for number, picture in enumerate(pictures):
        try:
            files.append(read(picture))
        except OSError as error:
            files.append(b"")
            unread[number] = f"cannot be read: {error.strerror or error}"
    looks = decode(files, order)
    for number, reason in unread.items():
        looks[number] = Look(reason=reason)
    return looks


def _fingerprint(listing: Listing, looks: dict[str, list[Look]], size: int) -> str:
    """SHA-256 over the classes and, per split, the sorted digests of pictures with their class: no names, no order."""
    whole = hashlib.sha256(f"{size}\n".encode())
    for info in listing.classes:
        whole.update(f"class {info.id}\n".encode("utf-8", "surrogatepass"))
    for split, pictures in listing.splits.items():
        whole.update(f"split {split}\n".encode())
        lines = (
            f"{look.digest} {picture.class_id or ''}\n"
            for picture, look in zip(pictures, looks[split], strict=True)
            if not look.reason
        )
        whole.update("".join(sorted(lines)).encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def _finish_split(
    listing: Listing, split: str, looks: list[Look], folder: Path, size: int
) -> dict[str, Any]:
    """Close the gaps of broken pictures, write header, labels and boxes; return the manifest's entry."""
    keep = [place for place, look in enumerate(looks) if not look.reason]
    pictures = [listing.splits[split][place] for place in keep]
    index = {info.id: label for label, info in enumerate(listing.classes)}
    boxes = [
        fit_box(picture.box, looks[place].width, looks[place].height, size)
        for place, picture in zip(keep, pictures, strict=True)
    ]
    arrays: dict[str, np.ndarray] = {"boxes": np.array(boxes, np.int16).reshape(-1, 4)}
    if all(picture.class_id is not None for picture in pictures):
        arrays["labels"] = np.array([index[p.class_id or ""] for p in pictures], np.int64)
    files = {"images": _finish_images(folder / f"{split}.images.npy", keep, len(looks), size)}
    for array in sorted(arrays):
        path = folder / f"{split}.{array}.npy"
        content = BytesIO()  # numpy would not say why a file could not be written
        np.save(content, arrays[array], allow_pickle=False)
        path.write_bytes(content.getvalue())
        files[array] = _file_entry(path, arrays[array].dtype.name, arrays[array].shape)
    names = [picture.name for picture in pictures]
    return {"count": len(pictures), "files": files, "names": names}


def _finish_images(path: Path, keep: list[int], count: int, size: int) -> dict[str, Any]:
    row_bytes = size * size * 3
    shape = (len(keep), size, size, 3)
    with open(path, "r+b") as file:
        if len(keep) != count:
            _close_gaps(file, keep, row_bytes)
        file.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        if file.tell() != HEADER_BYTES:
            raise AssertionError(f"a header of {file.tell()} bytes")
    entry = _file_entry(path, "uint8", shape)
    sync(path)  # here, where other work goes on meanwhile
    return entry


def _close_gaps(file: BinaryIO, keep: list[int], row_bytes: int) -> None:
    for row, place in enumerate(keep):
        if row != place:
            file.seek(HEADER_BYTES + place * row_bytes)
            data = file.read(row_bytes)
            file.seek(HEADER_BYTES + row * row_bytes)
            file.write(data)
    file.truncate(HEADER_BYTES + len(keep) * row_bytes)


def _file_entry(path: Path, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"dtype": dtype, "shape": list(shape), "bytes": path.stat().st_size, "sha256": digest}


def make_manifest(
    listing: Listing, written: dict[str, Any], *, size: int, source: str, stamp: str
) -> bytes:
    """The bytes of manifest.json for arrays that :func:`write_arrays` has written."""
    return manifest.render(
        {
            "format": manifest.FORMAT,
            "version": manifest.VERSION,
            "source": source,
            "stamp": stamp,
            "fingerprint": written["fingerprint"],
            "image_size": [size, size],
            "classes": [info._asdict() for info in listing.classes],
            "left_out": written["left_out"],
            "splits": written["splits"],
        }
    )
