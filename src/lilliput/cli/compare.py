"""The command ``compare``."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, percent, table

if TYPE_CHECKING:
    from lilliput.analysis.compare import Comparison, Pair

_LONGEST_VALUE = 32


def compare(*results: Path, split: str = "val", json: Json = False) -> None:
    """Runs and ensembles side by side: how good, what differs in their recipes, which differences are real.

    All must have predicted the same images. Every two are compared image by image: McNemar's test, and the bootstrap's
    95 % interval of the difference in accuracy; with more than two, p is corrected for the number of pairs (Holm).

    Parameters
    ----------
    results
        Two or more run or ensemble folders.
    split
        Which images' stored predictions: val, heldout, or any other labelled split.
    """
    from lilliput import api

    comparison = api.compare(results, split=split)
    answer(_describe(comparison), _facts(comparison), as_json=json)


def _describe(comparison: Comparison) -> str:
    parts = [
        bold(
            f"{len(comparison.results)} results on the same {comparison.images:,} images of {comparison.split}"
        ),
        _metrics(comparison),
    ]
    if comparison.recipes:
        parts += ["", "Recipes differ in", _recipes(comparison)]
    parts += ["", "Every two, image by image", _pairs(comparison)]
    return "\n".join(parts)


def _metrics(comparison: Comparison) -> str:
    rows = [["", "top-1", "95 %", "top-5", "95 %", "loss", "95 %"]]
    for one in comparison.results:
        verdict = one.evaluation
        low, high = one.loss_interval
        rows.append(
            [
                one.name,
                percent(verdict.top1),
                _between(verdict.interval),
                percent(verdict.top5),
                _between(one.top5_interval),
                f"{verdict.loss:.3f}",
                f"{low:.3f} .. {high:.3f}" if isfinite(low) else "-",
            ]
        )
    return table(rows, right=(1, 3, 5), indent="  ")


def _recipes(comparison: Comparison) -> str:
    rows = [["", *(one.name for one in comparison.results)]]
    rows += [[key, *map(_value, values)] for key, values in comparison.recipes.items()]
    return table(rows, indent="  ")


def _pairs(comparison: Comparison) -> str:
    several = len(comparison.pairs) > 1
    rows = [["", "points", "95 %", "only first", "only second", "p (Holm)" if several else "p", ""]]
    for pair in comparison.pairs:
        paired = pair.paired
        rows.append(
            [
                f"{pair.first} - {pair.second}",
                f"{100 * paired.difference:+.1f}",
                _points(paired.interval),
                f"{paired.only_first:,}",
                f"{paired.only_second:,}",
                p_value(pair.p_corrected),
                _words(pair),
            ]
        )
    return table(rows, right=(1, 3, 4), indent="  ")


def _words(pair: Pair) -> str:
    if not pair.is_significant:
        return "may be chance"
    better = pair.first if pair.paired.difference > 0 else pair.second
    return f"{better} is better"


def p_value(p: float) -> str:
    """A probability as people write it."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _between(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * low:.1f} .. {100 * high:.1f} %"


def _points(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * low:+.1f} .. {100 * high:+.1f}"


def _value(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _facts(comparison: Comparison) -> dict[str, object]:
    return {
        "split": comparison.split,
        "images": comparison.images,
        "results": [
            {
                "name": one.name,
                "path": one.path,
                "top1": one.evaluation.top1,
                "interval": one.evaluation.interval,
                "top5": one.evaluation.top5,
                "top5_interval": one.top5_interval,
                "loss": one.evaluation.loss,
                "loss_interval": one.loss_interval,
            }
            for one in comparison.results
        ],
        "recipes": comparison.recipes,
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                **asdict(pair.paired),
                "p_corrected": pair.p_corrected,
                "is_significant": pair.is_significant,
            }
            for pair in comparison.pairs
        ],
    }
