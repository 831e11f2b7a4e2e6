"""Which images of a pack a training sees: some classes, a stratified part, all but a held-out part. No torch.

The order of the rules: classes, then what is held out, then what is dropped, then the limit, then what is shown several
times. So neither a list of images to drop nor a limit changes what a network is judged on. A limit takes the first
images of each class in an order that knows nothing of the list: dropping an image changes that image and at most one
that takes its place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
        return self.split.images.take(self.rows[chosen], axis=0)

    def boxes(self, chosen: NDArray[np.int64] | slice) -> NDArray[np.int16]:
        """The bounding boxes int16[b,4] of some of the selected images; see :class:`lilliput.data.pack.Split`."""
        return self.split.boxes[self.rows[chosen]]

    def take(self, chosen: NDArray[np.int64]) -> Selection:
        """A part of this selection, in the pack's order."""
        chosen = np.sort(chosen)
        return Selection(self.split, self.rows[chosen], self.labels[chosen])


@dataclass(frozen=True)
class DataSet:
    """What one training works on: ``validation`` is the pack's val split, or ``heldout`` images of train.

    ``dropped`` images were left out of the training by ``data.drop``.
    """

    classes: tuple[ClassInfo, ...]
    training: Selection
    validation: Selection
    validation_name: str
    dropped: int = 0


def select(pack: Pack, recipe: DataRecipe, seed: int) -> DataSet:
    """The images a recipe asks for; the same ones for the same pack, recipe and seed.

    Raises: RecipeError when the pack cannot give them.
    """
    kept = chosen_classes(len(pack.classes), recipe.classes)
    if recipe.holds_out:
        validation, training = _hold_out(select_split(pack, "train", kept), recipe, seed)
        name = "heldout"
    else:
        if "val" not in pack:
            raise RecipeError(
                "this pack has no val split", "hold some of train out: data.holdout=0.1"
            )
        validation, training = select_split(pack, "val", kept), select_split(pack, "train", kept)
        name = "val"
    left = np.arange(len(training))
    if recipe.drop:
        left = _not_dropped(training, Path(recipe.drop), len(kept))
    dropped = len(training) - len(left)
    if recipe.limit:
        left = _limited(training.labels, left, recipe.limit, len(kept), seed)
    if not len(validation):
        raise RecipeError("no image is left to validate on", "raise data.holdout")
    if recipe.balance:
        left = _balanced(training.labels, left, seed)
    classes = tuple(pack.classes[k] for k in kept)
    return DataSet(classes, training.take(left), validation, name, dropped)


def select_heldout(pack: Pack, recipe: DataRecipe, seed: int) -> Selection:
    """The images of train that a recipe holds out, whatever else it leaves out. Raises: RecipeError."""
    kept = chosen_classes(len(pack.classes), recipe.classes)
    return _hold_out(select_split(pack, "train", kept), recipe, seed)[0]


def drop_digest(recipe: DataRecipe) -> str:
    """SHA-256 of the file of images to drop; empty without one. Raises: RecipeError when it cannot be read."""
    return hashlib.sha256(_read(Path(recipe.drop))).hexdigest() if recipe.drop else ""


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


def _hold_out(train: Selection, recipe: DataRecipe, run_seed: int) -> tuple[Selection, Selection]:
    """What is held out of the training images, and the rest."""
    seed = recipe.holdout_seed or run_seed
    if recipe.folds:
        fold = _folds(train.labels, recipe.folds, np.random.default_rng([seed, 3]))
        held = np.flatnonzero(fold == recipe.fold - 1)
        rest = np.flatnonzero(fold != recipe.fold - 1)
    else:
        random = np.random.default_rng([seed, 1])
        held, rest = _stratified(train.labels, recipe.holdout, random, leave=1)
    return train.take(held), train.take(rest)


