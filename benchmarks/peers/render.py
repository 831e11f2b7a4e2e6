"""From results.json to the table and the figure of docs/benchmarks.md: no number there is typed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TITLES = {
    "pytorch": "PyTorch, torchvision",
    "timm": "timm",
    "keras": "Keras 3 on torch",
    "fastai": "fastai",
    "lilliput": "Lilliput",
}
EPOCH_IMAGES = 100_000
Results = dict[str, Any]
Rows = list[dict[str, Any]]


def render(results: Results, page: Path, picture: Path) -> None:
    """Write what was measured between the marks of the page, and draw the picture."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for it: {BEGIN} ... {END}")
    image = f"![Images per second of every peer](images/{picture.name})"
    measured = "\n\n".join([image, *tables(results)])
    page.write_text(f"{before}{begin}\n\n{measured}\n\n{end}{after}", encoding="utf-8")
    draw(results, picture)


def tables(results: Results) -> list[str]:
    """The Markdown of everything measured."""
    about, rounds = results["about"], rounds_of(results)
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    opening = (
        f"{about['processor']}, {about['threads']} threads, Python {about['python']}, {versions}; commit "
        f"{about['commit']}, {about['began'][:10]}. Medians of {rounds} rounds in turns, in brackets the least and the "
        f"most. `{about['command']}`"
    )
    parts = [opening, _speeds(results), _beside(results)]
    if results["speedrun"]:
        parts.append(_speedrun(results))
    return parts


def rounds_of(results: Results) -> int:
    """How many rounds there are."""
    return max(one["round"] for one in results["measurements"])


def chosen(results: Results, peer: str, action: str, network: str | None = None) -> Rows:
    """A peer's measurements, one per round: of the number of loader processes that was fastest in the first round."""
    found = [
        one
        for one in results["measurements"]
        if (one["peer"], one["action"], one.get("network")) == (peer, action, network)
    ]
    tried = [one for one in found if one["round"] == 1 and "images_per_second" in one]
    if tried:
        best = max(tried, key=lambda one: one["images_per_second"])["workers"]
        found = [one for one in found if one["workers"] == best]
    return sorted(found, key=lambda one: one["round"])


def values(rows: Rows, key: str = "images_per_second") -> list[float]:
    """One value per round."""
    return [float(one[key]) for one in rows]


def spread(numbers: Sequence[float], digits: int = 0, unit: str = "") -> str:
    """``1,234 (1,200 .. 1,250)``, or a dash."""
    if not numbers:
        return "-"
    middle, low, high = (
        f"{one:,.{digits}f}" for one in (median(numbers), min(numbers), max(numbers))
    )
    return f"{middle}{unit} ({low} .. {high})"


def ratios(results: Results, peer: str, action: str, network: str) -> list[float]:
    """How many times as fast Lilliput is, round by round."""
    ours = values(chosen(results, "lilliput", action, network))
    return [
        a / b for a, b in zip(ours, values(chosen(results, peer, action, network)), strict=False)
    ]


def peers_of(results: Results) -> list[str]:
    """Who took part, in the order of the titles."""
    there = {one["peer"] for one in results["measurements"]}
    return [peer for peer in TITLES if peer in there]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _speeds(results: Results) -> str:
    kinds = (("train", "m1"), ("train", "m4"), ("load", "m1"))
    head = ["images/s"]
    for name in ("training M1", "training M4", "loading alone"):
        head += [name, "Lilliput is"]
    rows = []
    for peer in peers_of(results):
        row = [TITLES[peer]]
        for action, network in kinds:
            row.append(spread(values(chosen(results, peer, action, network))))
            own = peer == "lilliput"
            row.append("" if own else spread(ratios(results, peer, action, network), 2, "x"))
        rows.append(row)
    return _table(head, rows)


