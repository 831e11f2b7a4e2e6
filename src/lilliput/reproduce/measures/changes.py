"""Measures of one change to a recipe: what the ablations say. Paper: §3.2, §4.2 to §4.4, §7."""

from __future__ import annotations

from math import isfinite

from lilliput.analysis.figures.filters import filter_numbers
from lilliput.notation import ZOO, parse, trace
from lilliput.reproduce.evidence import (
    MET,
    MISSED,
    NOT_TESTED,
    NOTHING,
    UNDECIDED,
    Answer,
    Evidence,
    direction,
    points,
    points_between,
    share,
)
from lilliput.reproduce.steps import AS_IT_IS
from lilliput.results.ablation import Ablation, Value, paired

# A difference of less than one point is what nobody would choose a nonlinearity for.
NEGLIGIBLE = 0.01
IMPOSSIBLE = Answer("", NOT_TESTED, note="the data has nothing to show it with")


def gain(step: str, value: str, evidence: Evidence) -> Answer:
    """What a value gains over the first one of its ablation."""
    return _change(step, value, evidence, sign=1)


def loss_without(step: str, value: str, evidence: Evidence) -> Answer:
    """What the first value of the ablation gains over one that goes without something."""
    return _change(step, value, evidence, sign=-1)


def negligible(value: str, evidence: Evidence) -> Answer:
    """How far a nonlinearity is from ReLU: met when the whole interval of the difference is within one point."""
    ablation = evidence.ablation("nonlinearity")
    found = _value(ablation, value)
    if ablation is None or found is None:
        return NOTHING
    difference = ablation.difference(found)
    low, high = difference.interval
    if not evidence.budget("nonlinearity").is_enough or not isfinite(low):
        verdict = NOT_TESTED
    elif low == high:
        verdict = UNDECIDED
    elif max(abs(low), abs(high)) <= NEGLIGIBLE:
        verdict = MET
    elif low > NEGLIGIBLE or high < -NEGLIGIBLE:
        verdict = MISSED
    else:
        verdict = UNDECIDED
    note = f"{_level(ablation, found)}; {_budget('nonlinearity', evidence)}"
    return Answer(points(difference.mean), verdict, points_between(difference.interval), note)


def residual(evidence: Evidence) -> Answer:
    """What the residual network gains over M4, and what it costs."""
    found = _change("residual", "resnet", evidence, sign=1)
    m4, deep = (
        sum(one.multiply_adds for one in trace(parse(ZOO[n].notation))) for n in ("m4", "resnet")
    )
    note = f"{deep / m4:.1f} times M4's multiply-adds; {found.note}".removesuffix("; ")
    return Answer(found.ours, found.verdict, found.interval, note)


def noisy_filters(evidence: Evidence) -> Answer:
    """The smoothness of M1's first filters with L2 over that without, paired by seed."""
    ablation = evidence.ablation("ideas")
    plain, bare = (_value(ablation, name) for name in (AS_IT_IS, "no L2"))
    if ablation is None or plain is None or bare is None:
        return NOTHING
    with_l2, without = (
        [_smoothness(ablation, value, seed) for seed in ablation.seeds] for value in (plain, bare)
    )
    difference = paired(with_l2, without)
    low, high = difference.interval
    counts = evidence.budget("ideas").is_enough
    verdict = direction(difference.interval, counts=counts)
    interval = f"{low:+.3f} to {high:+.3f}" if isfinite(low) else ""
    note = f"smoothness of M1's filters with L2 over without; {_budget('ideas', evidence)}"
    return Answer(f"{difference.mean:+.3f}", verdict, interval, note)


def _change(step: str, name: str, evidence: Evidence, *, sign: int) -> Answer:
    ablation = evidence.ablation(step)
    value = _value(ablation, name)
    if ablation is None or value is None:
        return NOTHING if ablation is None else IMPOSSIBLE
    difference = ablation.difference(value)
    low, high = sorted(sign * end for end in difference.interval)
    counts = evidence.budget(step).is_enough
    verdict = direction((low, high), counts=counts)
    note = f"{_level(ablation, value)}; {_budget(step, evidence)}"
    return Answer(points(sign * difference.mean), verdict, points_between((low, high)), note)


def _value(ablation: Ablation | None, name: str) -> Value | None:
    values = ablation.values if ablation else ()
    return next((value for value in values if value.name == name), None)


def _level(ablation: Ablation, value: Value) -> str:
    first = ablation.values[0]
    return (
        f"{value.name} {share(value.spread.mean)}, {first.name} {share(first.spread.mean)} "
        f"({ablation.split})"
    )


def _budget(step: str, evidence: Evidence) -> str:
    budget = evidence.budget(step)
    if budget.seeds == 1:
        return f"one seed, so no spread is known; {budget.words}"
    return f"{budget.seeds} seeds, {budget.words}"


def _smoothness(ablation: Ablation, value: Value, seed: int) -> float:
    numbers = filter_numbers(ablation.run(value, seed))
    return numbers.smoothness.value if numbers else float("nan")
