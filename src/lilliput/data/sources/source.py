"""The contract of every source: its pictures in one order, under one rule for names and classes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lilliput.data.pack import ClassInfo
from lilliput.errors import SourceError

SPLITS = ("train", "val", "test")
Box = tuple[int, int, int, int]
NO_BOX: Box = (-1, -1, -1, -1)

_DIGITS = re.compile("([0-9]+)")
_LONGEST_NUMBER = 24  # longer ones are sorted as text


class Picture(NamedTuple):
    """One picture before decoding.

    ``file`` is where the source keeps it (what messages name), ``name`` what the pack calls it. ``class_id`` is None
    when it is unlabelled. ``box`` is x0 y0 x1 y1, inclusive, in pixels of the file. Reading in the order of
    ``position`` is cheapest for the source.
    """

    file: str
    name: str
    class_id: str | None
    box: Box = NO_BOX
    position: int = 0


@dataclass(frozen=True)
class Listing:
    """What a source holds: classes sorted by id, pictures per split in the order of the pack, and how to read one.

    ``read`` may be called from many threads. It raises OSError where only this picture is at fault and SourceError
    where the source is.
    """

    classes: tuple[ClassInfo, ...]
    splits: Mapping[str, Sequence[Picture]]
    read: Callable[[Picture], bytes]


@dataclass(frozen=True)
class Source:
    """A data set as the user has it. ``stamp`` changes when its files do; ``listing`` looks inside."""

    name: str
    path: Path | None
    stamp: str
    listing: Callable[[], Listing]

    @property
    def stem(self) -> str:
        """The name without the endings of files."""
        return re.sub(r"\.(zip|parquet)$", "", self.name, flags=re.IGNORECASE) or "source"


def natural_key(name: str) -> str:
    """Sorts ``test_2`` before ``test_10``; names that differ only in leading zeros keep a fixed order.

    >>> sorted(["b_10", "b_2", "a"], key=natural_key)
    ['a', 'b_2', 'b_10']
    """
    return _DIGITS.sub(_padded, name) + "\0" + name


def make_listing(
    place: str,
    splits: Mapping[str, Iterable[Picture]],
    class_names: Mapping[str, str],
    read: Callable[[Picture], bytes],
    *,
    seed: int,
    val_fraction: float,
) -> Listing:
    """Order, name and check the pictures of a source; without a val split, hold one out of train.

    Raises: SourceError when there is one class only, or a class that train lacks.
    """
    found = {split: list(splits[split]) for split in SPLITS if split in splits}
    if not found.get("val", True):
        raise SourceError(
            f"{place}: its val folder holds no pictures",
            "copy the set again, or remove the folder to have a part of train held out",
        )
    found = {split: pictures for split, pictures in found.items() if pictures}
    ids = sorted({p.class_id for p in found.get("train", ()) if p.class_id is not None})
    if len(ids) < 2:
        what = f"only one class, '{ids[0]}'" if ids else "no labelled training pictures"
        raise SourceError(
            f"{place} has {what}", "give at least two classes, each a folder (or label) of its own"
        )
    _check_known(place, found, set(ids))
    if "val" not in found:
        train, val = hold_out(found["train"], read, seed, val_fraction)
        rest = {"test": found["test"]} if "test" in found else {}
        found = {"train": train, "val": val, **rest}
    classes = tuple(ClassInfo(id, class_names.get(id, id)) for id in ids)
    return Listing(classes, {split: arrange(pictures) for split, pictures in found.items()}, read)


def hold_out(
    pictures: Sequence[Picture], read: Callable[[Picture], bytes], seed: int, fraction: float
) -> tuple[list[Picture], list[Picture]]:
    """Part ``pictures`` into train and val: ``fraction`` of each class, at least one where there are two.

    The choice hangs on the seed and the bytes of the files: names may differ or be missing, and new pictures do not
    reshuffle the old ones. That costs reading every file once more than decoding does.
    """
    by_class: defaultdict[str, list[tuple[bytes, str, Picture]]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: p.position):
        rank = _rank(picture, read, seed), natural_key(picture.file), picture
        by_class[picture.class_id or ""].append(rank)
    train, val = [], []
    for members in by_class.values():
        ranked = [picture for *_, picture in sorted(members)]
        count = min(max(round(fraction * len(ranked)), 1), len(ranked) - 1)
        val += ranked[:count]
        train += ranked[count:]
    return train, val


def arrange(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Sort by class, then natural name; a name that several pictures share gets its class, then its whole path."""
    ordered = sorted(pictures, key=lambda p: f"{p.class_id or ''}\0{natural_key(p.name)}\0{p.file}")
    for longer in (lambda p: f"{p.class_id}/{p.name}", lambda p: p.file):
        uses = Counter(p.name for p in ordered)
        if len(uses) == len(ordered):
            break
        ordered = [p._replace(name=longer(p)) if uses[p.name] > 1 else p for p in ordered]
    return tuple(ordered)


def _padded(number: re.Match[str]) -> str:
    return number[0].zfill(_LONGEST_NUMBER)


def _rank(picture: Picture, read: Callable[[Picture], bytes], seed: int) -> bytes:
    """Where a picture stands among those of its class; the lowest are held out."""
    try:
        content = read(picture)
    except OSError:  # it will be reported with all broken pictures
        content = b""
    return hashlib.sha256(f"{seed}\n".encode() + content).digest()


def _check_known(place: str, found: Mapping[str, Sequence[Picture]], known: set[str]) -> None:
    for split in ("val", "test"):
        for picture in found.get(split, ()):
            if picture.class_id is not None and picture.class_id not in known:
                raise SourceError(
                    f"{place}: class '{picture.class_id}' is in {split} but not in train",
                    f"remove it from {split} or give it training pictures",
                )