def _beside(results: Results) -> str:
    head = ["", "mean loss, M1", "mean loss, M4", "memory, M1", "memory, M4", "loader processes"]
    head.append("before the first batch")
    rows = []
    for peer in peers_of(results):
        m1, m4 = (chosen(results, peer, "train", network) for network in ("m1", "m4"))
        memory = [_megabytes(values(one, "memory_bytes")) for one in (m1, m4)]
        losses = [spread(values(one, "loss"), 3) for one in (m1, m4)]
        loaders = [chosen(results, peer, "load", "m1"), m1, m4]
        workers = " / ".join(str(one[0]["workers"]) for one in loaders if one)
        if peer == "lilliput":
            workers = "-"
        scans = chosen(results, peer, "scan")
        start = spread(values(scans, "seconds"), 1, " s")
        if peer == "lilliput" and scans:
            opened = median(values(scans, "open_seconds"))
            start = f"{opened:.2f} s, after packing once: {start}"
        rows.append([TITLES[peer], *losses, *memory, workers, start])
    note = "The loader processes that counted are those of loading alone / M1 / M4."
    return f"{_table(head, rows)}\n\n{note}"


def _megabytes(numbers: Sequence[float]) -> str:
    return f"{median(numbers) / 1e6:,.0f} MB" if numbers else "-"


def _speedrun(results: Results) -> str:
    rates = values(chosen(results, "pytorch", "train", "m4"))
    epoch = [EPOCH_IMAGES / rate for rate in rates]
    rows = [["one epoch of M4 in PyTorch, by its rate", spread(epoch, 0, " s"), "", ""]]
    for recipe in dict.fromkeys(one["recipe"] for one in results["speedrun"]):
        runs = [one for one in results["speedrun"] if one["recipe"] == recipe]
        walls = values(runs, "wall_seconds")
        seeds = len(runs)
        rows.append(
            [
                f"`lilliput train {recipe}`, start to end, {seeds} seed{'s' * (seeds > 1)}",
                spread(walls, 0, " s"),
                f"{median(walls) / median(epoch):.2f} of it",
                ", ".join(f"{100 * one['val_accuracy']:.2f} %" for one in runs),
            ]
        )
    return _table(["time to accuracy", "", "", "official val"], rows)


def draw(results: Results, picture: Path) -> None:
    """Bars of images per second: training M1, training M4, loading alone."""
    from matplotlib.figure import Figure

    from lilliput.analysis.style import BAND, INK, MUTED, TRAIN, new_axes, write_figure

    peers = peers_of(results)
    kinds = [("training M1", "train", "m1"), ("training M4", "train", "m4")]
    kinds.append(("loading alone", "load", "m1"))
    rows = (len(peers) + 1.4) * len(kinds)
    height = 0.19 * rows + 0.7

    def figure() -> Figure:
        whole, axes = new_axes(height, right=0.86)
        whole.subplots_adjust(left=0.29, top=1 - 0.4 / height, bottom=0.3 / height)
        whole.text(0.02, 1 - 0.28 / height, "Images per second", fontsize=10.5, fontweight="bold")
        axes.set(xlim=(0, 1), ylim=(rows - 0.4, -0.6), xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        row = 0.0
        for title, action, network in kinds:
            found = {peer: values(chosen(results, peer, action, network)) for peer in peers}
            most = max((max(one) for one in found.values() if one), default=1.0)
            axes.text(-0.03, row, title, ha="right", va="center", color=INK, weight="bold")
            row += 1
            for peer, rates in found.items():
                if rates:
                    middle, colour = median(rates), TRAIN if peer == "lilliput" else BAND
                    axes.barh(row, middle / most, 0.72, color=colour)
                    axes.plot([min(rates) / most, max(rates) / most], [row] * 2, color=INK, lw=1)
                    axes.text(1.02, row, f"{middle:,.0f}", va="center", fontsize=8.5, color=INK)
                colour = INK if peer == "lilliput" else MUTED
                axes.text(
                    -0.03, row, TITLES[peer], ha="right", va="center", color=colour, fontsize=8.5
                )
                row += 1
            row += 0.4
        about = results["about"]
        note = f"medians and spread of {rounds_of(results)} rounds in turns; {about['threads']} threads"
        whole.text(0.02, 0.1 / height, note, color=MUTED, fontsize=8)
        return whole

    write_figure(picture, figure)
