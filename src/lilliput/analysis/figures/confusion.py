"""What is taken for what: the confusion matrix with like classes side by side, and the pairs confused most."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

from lilliput.analysis.located import Located, main_located
from lilliput.analysis.photos import COLUMNS, Photo, PhotoRow, draw_photos
from lilliput.analysis.style import (
    BAND,
    INK,
    TRAIN,
    WIDTH_INCHES,
    new_axes,
    percent,
    short_name,
    spread,
)
from lilliput.data.pack import Pack
from lilliput.results.folder import ClassName, Predicted, main_predictions
from lilliput.results.metrics import Interval, confusion_matrix, wilson_interval

_NAMED, _MOST_PAIRS, _PICTURED_PAIRS = 30, 100, 5
_GROUPS, _LEAST_IN_GROUP, _NAMED_GROUPS = 24, 4, 14


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """``times`` of ``n`` images of class number ``truth`` are taken for ``guess``; ``interval`` is Wilson's, 95 %."""

    truth: int
    guess: int
    times: int
    n: int
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class ConfusionNumbers:
    """``matrix`` int64[k, k]: row = true class, column = predicted class. ``order`` int64[k]: like classes together.

    ``groups`` are runs of places in ``order``, (first, one past the last), whose classes are confused with each other
    most. ``pairs`` are the most frequent confusions, most frequent first.
    """

    split: str
    classes: tuple[ClassName, ...]
    matrix: NDArray[np.int64]
    order: NDArray[np.int64]
    groups: tuple[tuple[int, int], ...]
    pairs: tuple[Confusion, ...]


def confusion_numbers(result: Predicted) -> ConfusionNumbers | None:
    """The confusions on the main labelled split; None when nothing labelled was predicted."""
    found = main_predictions(result)
    if found is None:
        return None
    matrix = confusion_matrix(found[1])
    order, groups = cluster(matrix)
    return ConfusionNumbers(
        split=found[0],
        classes=result.classes,
        matrix=matrix,
        order=order,
        groups=groups,
        pairs=top_pairs(matrix),
    )


def cluster(matrix: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[tuple[int, int], ...]]:
    """An order of the classes in which those confused with each other stand together, and the groups in it.

    Two classes are near when large shares of their images are taken for one another; groups are joined by the mean
    distance of their members, and the order is the one among all of the same tree that puts nearest leaves together.
    """
    k = len(matrix)
    if k < 3:
        return np.arange(k), ()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T) / 2
    np.fill_diagonal(alike, 0)
    distance = 1 - alike / max(float(alike.max()), 1e-12)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = leaves_list(tree).astype(np.int64)
    member = fcluster(tree, min(_GROUPS, k), "maxclust")[order]
    edges = [0, *(np.flatnonzero(np.diff(member)) + 1).tolist(), k]
    groups = pairwise(edges)
    return order, tuple((a, b) for a, b in groups if _LEAST_IN_GROUP <= b - a < k)


def top_pairs(matrix: NDArray[np.int64], most: int = _MOST_PAIRS) -> tuple[Confusion, ...]:
    """The most frequent confusions by the share of the true class's images; equals in the classes' order."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    n = matrix.sum(axis=1)
    shares = wrong / np.maximum(n[:, None], 1)
    places = np.argsort(-shares, axis=None, kind="stable")[:most]
    found = [(int(place) // len(matrix), int(place) % len(matrix)) for place in places]
    return tuple(
        Confusion(
            truth=truth,
            guess=guess,
            times=int(wrong[truth, guess]),
            n=int(n[truth]),
            interval=wilson_interval(int(wrong[truth, guess]), int(n[truth])),
        )
        for truth, guess in found
        if wrong[truth, guess]
    )


def pair_table(numbers: ConfusionNumbers) -> list[list[object]]:
    """A row per frequent confusion under a heading, most frequent first."""
    table: list[list[object]] = [
        [
            "split",
            "id",
            "name",
            "taken_for_id",
            "taken_for",
            "times",
            "images",
            "share",
            "low",
            "high",
        ]
    ]
    for one in numbers.pairs:
        counts = [one.times, one.n, one.times / one.n, *one.interval]
        classes = [*numbers.classes[one.truth], *numbers.classes[one.guess]]
        table.append([numbers.split, *classes, *counts])
    return table


def draw_confusion(numbers: ConfusionNumbers) -> Figure:
    """The matrix in the clustered order: every class by name up to thirty, groups of like classes beyond."""
    k = len(numbers.matrix)
    is_named = k <= _NAMED
    names = [short_name(numbers.classes[i].name, 16) for i in numbers.order]
    left = 0.25 + (0.062 * max(map(len, names)) if is_named else 0)
    right = 0.12 if is_named else 1.5
    below = 0.35 + (0.055 * max(map(len, names)) if is_named else 0.05)
    side, above = WIDTH_INCHES - left - right, 0.4
    height = side + above + below
    figure, axes = new_axes(height)
    axes.set_position((left / WIDTH_INCHES, below / height, side / WIDTH_INCHES, side / height))
    axes.imshow(_shade(numbers), interpolation="nearest", aspect="auto")
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"What is taken for what ({numbers.split})", x=(0.09 - left) / side)
    if is_named:
        axes.set_xticks(range(k), names, rotation=90, fontsize=7.5)
        axes.set_yticks(range(k), names, fontsize=7.5)
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_ylabel("true class", fontsize=8)
        _name_groups(axes, numbers)
    axes.set_xlabel("predicted class", fontsize=8)
    return figure


def _shade(numbers: ConfusionNumbers) -> NDArray[np.float64]:
    """float64[k, k, 4]: the darker, the larger the share of the true class's images; 0 can be seen through."""
    matrix = numbers.matrix[np.ix_(numbers.order, numbers.order)]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    red, green, blue = (int(TRAIN[i : i + 2], 16) / 255 for i in (1, 3, 5))
    shade = np.zeros((*shares.shape, 4))
    shade[..., :3] = red, green, blue
    shade[..., 3] = shares**0.4  # a root, so that rare confusions are seen at all
    return shade


