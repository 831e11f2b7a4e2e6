"""Measures of the four networks: what they are made of, how accurate they get, how they learn. Paper: §4.1, §5."""

from __future__ import annotations

from statistics import median

import numpy as np

from lilliput.analysis.figures.curves import PAPER_ACCURACY
from lilliput.analysis.figures.filters import filter_numbers
from lilliput.notation import ZOO, Conv, parse, trace
from lilliput.recipe import load_recipe
from lilliput.reproduce.evidence import (
    MET,
    NOT_TESTED,
    NOTHING,
    Answer,
    Evidence,
    against,
    between,
    held,
    share,
)
from lilliput.reproduce.steps import NETWORKS

_IMAGE = (3, 64, 64)


def accuracy(name: str, evidence: Evidence) -> Answer:
    """Top-1 on official val, with Wilson's interval."""
    found = evidence.evaluation(name)
    if found is None:
        return NOTHING
    verdict = against(PAPER_ACCURACY[name], found.interval, counts=evidence.scale.is_papers)
    note = f"{evidence.budget(name).words}; {found.n:,} official validation images, the paper's are test images"
    return Answer(share(found.top1), verdict, between(found.interval), note)


def order(evidence: Evidence) -> Answer:
    """Whether every network of the table is better than the one before."""
    found = [evidence.evaluation(name) for name in NETWORKS]
    known = [one.top1 for one in found if one is not None]
    if len(known) < len(NETWORKS):
        return NOTHING
    text = (
        " < ".join(share(one) for one in known)
        if sorted(known) == known
        else "no: "
        + ", ".join(f"{name} {share(one)}" for name, one in zip(NETWORKS, known, strict=True))
    )
    if not evidence.scale.is_papers:
        return Answer(
            text, NOT_TESTED, note="the networks have not seen equally much at this scale"
        )
    return Answer(text, held(sorted(known) == known))


def layers(name: str, wanted: int, evidence: Evidence) -> Answer:
    """How many convolutions and how many fully connected layers before the last."""
    plan = parse(ZOO[name].notation)
    convolutions = [layer for layer in plan.layers if isinstance(layer, Conv)]
    filters = sum(layer.filters for layer in convolutions)
    text = f"{len(convolutions)} convolutions, {filters} filters"
    return Answer(text, held(len(convolutions) == wanted), note=ZOO[name].notation)


def larger(name: str, other: str, evidence: Evidence) -> Answer:
    """Filters and parameters of two networks."""
    mine, theirs = _size(name), _size(other)
    text = f"{mine[0]} filters against {theirs[0]}"
    note = f"in parameters {name} has {mine[1] / 1e6:.1f} million, {other} {theirs[1] / 1e6:.1f} million"
    return Answer(text, held(mine[0] > theirs[0]), note=note)


def deepest(evidence: Evidence) -> Answer:
    """Convolutions and filters of all four."""
    sizes = {name: (_convolutions(name), _size(name)[0]) for name in NETWORKS}
    text = ", ".join(f"{name} {depth} and {filters}" for name, (depth, filters) in sizes.items())
    return Answer(text, held(max(sizes.values()) == sizes["m4"]), note="convolutions and filters")


def speed(evidence: Evidence) -> Answer:
    """Images per second of M3's training over M4's: the medians of their epochs."""
    runs = [evidence.network(name) for name in ("m3", "m4")]
    rates = [median(epoch.images_per_second for epoch in run.history) for run in runs if run]
    if len(rates) < 2:
        return NOTHING
    text = f"{rates[0]:,.0f} against {rates[1]:,.0f} images a second"
    return Answer(text, held(rates[0] > rates[1]), note="M3 against M4, on this machine")


def error_rate(paper: float, evidence: Evidence) -> Answer:
    """The error of the best network or ensemble, against the best of the large data set."""
    shares = [found.top1 for name in NETWORKS if (found := evidence.evaluation(name))]
    if evidence.ensemble:
        shares.append(best_of_ensemble(evidence))
    if not shares:
        return NOTHING
    note = "the paper's number counts five guesses per picture, ours one"
    return Answer(f"{share(1 - max(shares))} wrong", held(1 - max(shares) > paper), note=note)


def best_of_ensemble(evidence: Evidence) -> float:
    """The accuracy of all variants of M3 together; nan before there is an ensemble."""
    if not evidence.ensemble:
        return float("nan")
    return float(evidence.ensemble.facts["results"]["sizes"][-1]["mean"])


