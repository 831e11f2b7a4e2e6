"""The figures of a study: how the search went, where the good values lie, which parameters matter. Paper: §6.1.

They are drawn from study.json alone; Optuna is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from lilliput.analysis.style import (
    BAND,
    GOOD,
    INK,
    MUTED,
    TRAIN,
    VALIDATION,
    Ending,
    label_endings,
    new_axes,
    percent,
    write_figure,
)
from lilliput.results.study import Study, Trial

MOST_AXES = 8
Series = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SearchHistory:
    """Trial numbers and accuracies (fractions) of the complete trials, and of the pruned ones when they were given up.

    ``best`` float64 is the best complete accuracy up to each of ``numbers``.
    """

    numbers: Series
    values: Series
    best: Series
    pruned_numbers: Series
    pruned_values: Series


def history_numbers(study: Study) -> SearchHistory | None:
    """None while no trial is complete."""
    complete = [trial for trial in study.trials if trial.value is not None]
    pruned = [trial for trial in study.trials if trial.state == "pruned" and trial.curve]
    if not complete:
        return None
    values = np.array([trial.value for trial in complete], dtype=np.float64)
    return SearchHistory(
        numbers=np.array([trial.number for trial in complete], dtype=np.float64),
        values=values,
        best=np.maximum.accumulate(values),
        pruned_numbers=np.array([trial.number for trial in pruned], dtype=np.float64),
        pruned_values=np.array([trial.curve[-1][1] for trial in pruned], dtype=np.float64),
    )


def draw_history(numbers: SearchHistory) -> Figure:
    """Every trial's accuracy, and the best so far."""
    figure, axes = new_axes(3.0)
    axes.set_title("Accuracy of the trials")
    last = max(numbers.numbers.max(), numbers.pruned_numbers.max(initial=0))
    axes.step(
        [*numbers.numbers, last], [*numbers.best, numbers.best[-1]], where="post", color=VALIDATION
    )
    axes.plot(numbers.numbers, numbers.values, "o", color=TRAIN, markersize=4.5, alpha=0.85)
    endings = [
        Ending(float(numbers.best[-1]), f"best so far\n{percent(numbers.best[-1])}", VALIDATION)
    ]
    middle = float(np.median(numbers.values))
    endings.append(Ending(middle, f"trials, median\n{percent(middle)}", TRAIN))
    if len(numbers.pruned_values):
        axes.plot(
            numbers.pruned_numbers,
            numbers.pruned_values,
            "x",
            color=MUTED,
            markersize=4.5,
            markeredgewidth=1.2,
        )
        endings.append(Ending(float(np.median(numbers.pruned_values)), "given up\nearly", MUTED))
    axes.margins(y=0.08)
    axes.set_xlim(-0.5, last + 0.5)
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    _percents(axes)
    label_endings(axes, endings)
    return figure


@dataclass(frozen=True, kw_only=True)
class ParallelNumbers:
    """``names`` of the parameters (the accuracy is the last axis), ``heights`` float64[trials, axes] in 0..1.

    ``ends`` are the texts at the foot and the top of each axis, ``marks`` (height, text) between them where an axis has
    choices. ``values`` float64[trials] are the accuracies, ascending, so that the best are drawn last.
    """

    names: tuple[str, ...]
    heights: Series
    ends: tuple[tuple[str, str], ...]
    marks: tuple[tuple[tuple[float, str], ...], ...]
    values: Series


def parallel_numbers(study: Study) -> ParallelNumbers | None:
    """The most important parameters, at most eight; None for fewer than two complete trials."""
    trials = sorted((t for t in study.trials if t.value is not None), key=lambda t: t.value or 0.0)
    names = [name for name in (trials[0].parameters if trials else ())]
    names = sorted(names, key=lambda name: -study.importance.get(name, 0.0))[:MOST_AXES]
    if len(trials) < 2 or not names:
        return None
    axes = [_axis(trials, name, name in study.logarithmic) for name in names]
    values = np.array([trial.value for trial in trials], dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    heights = [axis[0] for axis in axes] + [_scaled(values, low, high)]
    return ParallelNumbers(
        names=(*names, "accuracy"),
        heights=np.stack(heights, axis=1),
        ends=(*(axis[1] for axis in axes), (percent(low), percent(high))),
        marks=(*(axis[2] for axis in axes), ()),
        values=values,
    )


_Axis = tuple[Series, tuple[str, str], tuple[tuple[float, str], ...]]


def _axis(trials: Sequence[Trial], name: str, is_logarithmic: bool) -> _Axis:
    """Heights of the trials on one axis, the texts at its ends, and its marks."""
    given: list[Any] = [trial.parameters.get(name) for trial in trials]
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in given)
    is_choice = len(set(given)) <= 6 and len(set(given)) < len(given)
    if not is_number or is_choice:
        order = sorted(set(given), key=lambda v: (str(type(v)), v) if is_number else (str(v), 0))
        place = {
            value: _scaled(np.array([i + 0.0]), 0, len(order) - 1)[0]
            for i, value in enumerate(order)
        }
        heights = np.array([place[value] for value in given], dtype=np.float64)
        return heights, ("", ""), tuple((height, _short(v)) for v, height in place.items())
    numbers = np.array(given, dtype=np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    if is_logarithmic and low > 0:
        return _scaled(np.log(numbers), np.log(low), np.log(high)), (_short(low), _short(high)), ()
    return _scaled(numbers, low, high), (_short(low), _short(high)), ()


def _scaled(values: Series, low: float, high: float) -> Series:
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)


