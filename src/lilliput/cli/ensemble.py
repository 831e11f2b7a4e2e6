"""The command ``ensemble``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lilliput.cli.compare import p_value
from lilliput.cli.console import Json, answer, bold, note, percent, table

if TYPE_CHECKING:
    from lilliput.results.ensemble import Ensemble

_WORDS = {
    "mean": "mean of probabilities",
    "logits": "mean of logits",
    "weighted": "weighted mean",
    "greedy": "greedy mean",
    "majority": "majority vote",
}


def ensemble(
    *runs: Path,
    to: Path | None = None,
    split: str = "val",
    method: str = "mean",
    members: str = "all",
    json: Json = False,
) -> None:
    """Several runs as one classifier: every method and every subset judged from their stored predictions.

    What is chosen (a subset, weights) is chosen on held-out images that all runs have in common, and judged on the
    split; where there are none, it is chosen on one half of the split and judged on the other, both ways.

    Parameters
    ----------
    runs
        Two to twenty run folders that have predicted the same images.
    to
        The ensemble's folder; ensembles/NUMBER if none is named.
    split
        Which images the verdict is spoken on.
    method
        mean (of probabilities, the paper's), logits, weighted, greedy or majority.
    members
        all, or chosen: the subset of the runs that does best on the images to choose on.
    """
    from lilliput import api
    from lilliput.analysis.ensemble import check_request
    from lilliput.analysis.figures import save_figures
    from lilliput.predicting import as_run

    check_request(method, members)
    opened = [as_run(run) for run in runs]
    if len(opened) > 1:
        note(f"judging {len(runs)} runs, {2 ** len(runs) - 1:,} ensembles of them, on {split} ...")
    made = api.ensemble(opened, to=to, split=split, method=method, members=members)
    figures = save_figures(made)
    results = made.results
    facts = {
        "ensemble": str(made.path),
        "method": made.method,
        "members": {run.name: w for run, w in zip(made.members, made.weights, strict=True)},
        "figures": [str(file) for file in figures],
        **results,
    }
    answer(_describe(made, results, (method, members)), facts, as_json=json)


def _describe(made: Ensemble, results: Mapping[str, Any], kind: tuple[str, str]) -> str:
    own = next(one for one in results["methods"] if (one["method"], one["members"]) == kind)
    low, high = own["interval"]
    count = len(made.members)
    title = f"{made.name}: {percent(own['accuracy'])} right on {results['split']}, {_WORDS[made.method]} of {count}"
    path = shlex.quote(str(made.path))
    return "\n".join(
        [
            bold(title),
            f"{results['images']:,} images; top-1 lies in {percent(low)} .. {percent(high)} (95 %); {_gain(own)}",
            "",
            f"Methods, against the best run, {results['best_run']}",
            _methods(results),
            _choice(results),
            "",
            f"Every subset, {_WORDS[results['subset_method']]}",
            _sizes(results),
            "",
            f"ensemble  {path}  (figures/ and subsets.csv in it)",
            f"next      lilliput report {path}",
        ]
    )


def _gain(own: Mapping[str, Any]) -> str:
    low, high = own["gain_interval"]
    return f"gain over the best run {100 * own['gain']:+.1f} points ({100 * low:+.1f} .. {100 * high:+.1f})"


def _methods(results: Mapping[str, Any]) -> str:
    rows = [["", "runs", "top-1", "95 %", "loss", "gain in points", "95 %", "p"]]
    best = next(one for one in results["runs"] if one["name"] == results["best_run"])
    rows.append(["best run", "1", *_accuracy(best), "", "", ""])
    for one in results["methods"]:
        low, high = one["gain_interval"]
        words = _WORDS[one["method"]] + (", chosen subset" if one["members"] == "chosen" else "")
        rows.append(
            [
                words + (" *" if one["is_chosen"] else ""),
                str(len(one["weights"])),
                *_accuracy(one),
                f"{100 * one['gain']:+.1f}",
                f"{100 * low:+.1f} .. {100 * high:+.1f}",
                p_value(one["p"]),
            ]
        )
    return table(rows, right=(1, 2, 4, 5), indent="  ")


def _accuracy(one: Mapping[str, Any]) -> list[str]:
    low, high = one["interval"]
    return [
        percent(one["accuracy"]),
        f"{100 * low:.1f} .. {100 * high:.1f} %",
        f"{one['loss']:.3f}",
    ]


def _choice(results: Mapping[str, Any]) -> str:
    if results["chosen_on"] == "heldout":
        return f"  * chosen on held-out images, judged on {results['split']}"
    return f"  * chosen on one half of {results['split']} and judged on the other, both ways: {results['why_halves']}"


def _sizes(results: Mapping[str, Any]) -> str:
    rows = [["runs", "subsets", "mean", "least", "most", "best by choice *"]]
    rows += [
        [
            str(one["size"]),
            f"{one['subsets']:,}",
            *(percent(one[key]) for key in ("mean", "least", "most", "by_choice")),
        ]
        for one in results["sizes"]
    ]
    return table(rows, right=range(6), indent="  ")