def recipe_says(name: str, wanted: dict[str, object], evidence: Evidence) -> Answer:
    """What the shipped recipe says, against the paper's hyper-parameters."""
    table = load_recipe(name).model_dump(mode="json")
    found = {}
    for key in wanted:
        section, _, field = key.partition(".")
        found[key] = table[section][field]
    text = ", ".join(f"{key.partition('.')[2]} {value}" for key, value in found.items())
    return Answer(text, held(found == wanted), note=f"recipe {name}; the scale may shorten it")


def recipes_within(key: str, low: float, high: float, evidence: Evidence) -> Answer:
    """The value of one key in the recipes of all four networks."""
    section, _, field = key.partition(".")
    values = {n: load_recipe(n).model_dump()[section][field] for n in NETWORKS}
    text = ", ".join(f"{name} {value:g}" for name, value in values.items())
    return Answer(text, held(all(low <= value <= high for value in values.values())))


def learning(series: str, evidence: Evidence) -> Answer:
    """M4's validation loss or accuracy, first and last epoch; before the first epoch it is what chance gives."""
    run = evidence.network("m4")
    if run is None:
        return NOTHING
    history, k = run.history, len(run.classes)
    if series == "loss":
        before, after = float(np.log(k)), history[-1].val_loss
        text = f"{before:.2f} untrained to {after:.2f}"
        return Answer(text, _shows(after < before, evidence), note=f"after {len(history)} epochs")
    before, after = 1 / k, history[-1].val_accuracy
    return Answer(
        f"{share(before)} by chance to {share(after)}",
        _shows(after > before, evidence),
        note=f"after {len(history)} epochs",
    )


def smooth_filters(evidence: Evidence) -> Answer:
    """The mean smoothness of M4's first filters, and how many are no smoother than noise."""
    run = evidence.network("m4")
    numbers = filter_numbers(run) if run else None
    if numbers is None:
        return NOTHING
    found, noise = numbers.smoothness, numbers.noise
    text = (
        f"smoothness {found.value:.2f}, {numbers.noisy} of {len(numbers.each)} filters like noise"
    )
    is_smooth = found.low > noise and numbers.noisy <= len(numbers.each) / 2
    verdict = held(is_smooth) if is_smooth or evidence.scale.is_papers else NOT_TESTED
    note = f"1 is even; of filters of pure noise one in twenty exceeds {noise:.2f}"
    return Answer(text, verdict, f"{found.low:.2f} to {found.high:.2f}", note)


def class_accuracy(name: str, paper: float, evidence: Evidence) -> Answer:
    """M4's accuracy on one class and its rank among all."""
    found = evidence.class_named(name)
    total = len(evidence.pack.classes)
    if found is None:
        return Answer("", NOT_TESTED, note=f"the data has no class {name}")
    rank, one = found
    note = f"rank {rank} of {total}; {one.n} images"
    is_best = paper > 0.5
    verdict = against(paper, one.interval, counts=evidence.scale.is_papers)
    if not is_best:  # the worst class: low is what was found
        reached = one.interval[0] <= paper
        verdict = MET if reached and evidence.scale.is_papers else NOT_TESTED
    return Answer(f"{share(one.accuracy, 0)}, rank {rank}", verdict, between(one.interval, 0), note)


def extreme_class(best: bool, wanted: str, evidence: Evidence) -> Answer:
    """M4's best or worst class."""
    found = evidence.evaluation("m4")
    if found is None:
        return NOTHING
    ranked = sorted(found.per_class, key=lambda one: (-one.accuracy, one.name))
    value = ranked[0].accuracy if best else ranked[-1].accuracy
    those = [one for one in ranked if one.accuracy == value]
    names = ", ".join(one.name.split(",")[0] for one in those[:3])
    more = f" and {len(those) - 3} more" if len(those) > 3 else ""
    is_same = wanted in {one.name.split(",")[0].strip().lower() for one in those}
    verdict = MET if is_same and len(those) == 1 else held(is_same)
    if not evidence.scale.is_papers and verdict != MET:
        verdict = NOT_TESTED
    if len(those) > 1 and not evidence.scale.is_papers:
        verdict = NOT_TESTED  # many classes share the extreme while a network knows little
    interval = between(those[0].interval, 0)
    return Answer(f"{names}{more}: {share(value, 0)}", verdict, interval)


def _shows(truth: bool, evidence: Evidence) -> str:
    return held(truth) if truth or evidence.budget("m4").is_enough else NOT_TESTED


def _convolutions(name: str) -> int:
    return sum(isinstance(layer, Conv) for layer in parse(ZOO[name].notation).layers)


def _size(name: str) -> tuple[int, int]:
    """Filters and parameters."""
    plan = parse(ZOO[name].notation)
    filters = sum(layer.filters for layer in plan.layers if isinstance(layer, Conv))
    return filters, sum(one.parameters for one in trace(plan, _IMAGE))
