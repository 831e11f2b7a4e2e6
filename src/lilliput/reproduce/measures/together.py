"""Measures of the search and of networks together. Paper: §6."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np

from lilliput.analysis.intervals import rank_correlation
from lilliput.analysis.paired import paired_difference, right_of
from lilliput.reproduce.evidence import (
    MET,
    MISSED,
    NOT_TESTED,
    NOTHING,
    UNDECIDED,
    Answer,
    Evidence,
    against,
    between,
    direction,
    held,
    points,
    points_between,
    share,
)
from lilliput.results.combine import combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.metrics import top_k_accuracy, wilson_interval
from lilliput.results.predictions import Predictions

_PAPER_ENSEMBLE = 0.398


def cross_validated(evidence: Evidence) -> Answer:
    """How the hyper-parameters of the variants were found."""
    study = evidence.study
    if study is None:
        return NOTHING
    done = sum(trial.state == "complete" for trial in study.trials)
    if study.folds:
        return Answer(f"{done} trials, {study.folds} folds each", MET)
    note = "judged on one share held out of train; folds come with a larger scale"
    return Answer(f"{done} trials without folds", NOT_TESTED, note=note)


def tuned(evidence: Evidence) -> Answer:
    """The best trial of the search, trained anew, over the recipe m3, on official val: images that chose neither."""
    study = evidence.study
    if study is None or not study.best:
        return NOTHING
    values = sorted(trial.value for trial in study.trials if trial.value is not None)
    best, middle = study.best[0], values[len(values) // 2]
    assert best.value is not None
    m3 = evidence.network("m3")
    if m3 is None or not evidence.variants:
        note = "over the median trial, where it was chosen: being chosen flatters the best"
        return Answer(points(best.value - middle), UNDECIDED, note=note)
    found = paired_difference(
        right_of(evidence.variants[0].predictions("val")), right_of(m3.predictions("val"))
    )
    tuned_budget, plain_budget = evidence.budget("variants"), evidence.budget("m3")
    verdict = direction(found.interval, counts=tuned_budget.is_enough)
    if verdict in (MET, MISSED) and tuned_budget.words != plain_budget.words:
        verdict = UNDECIDED
    note = (
        f"{tuned_budget.words} against {plain_budget.words}, one seed each; where it was chosen the best of "
        f"{len(values)} trials had {share(best.value)}, the median {share(middle)}"
    )
    return Answer(points(found.difference), verdict, points_between(found.interval), note)


def members(evidence: Evidence) -> Answer:
    """How many variants, and for how long they were trained."""
    if not evidence.variants:
        return NOTHING
    count, budget = len(evidence.variants), evidence.budget("variants")
    ours = f"{count} models, {budget.words}"
    verdict = held(count == 6) if evidence.scale.is_papers else NOT_TESTED
    return Answer(ours, verdict)


def mean_rule(evidence: Evidence) -> Answer:
    """The largest gap between the ensemble's stored probabilities and the paper's formula, computed anew."""
    ensemble = evidence.ensemble
    if ensemble is None:
        return NOTHING
    parts = [run.predictions("val").probabilities for run in evidence.variants]
    formula = sum(part.astype(np.float64) for part in parts) / len(parts)
    gap = float(np.abs(ensemble.predictions("val").probabilities - formula).max())
    return Answer(f"largest gap {gap:.1e}", held(gap < 1e-6))


def subsets(evidence: Evidence) -> Answer:
    """How many ensembles there are of each size."""
    if evidence.ensemble is None:
        return NOTHING
    sizes = _sizes(evidence.ensemble)
    counts = [int(row["subsets"]) for row in sizes]
    n = len(counts)
    expected = [comb(n, k) for k in range(1, n + 1)]
    text = f"{' + '.join(map(str, counts))} = {sum(counts)}"
    return Answer(text, held(counts == expected), note="how many ensembles there are of each size")


def grows_with_size(evidence: Evidence) -> Answer:
    """The mean accuracy of all ensembles of each size."""
    if evidence.ensemble is None:
        return NOTHING
    means = [float(row["mean"]) for row in _sizes(evidence.ensemble)]
    text = ", ".join(share(one, 2 if max(means) < 0.1 else 1) for one in means)
    rises = all(before < after for before, after in pairwise(means))
    first, last = means[0], means[-1]
    note = f"mean of all ensembles with 1 to {len(means)} members; together {points(last - first)}"
    verdict = MET if rises else (UNDECIDED if last > first else MISSED)
    if not evidence.budget("variants").is_enough:
        verdict = NOT_TESTED
    return Answer(text, verdict, note=note)


def beats_its_best(evidence: Evidence) -> Answer:
    """The ensemble of all variants against the best of them, on the same images."""
    if evidence.ensemble is None:
        return NOTHING
    members = [run.predictions("val") for run in evidence.variants]
    best = max(members, key=lambda one: top_k_accuracy(one, 1))
    found = paired_difference(right_of(_mean(members)), right_of(best))
    verdict = direction(found.interval, counts=evidence.budget("variants").is_enough)
    note = f"on the same {found.n:,} images, McNemar's p {found.p:.3g}"
    return Answer(points(found.difference), verdict, points_between(found.interval), note)


def variety_pays(evidence: Evidence) -> Answer:
    """Spearman's correlation, over the pairs, of how often two disagree with what their average gains."""
    if evidence.ensemble is None:
        return NOTHING
    members = [run.predictions("val") for run in evidence.variants]
    alone = [top_k_accuracy(one, 1) for one in members]
    predicted = [one.probabilities.argmax(axis=1) for one in members]
    differ, gains = [], []
    for first in range(len(members)):
        for second in range(first + 1, len(members)):
            together = top_k_accuracy(_mean([members[first], members[second]]), 1)
            differ.append(float((predicted[first] != predicted[second]).mean()))
            gains.append(together - (alone[first] + alone[second]) / 2)
    found = rank_correlation(np.array(differ), np.array(gains))
    if not found.is_known:
        return Answer("", NOT_TESTED, note="too few pairs")
    # The interval takes the pairs for independent: it can show nothing, in either direction.
    verdict = UNDECIDED if evidence.budget("variants").is_enough else NOT_TESTED
    interval = f"{found.low:+.2f} to {found.high:+.2f}"
    note = (
        f"rank correlation over {len(gains)} pairs, which share members: the interval is too narrow"
    )
    return Answer(f"{found.value:+.2f}", verdict, interval, note)


