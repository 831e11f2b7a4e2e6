"""What the first layer looks for. Paper: §5.2 and Fig. 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.intervals import Estimate, mean
from lilliput.analysis.style import MUTED, WIDTH_INCHES, new_axes
from lilliput.results.run import Run

_TILE_PIXELS, _GAP_PIXELS = 60, 8
_NOISE_FILTERS = 2000


@dataclass(frozen=True, kw_only=True)
class FilterNumbers:
    """The first convolution's filters as pictures.

    ``tiles`` float64[filters, F, F, 3] in [0, 1]: each filter divided by its own largest weight, so that mid-grey
    is a weight of zero, brighter positive, darker negative. ``each`` float64[filters] is the smoothness of every filter
    (nan for one that is all zero), ``smoothness`` their mean with its bootstrap interval: see :func:`smoothness_of`.
    ``noise`` is the smoothness that one filter in twenty of pure noise of the same shape exceeds.
    """

    tiles: NDArray[np.float64]
    each: NDArray[np.float64]
    smoothness: Estimate
    noise: float

    @property
    def noisy(self) -> int:
        """How many filters are no smoother than noise."""
        return int((self.each <= self.noise).sum())


def filter_numbers(run: Run) -> FilterNumbers | None:
    """The filters of the run's first convolution; None without weights, or if that layer does not look at RGB."""
    if not run.weights_path.is_file():
        return None
    kernels = {name: w for name, w in run.weights().items() if w.ndim == 4 and w.size}
    if not kernels:
        return None
    first = kernels[min(kernels, key=_layer_order)].astype(np.float64)
    if first.shape[1] != 3:
        return None
    first = np.nan_to_num(first, nan=0.0, posinf=0.0, neginf=0.0)
    peak = np.abs(first).max(axis=(1, 2, 3), keepdims=True)
    scaled = np.divide(first, peak, out=np.zeros_like(first), where=peak > 0)
    tiles = (0.5 + 0.5 * scaled).transpose(0, 2, 3, 1)
    each = smoothness_of(first)
    random = np.random.default_rng(0).normal(size=(_NOISE_FILTERS, *first.shape[1:]))
    with np.errstate(invalid="ignore"):
        noise = float(np.quantile(smoothness_of(random), 0.95))
    return FilterNumbers(tiles=tiles, each=each, smoothness=mean(each), noise=noise)


def smoothness_of(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """How alike neighbouring weights of each filter float[filters, 3, F, F] are: 1 for even patches, about 0 for noise.

    It is the mean product of weights beside or below each other, over the mean square: the filter's autocorrelation at
    a distance of one pixel. The paper reads smooth filters as a converged network, noisy ones as too short a training
    or too weak a regularisation; this makes that a number. nan for 1x1 filters and for a filter that is all zero.
    """
    axes = (1, 2, 3)
    power = (kernels**2).mean(axis=axes)
    across = kernels[..., :, 1:] * kernels[..., :, :-1]
    down = kernels[..., 1:, :] * kernels[..., :-1, :]
    pairs = (across.size + down.size) // max(len(kernels), 1)
    sums = across.sum(axis=axes) + down.sum(axis=axes)
    nothing = np.full(len(kernels), np.nan)
    return np.divide(sums, pairs * power, out=nothing, where=(pairs * power) > 0)


def filter_table(numbers: FilterNumbers) -> Sequence[Sequence[object]]:
    """A row per filter under a heading, in the network's order."""
    rows = [[number, float(one), numbers.noise] for number, one in enumerate(numbers.each, 1)]
    return [["filter", "smoothness", "noise_exceeded_by_5_percent"], *rows]


def draw_filters(numbers: FilterNumbers) -> Figure:
    """All filters as a grid of pictures, in the network's order. Paper: Fig. 4."""
    sheet = contact_sheet(numbers.tiles)
    height, width = sheet.shape[:2]
    picture_inches = (WIDTH_INCHES - 0.2) * min(1.0, width / (8 * (_TILE_PIXELS + _GAP_PIXELS)))
    above, below = 0.38, 0.46
    total = picture_inches * height / width + above + below
    figure, axes = new_axes(total)
    left, bottom = 0.1 / WIDTH_INCHES, below / total
    axes.set_position((left, bottom, picture_inches / WIDTH_INCHES, 1 - above / total - bottom))
    axes.imshow(sheet, interpolation="none", aspect="auto")
    axes.set_axis_off()
    axes.set_title("First-layer filters")
    count, size = numbers.tiles.shape[:2]
    note = f"{count} filters, {size}\N{MULTIPLICATION SIGN}{size}; mid-grey is a weight of zero"
    line = {"color": MUTED, "fontsize": 8.5}
    figure.text(left, 0.26 / total, note, **line)
    figure.text(left, 0.08 / total, _smoothness_in_words(numbers), **line)
    return figure


def _smoothness_in_words(numbers: FilterNumbers) -> str:
    value, low, high = numbers.smoothness
    if not numbers.smoothness.is_known:
        return "smoothness not known"
    words = f"smoothness {value:.2f} ({low:.2f} .. {high:.2f}), 0 for noise, 1 for even patches"
    return words + (f"; {numbers.noisy} like noise" if numbers.noisy else "; none like noise")


def contact_sheet(tiles: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Tiles float[n, F, F, 3] side by side, enlarged without smoothing: uint8[h, w, 4], see-through between them."""
    count, size = tiles.shape[:2]
    columns = min(count, 8 if count <= 32 else 16)
    rows = ceil(count / columns)
    zoom = max(1, round(_TILE_PIXELS / size))
    side, pitch = size * zoom, size * zoom + _GAP_PIXELS
    sheet = np.zeros((rows * pitch - _GAP_PIXELS, columns * pitch - _GAP_PIXELS, 4), np.uint8)
    big = np.rint(255 * tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)).astype(np.uint8)
    for number, tile in enumerate(big):
        top, left = number // columns * pitch, number % columns * pitch
        sheet[top : top + side, left : left + side, :3] = tile
        sheet[top : top + side, left : left + side, 3] = 255
    return sheet


def _layer_order(name: str) -> tuple[list[tuple[int, int, str]], str]:
    # "10.weight" comes after "2.weight"; names without a number come last.
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in name.split(".")], name