def _short(value: object) -> str:
    text = f"{value:.2g}" if isinstance(value, float) else " ".join(str(value).split())
    text = text or "(none)"
    return text if len(text) <= 12 else text[:11] + "\N{HORIZONTAL ELLIPSIS}"


def draw_parallel(numbers: ParallelNumbers) -> Figure:
    """A line per trial over the parameters to its accuracy; the better, the darker, the best one in green."""
    figure, axes = new_axes(3.6, right=0.94)
    figure.subplots_adjust(top=0.82, bottom=0.24)
    axes.set_title("Where the good trials lie", pad=22)
    axes.set_xlabel("a line is a trial: the bluer the better, the best one green", fontsize=8)
    axes.grid(False)
    count = len(numbers.names)
    colours = LinearSegmentedColormap.from_list("accuracy", [BAND, TRAIN])
    rank = np.argsort(np.argsort(numbers.values)) / max(len(numbers.values) - 1, 1)
    lines = [np.column_stack([np.arange(count), row]) for row in numbers.heights]
    axes.add_collection(
        LineCollection(
            lines[:-1], colors=[colours(r) for r in rank[:-1]], linewidths=1.1, alpha=0.8
        )
    )
    axes.add_collection(LineCollection(lines[-1:], colors=[GOOD], linewidths=2.4))
    for place, (low, high) in enumerate(numbers.ends):
        axes.axvline(place, color=MUTED, linewidth=0.8)
        axes.text(place, -0.04, low, ha="center", va="top", fontsize=8, color=MUTED)
        axes.text(place, 1.03, high, ha="center", va="bottom", fontsize=8, color=MUTED)
        for height, text in numbers.marks[place]:
            axes.text(place + 0.04, height, text, ha="left", va="center", fontsize=8, color=INK)
    axes.set_xlim(-0.15, count - 0.85)
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    names = [_last_words(name).removeprefix("plan ") for name in numbers.names]
    if count > 5:  # room for one word only: every second one a line lower
        names = [("\n" if place % 2 else "") + name for place, name in enumerate(names)]
    axes.set_xticks(range(count), names)
    axes.tick_params(axis="x", length=0, pad=14)
    return figure


def draw_importance(importance: dict[str, float], trials: int) -> Figure:
    """Which share of the accuracy's variance each parameter explains (fANOVA), the largest on top."""
    names = list(importance)[::-1][-12:]
    figure, axes = new_axes(0.95 + 0.3 * len(names), right=0.9)
    figure.subplots_adjust(left=0.3)
    axes.set_title("What the accuracy depends on", x=-0.31)
    shares = [importance[name] for name in names]
    axes.barh(range(len(names)), shares, color=TRAIN, height=0.62)
    for place, share in enumerate(shares):
        axes.text(share + 0.01, place, percent(share, 0), va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), [_last_words(name) for name in names])
    axes.set_xlim(0, max([*shares, 0.1]) * 1.15)
    axes.set_xlabel(f"share of the variance (fANOVA, {trials} trials)")
    axes.grid(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    return figure


def _last_words(name: str) -> str:
    """What tells parameters apart on an axis: learning rate, plan filters."""
    return " ".join(name.split(".")[1:] or [name]).replace("_", " ")


def _percents(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))


def save_study_figures(study: Study) -> list[Path]:
    """Draw every figure the study has the numbers for into ``study/figures``, as PNG. Raises: StorageError."""
    written: list[Path] = []
    for name, make in STUDY_FIGURES.items():
        written += write_figure(study.figures_path / f"{name}.png", partial(make, study))
    return written


def _history(study: Study) -> Figure | None:
    numbers = history_numbers(study)
    return draw_history(numbers) if numbers else None


def _parallel(study: Study) -> Figure | None:
    numbers = parallel_numbers(study)
    return draw_parallel(numbers) if numbers else None


def _importance(study: Study) -> Figure | None:
    complete = sum(trial.value is not None for trial in study.trials)
    return draw_importance(study.importance, complete) if study.importance else None


STUDY_FIGURES: dict[str, Callable[[Study], Figure | None]] = {
    "search": _history,
    "parallel": _parallel,
    "importance": _importance,
}
