"""The loss while the learning rate rises, and the rate it suggests."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lilliput.analysis.style import BAND, INK, TRAIN, VALIDATION, new_axes
from lilliput.results.rate_sweep import RateSweep


def draw_rates(sweep: RateSweep) -> Figure:
    """Every step's loss as a point, the smoothed loss as a line, the suggestion as a mark on it."""
    figure, axes = new_axes(3.0, right=0.965)
    axes.set_title("Loss while the learning rate rises")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if not len(sweep.losses):
        axes.text(0.5, 0.5, "the loss was not a number", transform=axes.transAxes, ha="center")
        return figure
    axes.plot(sweep.rates, sweep.losses, ".", color=BAND, markersize=4)
    axes.plot(sweep.rates, sweep.smoothed, color=TRAIN)
    low, high = float(sweep.smoothed.min()), float(sweep.smoothed[0])
    room = max(high - low, 1e-3)
    axes.set_ylim(low - 0.25 * room, high + 0.6 * room)
    suggestion = sweep.suggestion
    if suggestion is None:
        note = "no suggestion: the loss does not clearly fall"
        axes.text(0.02, 0.04, note, transform=axes.transAxes, color=INK)
        return figure
    there = float(np.interp(np.log(suggestion), np.log(sweep.rates), sweep.smoothed))
    axes.axvline(suggestion, color=VALIDATION, linewidth=1.1, linestyle=(0, (4, 3)))
    axes.plot([suggestion], [there], "o", color=VALIDATION, markersize=6, clip_on=False)
    is_left = np.log(suggestion / sweep.rates[0]) < 0.6 * np.log(sweep.rates[-1] / sweep.rates[0])
    axes.annotate(
        f"suggestion {suggestion:g}",
        (suggestion, 0.94),
        (7 if is_left else -7, 0),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        color=VALIDATION,
        ha="left" if is_left else "right",
    )
    return figure
