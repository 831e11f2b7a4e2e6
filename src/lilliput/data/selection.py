"""Which images of a pack a training sees: some classes, a stratified part, a held-out share. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.data.pack import ClassInfo, Pack, Split
from lilliput.errors import RecipeError
from lilliput.recipe import DataRecipe


@dataclass(frozen=True)
class Selection:
    """Some images of a split: ``rows`` int64[n] says which, ``labels`` int64[n] what they are (-1: unlabelled)."""

    split: Split
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The file names of the selected images."""
        return tuple(self.split.names[row] for row in self.rows)

    def images(self, chosen: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """The pixels uint8[b,h,w,3] of some of the selected images."""
        return self.split.images[self.rows[chosen]]

    def take(self, chosen: NDArray[np.int64]) -> Selection:
        """A part of this selection, in the pack's order."""
        chosen = np.sort(chosen)
        return Selection(self.split, self.rows[chosen], self.labels[chosen])


@dataclass(frozen=True)
class DataSet:
    """What one training works on: ``validation`` is the pack's val split, or ``heldout`` images of train."""

    classes: tuple[ClassInfo, ...]
    training: Selection
    validation: Selection
    validation_name: str


def select(pack: Pack, recipe: DataRecipe, seed: int) -> DataSet:
    """The images a recipe asks for; the same ones for the same pack, recipe and seed.

    Raises: RecipeError when the pack cannot give them.
    """
    kept = chosen_classes(len(pack.classes), recipe.classes)
    training = select_split(pack, "train", kept)
    if recipe.holdout:
        # Held out before the limit, so that the same images are held out whatever the limit.
        random = np.random.default_rng([seed, 1])
        held, rest = _stratified(training.labels, recipe.holdout, random, leave=1)
        validation, training, name = training.take(held), training.take(rest), "heldout"
    else:
        if "val" not in pack:
            raise RecipeError(
                "this pack has no val split", "hold some of train out: data.holdout=0.1"
            )
        validation, name = select_split(pack, "val", kept), "val"
    if recipe.limit:
        if recipe.limit < len(kept):
            raise RecipeError(
                f"data.limit = {recipe.limit} is less than one image for each of {len(kept)} classes"
            )
        share = min(1.0, recipe.limit / len(training))
        part, _ = _stratified(training.labels, share, np.random.default_rng([seed, 2]))
        training = training.take(part)
    if not len(validation):
        raise RecipeError("no image is left to validate on", "raise data.holdout")
    return DataSet(tuple(pack.classes[k] for k in kept), training, validation, name)


def chosen_classes(available: int, wanted: int) -> NDArray[np.int64]:
    """Which classes: all for 0, else ``wanted`` of them, evenly spread. Raises: RecipeError."""
    if wanted == 1 or wanted > available:
        raise RecipeError(
            f"data.classes = {wanted}: the pack has {available}", f"2 to {available}, or 0 for all"
        )
    if wanted == 0:
        return np.arange(available, dtype=np.int64)
    return np.arange(wanted, dtype=np.int64) * available // wanted


def select_split(pack: Pack, name: str, kept: NDArray[np.int64]) -> Selection:
    """All images of a split that belong to the ``kept`` classes, labelled by their place among them.

    Unlabelled images are all taken.
    """
    split = pack[name]
    if split.labels is None:
        return Selection(split, np.arange(len(split)), np.full(len(split), -1, np.int64))
    place = np.full(len(pack.classes), -1, np.int64)
    place[kept] = np.arange(len(kept))
    labels = place[np.asarray(split.labels)]
    rows = np.flatnonzero(labels >= 0)
    return Selection(split, rows, labels[rows])


def _stratified(
    labels: NDArray[np.int64], share: float, random: np.random.Generator, *, leave: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split places at random into ``share`` of every class (to the nearest image, the total kept) and the rest.

    Of every class at least one image comes into the first part, once ``leave`` images are in the second.
    """
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    wanted = _counts_per_class(counts, share, np.maximum(counts - leave, 0))
    starts = np.cumsum(counts) - counts
    within = np.arange(len(labels)) - np.repeat(starts, counts)
    part = within < np.repeat(wanted, counts)
    return order[part], order[~part]


def _counts_per_class(
    counts: NDArray[np.int64], share: float, most: NDArray[np.int64]
) -> NDArray[np.int64]:
    # Rounding the running total, not each class, keeps the total right when a class has few images.
    ends = np.round(np.cumsum(counts) * share).astype(np.int64)
    least = np.minimum(most, 1)
    wanted = np.clip(np.diff(ends, prepend=0), least, most)
    # What small classes got beyond their share, the large ones give.
    for _ in range(wanted.sum() - max(ends[-1], least.sum())):
        wanted[np.argmax(wanted - least)] -= 1
    return wanted
