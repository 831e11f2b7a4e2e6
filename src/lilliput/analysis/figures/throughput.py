"""How fast this machine trains and loads, Lilliput's bar above plain PyTorch's."""

from __future__ import annotations

from matplotlib.figure import Figure

from lilliput.analysis.style import BAND, INK, MUTED, TRAIN, new_axes
from lilliput.results.throughput import Benchmark

_ROW_INCHES, _ABOVE_INCHES, _BELOW_INCHES = 0.62, 0.62, 0.34


def draw_throughput(found: Benchmark) -> Figure:
    """A pair of bars per recipe and one for loading alone, each pair on a scale of its own; strokes are the spread."""
    pairs = [(f"train {one.recipe}", one.lilliput, one.plain) for one in found.trainings]
    pairs.append(("load alone", found.loading.lilliput, found.loading.plain))
    height = len(pairs) * _ROW_INCHES + _ABOVE_INCHES + _BELOW_INCHES
    figure, axes = new_axes(height, right=0.74)
    figure.subplots_adjust(left=0.2, top=1 - _ABOVE_INCHES / height, bottom=_BELOW_INCHES / height)
    figure.text(0.02, 1 - 0.28 / height, "Images per second", fontsize=10.5, fontweight="bold")
    axes.set(xlim=(0, 1), ylim=(len(pairs) - 0.5, -0.5), yticks=[], xticks=[])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    for row, (name, ours, plain) in enumerate(pairs):
        most = max(*ours.rounds, *plain.rounds)
        axes.text(-0.03, row, name, ha="right", va="center", color=INK, fontsize=9)
        for offset, label, one, colour in (
            (-0.17, "Lilliput", ours, TRAIN),
            (0.17, "plain", plain, BAND),
        ):
            axes.barh(row + offset, one.median / most, 0.28, color=colour)
            ends = [min(one.rounds) / most, max(one.rounds) / most]
            axes.plot(ends, [row + offset] * 2, color=INK, linewidth=1, solid_capstyle="butt")
            axes.text(
                1.03,
                row + offset,
                f"{one.median:,.0f}  {label}",
                va="center",
                fontsize=8.5,
                color=INK if one is ours else MUTED,
            )
    rounds = len(found.loading.lilliput.rounds)
    note = f"medians of {rounds} rounds in turns, strokes: their spread; each pair on its own scale"
    figure.text(0.02, 0.1 / height, note, color=MUTED, fontsize=8)
    return figure
