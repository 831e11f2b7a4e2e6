"""What more members bring: the accuracy of every subset of the runs. Paper: §6.2, Fig. 7."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from lilliput.analysis.style import (
    MUTED,
    TRAIN,
    VALIDATION,
    Ending,
    label_endings,
    new_axes,
    percent,
)
from lilliput.errors import RunError
from lilliput.results.ensemble import Ensemble
from lilliput.results.folder import Predicted

# What the mean of six variations of M3 reached on the challenge's server, whose test labels were never published.
PAPER_ENSEMBLE, _PAPER_NETWORK, _PAPER_CLASSES = 0.398, "m3", 200
_JITTER, _MOST_VECTORS = 0.3, 1500


@dataclass(frozen=True, kw_only=True)
class SubsetNumbers:
    """``sizes`` int64[m] and ``accuracy`` float64[m] of every subset; ``chosen`` (size, accuracy) of the one chosen.

    ``chosen_on`` says on which images it was chosen. ``paper_accuracy`` is the paper's, where the task is its own:
    all runs are M3 on its 200 classes.
    """

    split: str
    method: str
    sizes: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    chosen: tuple[int, float] | None
    chosen_on: str
    paper_accuracy: float | None


def subset_numbers(result: Predicted) -> SubsetNumbers | None:
    """Every subset as an ensemble's ``subsets.csv`` has it; None without one. Raises: RunError when it is damaged."""
    if not isinstance(result, Ensemble) or not result.subsets_path.is_file():
        return None
    sizes, accuracy = _read(result.subsets_path)
    results = result.results
    chosen = [one for one in results.get("methods", ()) if one["members"] == "chosen"]
    return SubsetNumbers(
        split=str(results.get("split", "val")),
        method=str(results.get("subset_method", "mean")),
        sizes=sizes,
        accuracy=accuracy,
        chosen=(len(chosen[0]["weights"]), chosen[0]["accuracy"]) if chosen else None,
        chosen_on=str(results.get("chosen_on", "")),
        paper_accuracy=PAPER_ENSEMBLE if _is_the_papers(result) else None,
    )


def draw_subsets(numbers: SubsetNumbers) -> Figure:
    """A point per subset over its number of members, the mean of each size, and the subset chosen. Paper: Fig. 7."""
    figure, axes = new_axes(3.4)
    axes.set_title(f"Every ensemble of the runs ({numbers.split})")
    _draw_points(axes, numbers)
    sizes = np.unique(numbers.sizes)
    means = np.array([numbers.accuracy[numbers.sizes == size].mean() for size in sizes])
    axes.plot(sizes, means, "o-", color=TRAIN, markersize=4.5)
    endings = [Ending(float(means[-1]), f"mean\n{percent(float(means[-1]))}", TRAIN)]
    if numbers.chosen:
        size, accuracy = numbers.chosen
        axes.plot(
            size, accuracy, "D", color=VALIDATION, markersize=7, markeredgecolor="white", zorder=4
        )
        endings.append(Ending(accuracy, f"chosen: {size}\n{percent(accuracy)}", VALIDATION))
    if numbers.paper_accuracy is not None:
        level = numbers.paper_accuracy
        axes.axhline(level, color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1.5)
        endings.append(Ending(level, f"paper {percent(level)}\n(test server)", MUTED))
    most = int(sizes[-1])
    axes.set_xlim(0.5, most + 0.5)
    axes.margins(y=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(min(most, 10), integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.set_xlabel(
        f"runs in the ensemble ({len(numbers.sizes):,} subsets, {_WORDS[numbers.method]})"
    )
    label_endings(axes, endings)
    return figure


_WORDS = {
    "mean": "mean of probabilities",
    "logits": "mean of logits",
    "majority": "majority vote",
}


def _draw_points(axes: Axes, numbers: SubsetNumbers) -> None:
    counts = np.bincount(numbers.sizes)
    # A size with few subsets needs no room to spread them.
    reach = _JITTER * np.minimum(1, (counts - 1) / 12)
    shift = np.random.default_rng(0).uniform(-1, 1, len(numbers.sizes)) * reach[numbers.sizes]
    many = len(numbers.sizes) > _MOST_VECTORS
    axes.plot(
        numbers.sizes + shift,
        numbers.accuracy,
        "o",
        color=MUTED,
        alpha=0.1 if many else 0.6,
        markersize=1.3 if many else 3.2,
        markeredgewidth=0,
        zorder=1.8,
        rasterized=many,  # tens of thousands of points would make the page heavy
    )


def _is_the_papers(ensemble: Ensemble) -> bool:
    plans = {str(run.recipe.get("model", {}).get("plan")) for run in ensemble.members}
    return plans == {_PAPER_NETWORK} and len(ensemble.classes) == _PAPER_CLASSES


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(int(row["size"]), float(row["accuracy"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(f"{path} is damaged: {error}", "make the ensemble again") from error
    if not rows or min(size for size, _ in rows) < 1:
        raise RunError(f"{path} is damaged: it names no subsets", "make the ensemble again")
    sizes, accuracy = zip(*rows, strict=True)
    return np.array(sizes, np.int64), np.array(accuracy, np.float64)
