"""The ablation folder: what one change to a recipe does, over several seeds, and the numbers that judge it.

    ablation.json          the design, and the accuracy of every run so far
    runs/VALUE-SEED/       a run folder each
    figures/  ensemble/    drawn and computed from them

A *value* is one way the recipe was changed; the first one is what the others are compared with, seed by seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, nan, sqrt
from pathlib import Path
from typing import Any, NamedTuple

from lilliput.errors import RunError
from lilliput.results.atomic import write_text
from lilliput.results.folder import ResultFolder
from lilliput.results.run import Run

FILE = "ablation.json"
_FORMAT = 1
# Accuracies are shares of images; what differs by less than this differs by rounding alone.
_NO_SPREAD = 1e-9


class Spread(NamedTuple):
    """Mean of some seeds, their sample standard deviation, and the 95 % t-interval of the mean.

    Nan of one seed. The interval is nan, too, of seeds that all say the same: so few cannot have shown their spread.
    """

    mean: float
    deviation: float
    interval: tuple[float, float]


class Difference(NamedTuple):
    """Mean difference to the first value, paired by seed, its 95 % t-interval and two-sided p.

    Both are nan of one seed, and of seeds that all differ by the same.
    """

    mean: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True, kw_only=True)
class Value:
    """One way the recipe was changed.

    ``runs`` are folders below the ablation's, ``accuracy`` fractions, both one per seed; nan while a run is not done.
    """

    name: str
    changes: tuple[str, ...]
    runs: tuple[str, ...]
    accuracy: tuple[float, ...]

    @property
    def spread(self) -> Spread:
        """Over the seeds that are done."""
        return spread(self.accuracy)


@dataclass(frozen=True, kw_only=True)
class Ablation(ResultFolder):
    """An ablation folder, read once.

    ``base`` is the recipe all values start from, as nested tables; ``split`` where the accuracies were measured.
    """

    name: str
    claim: str
    recipe: str
    base: Mapping[str, Any]
    fingerprint: str
    seeds: tuple[int, ...]
    split: str
    values: tuple[Value, ...]

    @classmethod
    def open(cls, folder: Path) -> Ablation:
        """The ablation in ``folder``. Raises: RunError saying what is missing or damaged."""
        path = Path(folder) / FILE
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["format"] != _FORMAT:
                raise RunError(
                    f"{path} is of format {facts['format']}, this version reads {_FORMAT}",
                    "open it with the Lilliput that wrote it",
                )
            values = tuple(_read_value(value) for value in facts["values"])
            return cls(
                path=Path(folder),
                name=str(facts["name"]),
                claim=str(facts["claim"]),
                recipe=str(facts["recipe"]),
                base=dict(facts["base"]),
                fingerprint=str(facts["fingerprint"]),
                seeds=tuple(int(seed) for seed in facts["seeds"]),
                split=str(facts["split"]),
                values=values,
            )
        except FileNotFoundError as error:
            raise RunError(
                f"{folder} is not an ablation: no {FILE}",
                "an ablation is the folder that lilliput ablate writes",
            ) from error
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RunError(f"{path} is damaged: {error}", "run lilliput ablate again") from error

    def save(self) -> None:
        """Replace ``ablation.json`` atomically. Raises: StorageError."""
        facts: dict[str, Any] = {"format": _FORMAT, **asdict(self)}
        del facts["path"]
        for value in facts["values"]:
            value["accuracy"] = [one if isfinite(one) else None for one in value["accuracy"]]
        write_text(self.path / FILE, json.dumps(facts, indent=2) + "\n")

    @property
    def is_finished(self) -> bool:
        """Whether every run is done."""
        return all(isfinite(one) for value in self.values for one in value.accuracy)

    def run(self, value: Value, seed: int) -> Run:
        """The run of one value and seed. Raises: RunError when it has not begun."""
        return Run.open(self.path / value.runs[self.seeds.index(seed)])

    def difference(self, value: Value) -> Difference:
        """How far ``value`` is from the first one."""
        return paired(value.accuracy, self.values[0].accuracy)

    def _repr_html_(self) -> str:
        from lilliput.results.notebook import ablation_html

        return ablation_html(self)


def spread(values: Sequence[float]) -> Spread:
    """Mean, sample standard deviation and t-interval of what is not nan.

    >>> s = spread([0.1, 0.2, 0.3])
    >>> round(s.mean, 3), round(s.deviation, 3), tuple(round(x, 3) for x in s.interval)
    (0.2, 0.1, (-0.048, 0.448))
    """
    known = [value for value in values if isfinite(value)]
    n = len(known)
    if n == 0:
        return Spread(nan, nan, (nan, nan))
    mean = sum(known) / n
    if n == 1:
        return Spread(mean, nan, (nan, nan))
    deviation = sqrt(sum((value - mean) ** 2 for value in known) / (n - 1))
    if deviation < _NO_SPREAD:
        return Spread(mean, deviation, (nan, nan))
    reach = _t_quantile(n - 1) * deviation / sqrt(n)
    return Spread(mean, deviation, (mean - reach, mean + reach))


def paired(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """The difference of two series of the same seeds; seeds that one of them lacks are left out."""
    differences = [a - b for a, b in zip(values, reference, strict=True) if isfinite(a - b)]
    found = spread(differences)
    return Difference(found.mean, found.interval, _p_value(found, len(differences)))


def _p_value(found: Spread, n: int) -> float:
    if n < 2 or found.deviation < _NO_SPREAD:
        return nan
    from scipy import (
        stats,
    )  # here and below, because it takes a while to load and most readers only want the names

    t = abs(found.mean) / (found.deviation / sqrt(n))
    return float(2 * stats.t.sf(t, n - 1))


def _t_quantile(freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, freedom))


def _read_value(facts: Mapping[str, Any]) -> Value:
    value = Value(
        name=str(facts["name"]),
        changes=tuple(map(str, facts["changes"])),
        runs=tuple(map(str, facts["runs"])),
        accuracy=tuple(nan if one is None else float(one) for one in facts["accuracy"]),
    )
    if len(value.runs) != len(value.accuracy):
        raise ValueError(
            f"value {value.name!r} has {len(value.runs)} runs, {len(value.accuracy)} results"
        )
    return value
