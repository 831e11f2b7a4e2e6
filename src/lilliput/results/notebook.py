"""How results look in a notebook cell: a name, a verdict, a curve, the way to the report.

A cell is one self-contained piece of HTML without script or style sheet, drawn from the folder as it is at that moment.
It never raises: what is damaged says so in the cell. Names in it are text, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lilliput.errors import LilliputError
from lilliput.results.folder import main_evaluation
from lilliput.results.metrics import Interval

if TYPE_CHECKING:
    from lilliput.results.ablation import Ablation
    from lilliput.results.ensemble import Ensemble
    from lilliput.results.run import Run
    from lilliput.results.study import Study

_MOST_ROWS = 12
_WIDTH, _HEIGHT, _EDGE = 220, 56, 4


def run_html(run: Run) -> str:
    """A run: its verdict, and validation accuracy over the epochs."""
    return _cell("run", run.path, run.name, lambda: _run_parts(run))


def ensemble_html(ensemble: Ensemble) -> str:
    """An ensemble: its verdict, and its members with their weights."""
    return _cell("ensemble", ensemble.path, ensemble.name, lambda: _ensemble_parts(ensemble))


def study_html(study: Study) -> str:
    """A study: its best trials, and the best accuracy so far over the trials."""
    return _cell("study", study.path, study.name, lambda: _study_parts(study))


def ablation_html(ablation: Ablation) -> str:
    """An ablation: mean and interval of every value, and its difference to the first."""
    return _cell("ablation", ablation.path, ablation.name, lambda: _ablation_parts(ablation))


def sparkline(values: Sequence[float], label: str) -> str:
    """A small curve as inline SVG; what is not finite is left out, and fewer than two points are no curve.

    >>> sparkline([1.0], "accuracy")
    ''
    """
    known = [(place, value) for place, value in enumerate(values) if isfinite(value)]
    if len(known) < 2:
        return ""
    least, most = min(value for _, value in known), max(value for _, value in known)
    span, last = (most - least) or 1.0, len(values) - 1
    points = " ".join(
        f"{_EDGE + place / last * (_WIDTH - 2 * _EDGE):.1f},"
        f"{_HEIGHT - _EDGE - (value - least) / span * (_HEIGHT - 2 * _EDGE):.1f}"
        for place, value in known
    )
    x, y = points.rsplit(" ", 1)[1].split(",")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}"><polyline points="{points}" fill="none" stroke="#0072b2" '
        f'stroke-width="2" stroke-linejoin="round"/><circle cx="{x}" cy="{y}" r="3.5" fill="#0072b2"/></svg>'
    )


def _cell(word: str, path: Path, name: str, parts: Callable[[], list[str]]) -> str:
    try:
        body = parts()
    except LilliputError as error:
        body = [f"<div>{escape(str(error))}</div>"]
    report = path / "report.html"
    if report.is_file():
        link = f'<a href="{escape(quote(report.as_posix()))}" target="_blank">report</a>'
    else:
        link = f"<code>lilliput report {escape(str(path))}</code>"
    head = f"<div><b><bdi>{escape(name)}</bdi></b> <span style='opacity:.65'>{word} in {escape(str(path))}</span></div>"
    style = "border-left:3px solid #0072b2;padding:2px 12px;margin:4px 0;overflow-wrap:anywhere"
    return (
        f'<div style="{style}">{head}{"".join(body)}<div style="margin-top:4px">{link}</div></div>'
    )


def _run_parts(run: Run) -> list[str]:
    history, planned = run.history, run.recipe.get("training", {}).get("epochs")
    done = (
        f"{len(history)} epochs"
        if run.is_finished
        else f"{len(history)} of {planned} epochs so far"
    )
    curve = sparkline(
        [epoch.val_accuracy for epoch in history], "validation accuracy over the epochs"
    )
    return [_judged(run), f"<div>{escape(done)}</div>", curve]


def _ensemble_parts(ensemble: Ensemble) -> list[str]:
    members = zip(ensemble.members, ensemble.weights, strict=True)
    rows = [[run.name, f"{weight:.3f}"] for run, weight in members]
    return [_judged(ensemble), _table(["member", "weight"], rows)]


def _study_parts(study: Study) -> list[str]:
    complete = [trial.value for trial in study.trials if trial.value is not None]
    so_far = [max(complete[: place + 1]) for place in range(len(complete))]
    curve = sparkline(so_far, "best accuracy so far over the trials")
    rows = [
        [str(trial.number), _share(trial.value, trial.interval), " ".join(trial.changes)]
        for trial in study.best
    ]
    counts = f"{len(study.trials)} trials, {len(complete)} complete"
    return [f"<div>{counts}</div>", curve, _table(["trial", "accuracy", "changes"], rows)]


def _ablation_parts(ablation: Ablation) -> list[str]:
    rows = []
    for value in ablation.values:
        spread, difference = value.spread, ablation.difference(value)
        known = isfinite(difference.mean) and value is not ablation.values[0]
        gain = f"{100 * difference.mean:+.1f} points" if known else ""
        mean = spread.mean if isfinite(spread.mean) else None
        rows.append([value.name, _share(mean, spread.interval), gain])
    return [
        f"<div>{escape(ablation.claim)}</div>" if ablation.claim else "",
        _table(["value", "mean, 95 % interval", "difference"], rows),
    ]


def _judged(result: Run | Ensemble) -> str:
    found = main_evaluation(result)
    if found is None:
        return "<div>not evaluated yet</div>"
    split, evaluation = found
    share = _share(evaluation.top1, evaluation.interval)
    return f"<div>top-1 <b>{share}</b> of {evaluation.n:,} images of {escape(split)}</div>"


def _share(share: float | None, interval: Interval | None) -> str:
    if share is None:
        return "\N{EN DASH}"
    is_known = interval is not None and all(map(isfinite, interval))
    reach = (
        f" ({100 * interval[0]:.1f} .. {100 * interval[1]:.1f} %)" if interval and is_known else ""
    )
    return f"{100 * share:.1f} %{reach}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        style = "text-align:left;padding:1px 14px 1px 0"
        parts = (f'<{tag} style="{style}"><bdi>{escape(cell)}</bdi></{tag}>' for cell in cells)
        return f"<tr>{''.join(parts)}</tr>"

    shown = "".join(line("td", row) for row in rows[:_MOST_ROWS])
    more = f"<div>and {len(rows) - _MOST_ROWS} more</div>" if len(rows) > _MOST_ROWS else ""
    return f'<table style="margin:4px 0">{line("th", head)}{shown}</table>{more}'
