"""What each value of an ablation reaches: a dot per seed, the mean, and what chance could make of it. Paper: §4.2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import blended_transform_factory

from lilliput.analysis.style import (
    BAND,
    INK,
    MUTED,
    TRAIN,
    new_axes,
    percent,
    short_name,
    write_figure,
)
from lilliput.results.ablation import Ablation, Difference, Spread

_ROW_INCHES, _ABOVE_INCHES, _BELOW_INCHES = 0.42, 0.62, 0.54
_TICK_INCHES = 0.7
_DOT_LANE = 0.17  # how far above and below its row the seeds' dots are spread


@dataclass(frozen=True, kw_only=True)
class AblationNumbers:
    """Per value: its name, the accuracy of every seed that is done, their spread, the difference to the first value."""

    title: str
    split: str
    names: tuple[str, ...]
    accuracies: tuple[tuple[float, ...], ...]
    spreads: tuple[Spread, ...]
    differences: tuple[Difference, ...]


def ablation_numbers(ablation: Ablation) -> AblationNumbers | None:
    """The numbers of the figure; None before the first run is done."""
    done = [tuple(one for one in value.accuracy if isfinite(one)) for value in ablation.values]
    if not any(done):
        return None
    return AblationNumbers(
        title=ablation.name,
        split=ablation.split,
        names=tuple(value.name for value in ablation.values),
        accuracies=tuple(done),
        spreads=tuple(value.spread for value in ablation.values),
        differences=tuple(ablation.difference(value) for value in ablation.values),
    )


def draw_ablation(numbers: AblationNumbers) -> Figure:
    """A row per value: dots are seeds, the stroke is their mean, the bar its 95 % t-interval."""
    rows = len(numbers.names)
    height = rows * _ROW_INCHES + _ABOVE_INCHES + _BELOW_INCHES
    figure, axes = new_axes(height, right=0.8)
    names = [short_name(name.replace(",", ";"), 28) for name in numbers.names]
    left = 0.05 + 0.0145 * max(map(len, names))
    figure.subplots_adjust(left=left, top=1 - _ABOVE_INCHES / height, bottom=_BELOW_INCHES / height)
    figure.text(
        0.02, 1 - 0.28 / height, short_name(numbers.title, 48), fontsize=10.5, fontweight="bold"
    )
    low, high = _reach(numbers)
    axes.set(xlim=(low, high), ylim=(rows - 0.5, -0.5), yticks=[])
    for row, name in enumerate(names):
        _draw_row(axes, row, numbers)
        _write(axes, -0.03, row, name, ha="right", color=INK)
        _write(axes, 1.03, row, _verdict(numbers, row), ha="left", color=MUTED)
    _finish(axes, numbers)
    return figure


def save_ablation_figure(ablation: Ablation) -> None:
    """Draw ``figures/ablation.png`` of what is done so far. Raises: StorageError."""
    numbers = ablation_numbers(ablation)
    if numbers:
        write_figure(ablation.figures_path / "ablation.png", partial(draw_ablation, numbers))


def _draw_row(axes: Axes, row: int, numbers: AblationNumbers) -> None:
    spread, seeds = numbers.spreads[row], numbers.accuracies[row]
    if not seeds:
        return
    low, high = spread.interval
    if isfinite(low):
        axes.plot([low, high], [row, row], color=BAND, linewidth=7, solid_capstyle="butt")
    lane = np.linspace(-_DOT_LANE, _DOT_LANE, len(seeds)) if len(seeds) > 1 else [0.0]
    axes.plot(seeds, row + np.asarray(lane), "o", color=TRAIN, markersize=4.5, alpha=0.85)
    axes.plot([spread.mean] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1.6)


def _verdict(numbers: AblationNumbers, row: int) -> str:
    mean = percent(numbers.spreads[row].mean)
    if row == 0 or not numbers.accuracies[row]:
        return mean
    return f"{mean}\n{100 * numbers.differences[row].mean:+.1f} points"


def _reach(numbers: AblationNumbers) -> tuple[float, float]:
    """The axis holds every dot; an interval may leave it, for few seeds' are wide."""
    seeds = [one for value in numbers.accuracies for one in value]
    ends = [
        end
        for spread in numbers.spreads
        for end in spread.interval
        if isfinite(end) and abs(end - spread.mean) < 0.1
    ]
    low, high = min([*seeds, *ends]), max([*seeds, *ends])
    margin = max(0.08 * (high - low), 0.002)
    return max(0.0, low - margin), min(1.0, high + margin)


def _finish(axes: Axes, numbers: AblationNumbers) -> None:
    reference = numbers.spreads[0].mean
    if isfinite(reference):
        axes.axvline(reference, color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0.9)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    wide = axes.get_position().width * figure.get_figwidth()
    ticks = max(2, min(5, int(wide / _TICK_INCHES)))  # long names leave little room
    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    seeds = max(map(len, numbers.accuracies))
    what = f"accuracy ({numbers.split}); dots: {seeds} seeds, bar: 95 % interval of their mean"
    axes.set_xlabel(what if seeds > 1 else f"accuracy ({numbers.split}); one seed: no spread known")
    axes.xaxis.label.set_transform(
        blended_transform_factory(figure.transFigure, axes.xaxis.label.get_transform())
    )
    axes.xaxis.label.set(x=0.02, ha="left", fontsize=8.5)


def _write(axes: Axes, x: float, y: float, text: str, **looks: Any) -> None:
    where = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(x, y, text, transform=where, va="center", fontsize=9, linespacing=1.2, **looks)
