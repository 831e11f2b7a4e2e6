"""Figures and stored pictures of a result, sorted into the sections of a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from lilliput.analysis.report.blocks import Block, Chart
from lilliput.analysis.report.pictures import Album
from lilliput.analysis.style import figure_style, to_inline_svg

# Section -> the figures in it, by their names in FIGURES or their files' in figures/.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Learning": ("accuracy", "loss"),
    "First-layer filters": ("filters",),
    "Classes": ("classes", "best-classes", "worst-classes", "causes"),
    "Confusions": ("confusion", "confused-pairs"),
    "Calibration": ("calibration",),
    "Hard images": ("hardest",),
    "What it looks at": ("saliency",),
    "Every ensemble of the runs": ("subsets",),
    "Diversity": ("diversity",),
    "How the search went": ("search", "parallel", "importance"),
    "What each change does": ("ablation",),
}
MORE = "More pictures"  # what is stored, but in none of the above

_TITLES = {
    "loss": "Loss of training and validation over the epochs",
    "accuracy": "Accuracy of training and validation over the epochs",
    "classes": "Accuracy per class",
    "best-classes": "Images of the classes known best",
    "worst-classes": "Images of the classes known worst",
    "causes": "Accuracy of each class against the scale, colour and shape of what it shows",
    "confusion": "Which classes are taken for which",
    "confused-pairs": "Images of the classes confused most",
    "calibration": "Accuracy against confidence",
    "hardest": "The images with the highest loss",
    "saliency": "The pixels that decide",
    "subsets": "Accuracy of every subset of the runs over its size",
    "diversity": "Disagreement and correlation of errors between the runs",
    "search": "Accuracy of every trial, and the best so far",
    "parallel": "Every trial's parameters and accuracy",
    "importance": "Importance of the parameters",
    "ablation": "Accuracy of every value over the seeds",
}
_WIDE_POINTS = 450  # wider than this, a figure does not fit half a page


# Told briefly, a result is drawn without what takes long or much room.
_LONG = frozenset({"classes", "confusion", "calibration", "saliency"})


class Place(NamedTuple):
    """Where on a page a chapter stands: ``key`` is its id; ``is_brief`` asks for what is worth it on a page of many."""

    key: str
    album: Album
    is_brief: bool = False


def draw_sections(
    result: Any, makers: Mapping[str, Callable[[Any], Figure | None]], place: Place
) -> dict[str, list[Block]]:
    """What ``makers`` draw of a result and the pictures stored in it, by section; sections may be empty.

    Raises: RunError when the result is damaged.
    """
    found: dict[str, Block] = {}
    for name, make in makers.items():
        if place.is_brief and name in _LONG:
            continue
        with figure_style():
            figure = make(result)
            if figure:
                title = f"{title_of(name)}, {result.name}"
                found[name] = as_chart(figure, title, f"{place.key}-{name}")
    for path in sorted(result.figures_path.glob("*.png"), key=natural):
        if path.stem not in makers and not place.is_brief:
            title = title_of(path.stem)
            caption = "" if path.stem in _TITLES else title  # ours say themselves what they are
            found[path.stem] = place.album.take(path, f"{title}, {result.name}", caption)
    sections = {
        title: [found.pop(name) for name in names if name in found]
        for title, names in SECTIONS.items()
    }
    return {**sections, MORE: list(found.values())}


def as_chart(figure: Figure, title: str, key: str) -> Chart:
    """A figure as a block, with ``title`` read out aloud and ``key`` its own on the page. Inside figure_style only."""
    svg = to_inline_svg(figure, title, key)
    return Chart(svg=Markup(svg), is_wide=72 * figure.get_figwidth() > _WIDE_POINTS)


def title_of(name: str) -> str:
    """A figure's name in words."""
    return _TITLES.get(name, re.sub(r"[-_]+", " ", name).capitalize())


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A key to sort by in which numbers count as numbers: run-10 comes after run-9."""
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
