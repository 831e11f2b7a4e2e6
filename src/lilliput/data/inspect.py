"""What ``doctor`` finds in a data set: counts, grey, resized and broken pictures, and pictures that are there twice."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lilliput.data.decoding import Look
from lilliput.data.pack import ClassInfo, Pack
from lilliput.data.packing import Progress, broken_pictures, look_at_all
from lilliput.data.sources import Listing, open_source
from lilliput.data.sources.open import is_pack


@dataclass(frozen=True)
class SplitInspection:
    """One split; broken pictures are not counted. ``per_class`` has the order of the classes; empty when unlabelled.

    ``grey`` counts pictures stored with one channel (of a pack: with three equal ones), ``resized`` those of another
    size than asked for (None of a pack, which no longer knows).
    """

    count: int
    per_class: tuple[int, ...]
    grey: int
    resized: int | None


class Place(NamedTuple):
    """Where a picture is: its split, its class id (None: unlabelled) and its name in the source."""

    split: str
    class_id: str | None
    name: str


@dataclass(frozen=True)
class Inspection:
    """The whole set. ``classes`` are in label order, ``broken`` is (file, reason).

    Each of ``duplicates`` is a group of places with exactly the same pixels, in the order of the pack.
    """

    source: str
    classes: tuple[ClassInfo, ...]
    splits: Mapping[str, SplitInspection]
    broken: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[Place, ...], ...]

    @property
    def across_splits(self) -> tuple[tuple[Place, ...], ...]:
        """The duplicates that are in more than one split: what is trained on is then also tested on."""
        return tuple(g for g in self.duplicates if len({place.split for place in g}) > 1)

    @property
    def contradictory(self) -> tuple[tuple[Place, ...], ...]:
        """The duplicates that are given more than one class."""
        return tuple(g for g in self.duplicates if len({p.class_id for p in g} - {None}) > 1)


def inspect_data(
    data: str | Path, *, size: int = 64, progress: Progress = lambda done, total: None
) -> Inspection:
    """Look at every picture of a source or pack; nothing is written.

    Raises: SourceError for a source that cannot be read at all; PackError for a damaged pack.
    """
    if is_pack(data):
        return _inspect_pack(Pack.open(data), progress)
    source = open_source(data)
    listing = source.listing()
    looks = dict(look_at_all(listing, size, progress))
    splits = {split: _inspect_split(listing, split, looks[split], size) for split in looks}
    places = (
        (look.digest, Place(split, picture.class_id, picture.file))
        for split, pictures in listing.splits.items()
        for picture, look in zip(pictures, looks[split], strict=True)
        if not look.reason
    )
    broken = tuple(broken_pictures(listing, looks))
    return Inspection(source.name, listing.classes, splits, broken, _duplicates(places))


def _inspect_split(listing: Listing, split: str, looks: list[Look], size: int) -> SplitInspection:
    pairs = list(zip(listing.splits[split], looks, strict=True))
    good = [(picture, look) for picture, look in pairs if not look.reason]
    tally = Counter(picture.class_id for picture, _ in good)
    return SplitInspection(
        len(good),
        () if None in tally else tuple(tally[info.id] for info in listing.classes),
        sum(look.is_grey for _, look in good),
        sum((look.width, look.height) != (size, size) for _, look in good),
    )


def _inspect_pack(pack: Pack, progress: Progress) -> Inspection:
    pack.verify()
    done, total = 0, sum(pack.counts.values())
    splits: dict[str, SplitInspection] = {}
    places: list[tuple[str, Place]] = []
    for name in pack.splits:
        split = pack[name]
        tally = Counter(() if split.labels is None else split.labels.tolist())
        grey = 0
        for row, image in enumerate(split.images):
            grey += bool((image == image[..., :1]).all())
            id = None if split.labels is None else pack.classes[split.labels[row]].id
            places.append(
                (hashlib.sha256(image.tobytes()).hexdigest(), Place(name, id, split.names[row]))
            )
            done += 1
            if done % 1000 == 0 or done == total:
                progress(done, total)
        per_class = tuple(tally[label] for label in range(len(pack.classes))) if tally else ()
        splits[name] = SplitInspection(len(split), per_class, grey, None)
    return Inspection(pack.source, pack.classes, splits, pack.left_out, _duplicates(places))


def _duplicates(places: Iterable[tuple[str, Place]]) -> tuple[tuple[Place, ...], ...]:
    groups: defaultdict[str, list[Place]] = defaultdict(list)
    for digest, place in places:
        groups[digest].append(place)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
