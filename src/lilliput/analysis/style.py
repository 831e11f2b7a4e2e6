"""How every figure looks, in print and in the report, light or dark.

Figures are drawn with matplotlib's object interface on a canvas of their own, inside :func:`figure_style`; nothing of
pyplot and no lasting global state. The palette is Okabe and Ito's, which readers with any colour vision can tell apart.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lilliput.results.atomic import write_bytes

# Name -> colour in print. The report swaps each for the variable --NAME of its style sheet, which has a dark value too.
INK, MUTED, GRID, BAND = "#1b1f24", "#616872", "#e4e7eb", "#c9ced6"
TRAIN, VALIDATION, GOOD, BAD = "#0072b2", "#d55e00", "#009e73", "#cc5e8a"
THEME = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    BAND: "band",
    TRAIN: "train",
    VALIDATION: "validation",
    GOOD: "good",
    BAD: "bad",
}

LINES_DPI, PHOTOS_DPI = 160, 240  # photos are drawn finer than lines need
WIDTH_INCHES = (
    4.6  # a little wider than a paper's column; on a phone the type is still read without zooming
)
_FONTS = ("Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")

# Text may look like an attribute (a class may be called anything), so rewriting keeps to what is inside a tag.
_TAG = re.compile(r"<[^<>]+>")
_OWN_STYLE_SHEET = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)


class Ending(NamedTuple):
    """A label to stand right of a line's end: at height ``y`` (data units), its ``text`` one or two lines."""

    y: float
    text: str
    colour: str


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw and save figures inside this; the settings before it return afterwards."""
    installed = set(font_manager.fontManager.get_font_names())
    settings = {
        "font.family": [name for name in _FONTS if name in installed],
        "font.size": 9.5,
        "text.color": INK,
        "text.parse_math": False,  # a class may be called "$x$"
        "axes.edgecolor": BAND,
        "axes.labelcolor": MUTED,
        "axes.labelsize": 9,
        "axes.titlelocation": "left",
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlepad": 10,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.linewidth": 0.8,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
        "xtick.color": BAND,
        "ytick.color": BAND,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "svg.fonttype": "none",
        "svg.hashsalt": "lilliput",
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # A class named in a script that no installed font has is drawn as boxes: not worth a word.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_axes(height_inches: float, *, right: float = 0.775) -> tuple[Figure, Axes]:
    """A figure of the house's width with one pair of axes; ``right`` leaves room for labels beside the lines."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.subplots_adjust(
        left=0.115, right=right, top=1 - 0.36 / height_inches, bottom=0.5 / height_inches
    )
    return figure, axes


def label_endings(axes: Axes, endings: Sequence[Ending]) -> None:
    """Write each label right of the axes at its height, moved apart as far as they would overlap.

    Call it last: it depends on the axes' limits.
    """
    if not endings:
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    height_points = axes.get_position().height * figure.get_figheight() * 72
    low, high = axes.get_ylim()
    ordered = sorted(endings, key=lambda ending: ending.y)
    wanted = [(ending.y - low) / (high - low) * height_points for ending in ordered]
    room = [12.0 * (1 + ending.text.count("\n")) + 3 for ending in ordered]
    for ending, place in zip(ordered, spread(wanted, room), strict=True):
        axes.annotate(
            ending.text,
            (1, place / height_points),
            xycoords="axes fraction",
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=ending.colour,
            fontsize=9.5,
            linespacing=1.15,
            annotation_clip=False,
        )


def spread(wanted: Sequence[float], room: Sequence[float]) -> list[float]:
    """Ascending places as near to ``wanted`` (ascending) as keeps neighbours half of both their ``room`` apart.

    >>> spread([10, 11, 50], [12, 12, 12])
    [4.5, 16.5, 50.0]
    """
    # Blocks of touching labels, each as (labels in it, their mean shift): merged while neighbours overlap.
    offsets = np.concatenate([[0], np.cumsum([(a + b) / 2 for a, b in pairwise(room)])])
    targets = [float(place - offset) for place, offset in zip(wanted, offsets, strict=True)]
    blocks: list[list[float]] = []
    for target in targets:
        blocks.append([target])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    shifts = [float(np.mean(block)) for block in blocks for _ in block]
    return [float(shift + offset) for shift, offset in zip(shifts, offsets, strict=True)]


def percent(share: float, digits: int = 1) -> str:
    """A fraction as people write it: 0.238 -> "23.8 %"; a dash when it is not known."""
    return f"{100 * share:.{digits}f} %" if np.isfinite(share) else "\N{EN DASH}"


def short_name(name: str, most: int = 24) -> str:
    """The first of several names divided by commas, cut to ``most`` characters, on one line.

    >>> short_name("brown bear, bruin, Ursus arctos")
    'brown bear'
    """
    plain = on_one_line(name.split(",")[0])
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def on_one_line(text: str) -> str:
    """A text from outside with spaces for line breaks and control characters, and never two of them."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def to_png(figure: Figure, dpi: int = LINES_DPI) -> bytes:
    """The figure on white, for a folder or a paper. Call it inside :func:`figure_style`."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def write_figure(path: Path, draw: Callable[[], Figure | None], dpi: int = LINES_DPI) -> list[Path]:
    """Draw in the house's style into ``path``, as PNG; gives what was written: nothing where there is nothing to draw.

    Raises: StorageError.
    """
    with figure_style():
        figure = draw()
        picture = to_png(figure, dpi) if figure else None
    if picture is None:
        return []
    write_bytes(path, picture)
    return [path]


def to_inline_svg(figure: Figure, title: str, key: str) -> str:
    """The figure as an ``<svg>`` element to stand in a page: no ground of its own, its colours the page's variables.

    ``key`` must differ between the figures of a page (it keeps their ids apart); ``title`` is read out aloud.
    """
    FigureCanvasSVG(figure)
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": key}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    view = re.search(r'viewBox="[^"]+"', text)
    assert view is not None
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    opening = f'<svg {view.group()} role="img" aria-label="{label}">'
    text = opening + text[text.index(">") + 1 :].strip()
    return _with_page_looks(_with_own_ids(_OWN_STYLE_SHEET.sub("", text), key))


def _with_own_ids(svg: str, key: str) -> str:
    # Drawing groups are numbered alike in every figure; only ids that something refers to are kept, with the key.
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', svg))

    def own(tag: re.Match[str]) -> str:
        named = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' * (m[1] in used), tag[0])
        return re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{key}-", named).replace("xlink:", "")

    return _TAG.sub(own, svg)


def _with_page_looks(svg: str) -> str:
    def recolour(match: re.Match[str]) -> str:
        return f"var(--{THEME[match[0]]})" if match[0] in THEME else match[0]

    def restyle(tag: re.Match[str]) -> str:
        return re.sub(r"#[0-9a-f]{6}\b", recolour, re.sub(r"font-family: [^;\"]+;? ?", "", tag[0]))

    return _TAG.sub(restyle, svg)
