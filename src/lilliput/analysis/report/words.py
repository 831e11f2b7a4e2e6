"""Numbers, times and parsed files as words of a report."""

from __future__ import annotations

from typing import Any

from lilliput.analysis.style import percent
from lilliput.results.metrics import Evaluation, Interval

SPLIT_WORDS = {
    "val": "validation images",
    "heldout": "images held out of the training set",
    "train": "training images",
    "test": "test images",
}


def images(split: str, n: int) -> str:
    """How many of what: "240 validation images"."""
    return f"{n:,} {SPLIT_WORDS.get(split, f'images of split {split}')}"


def between(interval: Interval) -> str:
    """An interval of shares: "26.7 - 28.5 %", with a dash between thin spaces."""
    low, high = interval
    return f"{100 * low:.1f}\N{HAIR SPACE}\N{EN DASH}\N{HAIR SPACE}{percent(high)}"


def points(difference: float) -> str:
    """A difference of two shares: "+1.3 points"."""
    return f"{100 * difference:+.1f} points"


def duration(seconds: float) -> str:
    """A time people can read: "8.1 s", "2 min 5 s", "3 h 20 min"."""
    if not 0 <= seconds < 1e9:
        return "not known"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def plain(key: str, value: Any) -> str:
    """A value of a parsed file in words; tables become a line per entry."""
    if isinstance(value, dict):
        parts = (f"{name.replace('_', ' ')} {plain(name, part)}" for name, part in value.items())
        return "\n".join(parts)
    if isinstance(value, list):
        return ", ".join(plain(key, part) for part in value)
    if value is None or isinstance(value, bool):
        return {None: "not known", True: "yes", False: "no"}[value]
    if isinstance(value, int) and "memory" in key:
        return f"{value / 1e9:.1f} GB"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table_of(parsed: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of a parsed file; an empty one where something else stands."""
    found = parsed.get(name)
    return found if isinstance(found, dict) else {}


def judged(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The facts that stand beside every accuracy."""
    return [
        ("95 % interval", between(evaluation.interval)),
        ("top-5", percent(evaluation.top5)),
        ("by chance", percent(1 / len(evaluation.per_class))),
        ("log loss", f"{evaluation.loss:.3f}"),
        ("calibration error", percent(evaluation.calibration_error)),
    ]


def paper_words(share: float, network: str) -> str:
    """What the paper reports, and how far it can be compared."""
    return (
        f"The paper reports {percent(share)} for {network} (the upright mark), measured by the challenge's server on "
        "test images whose labels were never published. The two are close in kind, not the same measurement."
    )
