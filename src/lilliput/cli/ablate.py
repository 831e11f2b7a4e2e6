"""The command ``ablate``: what one change to a recipe does."""

from __future__ import annotations

from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, note, percent, table
from lilliput.cli.data import open_pack
from lilliput.cli.watch_all import watch_all
from lilliput.errors import Interrupted

if TYPE_CHECKING:
    from lilliput.results.ablation import Ablation, Value
    from lilliput.results.ensemble import Ensemble


def ablate(
    what: str,
    /,
    *overrides: str,
    data: str,
    vary: list[str] | None = None,
    seeds: int | None = None,
    holdout: float | None = None,
    to: Path | None = None,
    device: str = "auto",
    json: Json = False,
) -> None:
    """Measure what one change to a recipe does, over several seeds.

    Every value is trained with every seed and judged on images held out of *train*; the table says mean, spread and the
    difference to the first value, paired by seed. Stopped, the same command goes on where it stopped.

    Parameters
    ----------
    what
        A recipe together with --vary, or an ablation that comes along: nonlinearity, momentum, standardising,
        mirroring, regularisation, colour-jitter, random-crop, box-crop, drop-hard, residual, larger-ensembles; or a
        TOML file.
    overrides
        Changes to the recipe of all values, such as training.epochs=3 data.limit=20000.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    vary
        A key of the recipe and its values, such as optimizer.l2=0.0001,0.001; given twice, every combination is tried.
        model.nonlinearity=ReLU,LeakyReLU,Tanh changes every nonlinearity of any network.
    seeds
        Train every value with the seeds 1 to this; 3 if neither this nor the ablation says otherwise.
    holdout
        The share of train that judges, 0.1 if not said otherwise; 0 judges on the official val split instead.
    to
        The folder of the ablation; ablations/NAME if none is named.
    device
        auto, cpu, cuda, cuda:1, mps.
    """
    from lilliput.analysis.seeds import finish_ablation
    from lilliput.api import ABLATIONS
    from lilliput.results.ablation import Ablation
    from lilliput.search.design import folder_name, read_design

    design = read_design(what, vary or [], overrides).changed(seeds=seeds, holdout=holdout)
    folder = to or ABLATIONS / folder_name(design.name)
    pack = open_pack(data)
    from lilliput.search.ablation import ablation_steps

    note(f"ablation {design.name} into {folder}")
    if stop := watch_all(ablation_steps(design, pack, folder, device=device)):
        error = Interrupted("everything so far is saved", "to go on: run the same command again")
        error.exit_code = stop.exit_code
        raise error
    ablation = Ablation.open(folder)
    ensemble = finish_ablation(ablation, subsets=design.subsets)
    answer(_page(ablation, ensemble), facts(ablation, ensemble), as_json=json)


def facts(ablation: Ablation, ensemble: Ensemble | None = None) -> dict[str, object]:
    """An ablation as plain values: fractions, and nan where one seed knows no spread."""
    return {
        "ablation": str(ablation.path),
        "name": ablation.name,
        "claim": ablation.claim,
        "split": ablation.split,
        "seeds": ablation.seeds,
        "values": [_value_facts(ablation, value) for value in ablation.values],
        "ensemble": str(ensemble.path) if ensemble else None,
        "sizes": ensemble.results["sizes"] if ensemble else [],
    }


def _value_facts(ablation: Ablation, value: Value) -> dict[str, object]:
    spread, difference = value.spread, ablation.difference(value)
    return {
        "name": value.name,
        "changes": value.changes,
        "accuracy": value.accuracy,
        "mean": spread.mean,
        "deviation": spread.deviation,
        "interval": spread.interval,
        "difference": difference.mean,
        "difference_interval": difference.interval,
        "p": difference.p,
    }


def _page(ablation: Ablation, ensemble: Ensemble | None) -> str:
    first, *others = ablation.values
    header = ["", "MEAN", "SD", "95 % INTERVAL", "DIFFERENCE", "95 % INTERVAL", "P"]
    rows = [header, _row(ablation, first), *(_row(ablation, value) for value in others)]
    seeds = len(ablation.seeds)
    lines = [
        bold(f"{ablation.name}: {seeds} {'seed' if seeds == 1 else 'seeds'}, {ablation.split}"),
        *([f"the paper: {ablation.claim}"] if ablation.claim else []),
        "",
        table(rows, right=(1, 2, 3, 4, 5, 6)),
        "",
        _how_sure(ablation),
        *_sizes(ensemble),
        f"figure  {ablation.figures_path / 'ablation.png'}",
        f"runs    {ablation.path / 'runs'}",
    ]
    return "\n".join(lines)


def _row(ablation: Ablation, value: Value) -> list[str]:
    spread = value.spread
    cells = [value.name, percent(spread.mean), _points(spread.deviation), _range(spread.interval)]
    if value is ablation.values[0]:
        return [*cells, "", "", ""]
    difference = ablation.difference(value)
    low, high = difference.interval
    between = f"{100 * low:+.1f} .. {100 * high:+.1f}" if isfinite(low) else "-"
    p = f"{difference.p:.3f}" if isfinite(difference.p) else "-"
    return [*cells, f"{100 * difference.mean:+.2f} points", between, p]


def _sizes(ensemble: Ensemble | None) -> list[str]:
    if ensemble is None:
        return []
    header = ["TOGETHER", "ENSEMBLES", "MEAN", "LEAST", "MOST"]
    rows = [
        [
            str(row["size"]),
            f"{row['subsets']:,}",
            *(percent(row[k]) for k in ("mean", "least", "most")),
        ]
        for row in ensemble.results["sizes"]
    ]
    return ["", table([header, *rows], right=(0, 1, 2, 3, 4)), "", f"ensemble {ensemble.path}"]


def _range(interval: tuple[float, float]) -> str:
    return " .. ".join(map(percent, interval)) if isfinite(interval[0]) else "-"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f}" if isfinite(fraction) else "-"


def _how_sure(ablation: Ablation) -> str:
    if len(ablation.seeds) == 1:
        return "One seed: no spread is known, and no difference can be told from chance. --seeds 3"
    alike = any(
        isfinite(ablation.difference(one).mean) and isnan(ablation.difference(one).p)
        for one in ablation.values[1:]
    )
    more = " A dash: equal in every seed, so the spread is unknown; more --seeds." if alike else ""
    return f"Differences are to '{ablation.values[0].name}', paired by seed; intervals and p are Student's.{more}"