def _folds(labels: NDArray[np.int64], folds: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The fold int64[n], from 0, of every image: the folds share every class, and the whole, as evenly as can be."""
    smallest = np.bincount(labels).min()
    if smallest < 2:
        raise RecipeError(
            f"data.folds = {folds}: a class has only {smallest} training image",
            "every class needs two: one to train on while the other is held out",
        )
    order = _shuffled_by_class(labels, random)
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % folds
    return fold


def _not_dropped(training: Selection, file: Path, classes: int) -> NDArray[np.int64]:
    """The places of the training images but those the file names."""
    known = {name: row for row, name in enumerate(training.split.names)}
    named = _listed(file, known)
    kept = np.flatnonzero(~np.isin(training.rows, [known[name] for name in named]))
    left = np.bincount(training.labels[kept], minlength=classes)
    if not left.all():
        emptied = training.names[int(np.argmax(training.labels == np.argmin(left)))]
        raise RecipeError(
            f"data.drop = {file}: no training image is left of the class of {emptied}",
            "take some of its images off the list",
        )
    return kept


def _listed(file: Path, known: Iterable[str]) -> list[str]:
    """The names in a file of one name per line; empty lines and what follows a # are passed over."""
    try:
        lines = _read(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"data.drop = {file} is not a text file", "one image name per line, in UTF-8"
        ) from error
    known, named = set(known), []
    for line in map(str.strip, lines):
        # A name may hold a # itself, so the whole line is tried first.
        name = line if line in known else re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if name:
            named.append(name)
    if unknown := [name for name in named if name not in known]:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise RecipeError(
            f"data.drop = {file}: train has no image called {', '.join(unknown[:3])}{more}",
            "one name of a training image per line, as the pack has it, such as n01443537_0.JPEG",
        )
    return named


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"data.drop = {file} cannot be read: {error.strerror}",
            "give the path of a text file with one image name per line",
        ) from error


def _limited(
    labels: NDArray[np.int64], left: NDArray[np.int64], limit: int, classes: int, seed: int
) -> NDArray[np.int64]:
    """Places of ``limit`` of the images that are ``left``, by the order and the shares of all, dropped or not."""
    if limit < classes:
        raise RecipeError(
            f"data.limit = {limit} is less than one image for each of {classes} classes"
        )
    order = _shuffled_by_class(labels, np.random.default_rng([seed, 2]))
    order = order[np.isin(order, left)]
    counts = np.bincount(labels, minlength=classes)
    remaining = np.bincount(labels[order], minlength=classes)
    wanted = _counts_per_class(counts, min(1.0, limit / len(labels)), counts)
    wanted = np.minimum(wanted, remaining)
    # What a class cannot give because its images were dropped, those give that have the most to spare.
    for _ in range(min(limit, len(order)) - wanted.sum()):
        wanted[np.argmax(remaining - wanted)] += 1
    return order[_first_of_each(remaining, wanted)]


def _balanced(labels: NDArray[np.int64], left: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The places that are ``left``, those of rare classes so often that all classes have as many as the largest.

    Which images of a class come once more than the others is drawn.
    """
    order = left[_shuffled_by_class(labels[left], np.random.default_rng([seed, 4]))]
    counts = np.bincount(labels[left])
    counts = counts[counts > 0]
    turns = np.arange(counts.max())
    starts = np.cumsum(counts) - counts
    return order[(starts[:, None] + turns % counts[:, None]).ravel()]


def _stratified(
    labels: NDArray[np.int64], share: float, random: np.random.Generator, *, leave: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split places at random into ``share`` of every class (to the nearest image, the total kept) and the rest.

    Of every class at least one image comes into the first part, once ``leave`` images are in the second.
    """
    order = _shuffled_by_class(labels, random)
    counts = np.bincount(labels)
    wanted = _counts_per_class(counts, share, np.maximum(counts - leave, 0))
    part = _first_of_each(counts, wanted)
    return order[part], order[~part]


def _shuffled_by_class(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """All places, those of class 0 first, in random order within each class."""
    order = random.permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def _first_of_each(counts: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of ``counts`` images per class, class after class: which are among the first ``wanted`` of theirs."""
    starts = np.cumsum(counts) - counts
    within = np.arange(counts.sum()) - np.repeat(starts, counts)
    return within < np.repeat(wanted, counts)


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
