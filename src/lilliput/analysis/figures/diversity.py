"""How differently the members of an ensemble err, every two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.style import (
    GRID,
    MUTED,
    TRAIN,
    WIDTH_INCHES,
    new_axes,
    short_name,
)
from lilliput.errors import RunError
from lilliput.results.ensemble import Ensemble
from lilliput.results.folder import Predicted

_MOST_WRITTEN = 8  # more members than this leave no room for numbers in the cells
_SHADES = LinearSegmentedColormap.from_list("lilliput", [(0.0, GRID), (1.0, TRAIN)])
_DARK = 0.55  # from this shade on, numbers are written in white


@dataclass(frozen=True, kw_only=True)
class DiversityNumbers:
    """The runs' names, and two float64[n, n]: see :class:`lilliput.analysis.diversity.Diversity`."""

    split: str
    names: tuple[str, ...]
    disagreement: NDArray[np.float64]
    error_correlation: NDArray[np.float64]


def diversity_numbers(result: Predicted) -> DiversityNumbers | None:
    """What was found when an ensemble was made; None where nothing was, or of a run. Raises: RunError."""
    results = result.results if isinstance(result, Ensemble) else {}
    if "diversity" not in results:
        return None
    try:
        names = tuple(str(one["name"]) for one in results["runs"])
        shape = (len(names), len(names))
        return DiversityNumbers(
            split=str(results["split"]),
            names=names,
            disagreement=_matrix(results["diversity"]["disagreement"], shape),
            error_correlation=_matrix(results["diversity"]["error_correlation"], shape),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{result.path} is damaged: its diversity cannot be read ({error})",
            "make the ensemble again",
        ) from error


def draw_diversity(numbers: DiversityNumbers) -> Figure:
    """One square: below the diagonal the disagreement, above it the correlation of errors."""
    n = len(numbers.names)
    left, right, above, below = 1.15, 0.15, 0.42, 0.62
    side = WIDTH_INCHES - left - right
    height = min(side, 0.42 * n + 0.6)
    total = height + above + below
    figure, axes = new_axes(total)
    axes.set_position((left / WIDTH_INCHES, below / total, side / WIDTH_INCHES, height / total))
    lower = np.tri(n, k=-1, dtype=bool)
    for values, mask in ((numbers.disagreement, lower), (numbers.error_correlation, lower.T)):
        _draw_cells(axes, values, mask, write=n <= _MOST_WRITTEN)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    axes.grid(visible=False)
    labels = [short_name(name, 16) for name in numbers.names]
    axes.set_yticks(range(n), labels)
    axes.set_xticks(range(n), [str(place) for place in range(1, n + 1)])
    axes.set_yticklabels([f"{label}  {place}" for place, label in enumerate(labels, start=1)])
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    figure.text(
        0.02, 1 - 0.26 / total, f"How differently the runs err ({numbers.split})",
        fontsize=10.5, fontweight="bold",
    )  # fmt: skip
    apart, alike = numbers.disagreement[lower], numbers.error_correlation[lower]
    note = (
        f"below the diagonal: images labelled differently, {_span(100 * apart, 0)} %\n"
        f"above: correlation of being wrong, {_span(alike, 2)} (1: the same errors)"
    )
    figure.text(0.02, 0.08 / total, note, color=MUTED, fontsize=8.5)
    return figure


def _span(values: NDArray[np.float64], digits: int) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "not known"
    return f"{known.min():.{digits}f} to {known.max():.{digits}f}"


def _draw_cells(
    axes: Axes, values: NDArray[np.float64], mask: NDArray[np.bool_], *, write: bool
) -> None:
    shown = np.clip(np.where(mask, values, np.nan), 0, 1)
    edges = np.arange(len(values) + 1) - 0.5
    axes.pcolormesh(
        edges,
        edges,
        np.ma.masked_invalid(shown),
        cmap=_SHADES,
        vmin=0,
        vmax=1,
        edgecolors="face",
        linewidth=0.2,
    )
    if not write:
        return
    is_share = bool(mask[-1, 0])
    for row, column in np.argwhere(mask & np.isfinite(values)).tolist():
        value = float(values[row, column])
        text = f"{100 * value:.0f}" if is_share else f"{value:.2f}"
        # Not the theme's ink: the cells keep their colours in the dark, so what stands on them must too.
        colour = "white" if value > _DARK else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8.5)


def _matrix(rows: Sequence[Sequence[float | None]], shape: tuple[int, int]) -> NDArray[np.float64]:
    matrix = np.array([[np.nan if v is None else v for v in row] for row in rows], np.float64)
    if matrix.shape != shape:
        raise ValueError(f"a matrix of {matrix.shape}, not {shape}")
    return matrix