def _name_groups(axes: Axes, numbers: ConfusionNumbers) -> None:
    k = len(numbers.order)
    shown = sorted(sorted(numbers.groups, key=lambda group: group[0] - group[1])[:_NAMED_GROUPS])
    middles = [(start + end - 1) / 2 for start, end in shown]
    places = spread(middles, [0.058 * k] * len(shown)) if shown else []
    for (start, end), middle, place in zip(shown, middles, places, strict=True):
        axes.add_patch(
            Rectangle((start - 0.5,) * 2, end - start, end - start, fill=False, ec=INK, lw=0.7)
        )
        axes.annotate(
            _describe_group(numbers, start, end),
            (end - 0.5, middle),
            (k * 1.025, place),
            fontsize=7,
            va="center",
            color=INK,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": BAND, "lw": 0.7, "shrinkA": 1, "shrinkB": 0},
        )
    axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5))


def _describe_group(numbers: ConfusionNumbers, start: int, end: int) -> str:
    """The members that are confused most within the group, and how many more there are."""
    members = numbers.order[start:end]
    within = numbers.matrix[np.ix_(members, members)].astype(float)
    np.fill_diagonal(within, 0)
    heavy = np.argsort(-(within.sum(axis=0) + within.sum(axis=1)), kind="stable")[:2]
    first, second = (short_name(numbers.classes[members[i]].name, 14) for i in heavy)
    rest = end - start - 2
    return f"{first}, {second}" + (f" +{rest}" if rest else "")


def draw_pairs(numbers: ConfusionNumbers, located: Located) -> Figure | None:
    """The pairs confused most: images of one taken for the other, beside images of the other that are known."""
    rows = [_pair_row(numbers, located, one) for one in numbers.pairs[:_PICTURED_PAIRS]]
    if not rows:
        return None
    note = "wrong: the images taken for the other class; right: images of that other class, rightly named"
    return draw_photos(f"The pairs confused most ({located.split})", rows, note)


def pair_pictures(result: Predicted, pack: Pack) -> tuple[ConfusionNumbers, Located] | None:
    """What :func:`draw_pairs` needs. Raises: RunError when the pack is not the one that was predicted."""
    numbers, located = confusion_numbers(result), main_located(result, pack)
    return (numbers, located) if numbers and located else None


def _pair_row(numbers: ConfusionNumbers, located: Located, one: Confusion) -> PhotoRow:
    truth, guess = numbers.classes[one.truth].name, numbers.classes[one.guess].name
    wrong = _surest(located, one.truth, one.guess)[:4]
    known = _surest(located, one.guess, one.guess)[: COLUMNS - len(wrong)]
    photos = [Photo(image, truth, False) for image in located.images(wrong)]
    photos += [Photo(image, guess, True) for image in located.images(known)]
    low, high = one.interval
    heading = f"{short_name(truth, 18)} taken for {short_name(guess, 18)}"
    interval = f"{100 * low:.0f}\N{EN DASH}{percent(high, 0)}"
    return PhotoRow(heading, f"{one.times} of {one.n} ({interval})", photos)


def _surest(located: Located, truth: int, guess: int) -> NDArray[np.int64]:
    """Images of class ``truth`` predicted as ``guess``, the surest first."""
    probabilities = located.predictions.probabilities
    chosen = np.flatnonzero(
        (located.predictions.labels == truth) & (probabilities.argmax(axis=1) == guess)
    )
    return chosen[np.argsort(-probabilities[chosen, guess], kind="stable")]