def six_together(evidence: Evidence) -> Answer:
    """The accuracy of all variants together on official val."""
    if evidence.ensemble is None:
        return NOTHING
    predictions = evidence.ensemble.predictions("val")
    value, n = top_k_accuracy(predictions, 1), len(predictions)
    interval = wilson_interval(round(value * n), n)
    verdict = against(_PAPER_ENSEMBLE, interval, counts=evidence.scale.is_papers)
    note = f"{len(evidence.variants)} variants of M3; {evidence.budget('variants').words} each"
    return Answer(share(value), verdict, between(interval), note)


def against_m4(evidence: Evidence) -> Answer:
    """The ensemble's accuracy over M4's, on the same images."""
    m4 = evidence.network("m4")
    if evidence.ensemble is None or m4 is None:
        return NOTHING
    found = paired_difference(
        right_of(evidence.ensemble.predictions("val")), right_of(m4.predictions("val"))
    )
    verdict = direction(found.interval, counts=evidence.scale.is_papers)
    note = f"McNemar's p {found.p:.3g}"
    if not evidence.scale.is_papers:
        note += "; variants and M4 have not seen equally much at this scale"
    return Answer(points(found.difference), verdict, points_between(found.interval), note)


def more_members(evidence: Evidence) -> Answer:
    """All seeds of one recipe together, against the first six of them, on the same images."""
    larger = evidence.larger
    if larger is None:
        return NOTHING
    members = [run.predictions("val") for run in larger.members]
    few = min(6, len(members) - 1)
    found = paired_difference(right_of(_mean(members)), right_of(_mean(members[:few])))
    curve = ", ".join(f"{int(row['size'])}: {share(row['mean'])}" for row in _sizes(larger))
    note = f"{len(members)} against {few} members; mean of all ensembles of each size: {curve}"
    verdict = direction(found.interval, counts=evidence.budget("larger-ensembles").is_enough)
    return Answer(points(found.difference), verdict, points_between(found.interval), note)


def _sizes(ensemble: Ensemble) -> list[dict[str, float]]:
    return list(ensemble.facts["results"]["sizes"])


def _mean(members: list[Predictions]) -> Predictions:
    return combine(members, [1.0] * len(members), "mean")
