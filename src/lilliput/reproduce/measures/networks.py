"""Measures of the four networks: what they are made of, how accurate they get, how they learn. Paper: §4.1, §5."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from lilliput.analysis.figures.curves import PAPER_ACCURACY
from lilliput.analysis.figures.filters import filter_numbers
from lilliput.analysis.paired import paired_difference, right_of
from lilliput.notation import ZOO, Conv, parse, trace
from lilliput.recipe import load_recipe
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
    held,
    share,
)
from lilliput.reproduce.steps import NETWORKS
from lilliput.results.metrics import wilson_interval

_IMAGE = (3, 64, 64)
_HALF = 0.5
_WELL_ABOVE = 2  # times chance: below it a curve is mostly noise


def accuracy(name: str, evidence: Evidence) -> Answer:
    """Top-1 on official val, with Wilson's interval."""
    found = evidence.evaluation(name)
    if found is None:
        return NOTHING
    verdict = against(PAPER_ACCURACY[name], found.interval, counts=evidence.scale.is_papers)
    note = f"{evidence.budget(name).words}; {found.n:,} official validation images, the paper's are test images"
    if evidence.is_at_chance(name):
        note = f"at chance: guessing gets {share(1 / len(evidence.pack.classes))}; {note}"
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
    right = [
        right_of(run.predictions("val")) for name in NETWORKS if (run := evidence.network(name))
    ]
    steps = [paired_difference(after, before).interval for before, after in pairwise(right)]
    if any(high < 0 for _, high in steps):
        return Answer(text, MISSED)
    verdict = MET if all(low > 0 for low, _ in steps) else UNDECIDED
    return Answer(text, verdict, note="each step judged on the same images")


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
    worse = 1 - max(shares) > paper
    # Whatever is hardly trained is wrong more often: only networks trained as long as the paper's tell.
    verdict = held(worse) if evidence.scale.is_papers else NOT_TESTED
    return Answer(f"{share(1 - max(shares))} wrong", verdict, note=note)


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
    """M4's validation loss or accuracy after its first and its last epoch; judged where it is well above chance."""
    run, found = evidence.network("m4"), evidence.evaluation("m4")
    if run is None or found is None:
        return NOTHING
    first, last, epochs = run.history[0], run.history[-1], len(run.history)
    chance = 1 / len(run.classes)
    note = f"over {epochs} epochs; guessing gets {share(chance)}"
    is_clear = epochs > 1 and found.interval[0] > _WELL_ABOVE * chance
    if series == "loss":
        text = f"{first.val_loss:.2f} to {last.val_loss:.2f}"
        verdict = held(last.val_loss < first.val_loss) if is_clear else NOT_TESTED
        return Answer(text, verdict, note=note)
    before, after = (
        wilson_interval(round(one.val_accuracy * found.n), found.n) for one in (first, last)
    )
    verdict = MET if after[0] > before[1] else (MISSED if after[1] < before[0] else UNDECIDED)
    text = f"{share(first.val_accuracy)} to {share(last.val_accuracy)}"
    interval = f"{between(before)}; {between(after)}"
    return Answer(text, verdict if is_clear else NOT_TESTED, interval, note)


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
    verdict = held(is_smooth) if evidence.budget("m4").is_enough else NOT_TESTED
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
    if evidence.is_at_chance("m4"):
        note += "; M4 is at chance"
    if paper > _HALF:
        verdict = against(paper, one.interval, counts=evidence.scale.is_papers)
    else:  # a class the paper found hard: doing better than it says is what refutes it
        verdict = held(one.interval[0] <= paper) if evidence.scale.is_papers else NOT_TESTED
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
    interval, named = those[0].interval, evidence.class_named(wanted)
    if not evidence.scale.is_papers or named is None:
        verdict = NOT_TESTED
    elif is_same:
        verdict = MET if len(those) == 1 else UNDECIDED
    else:  # a class whose interval meets the extreme one's may be the extreme one
        low, high = named[1].interval
        verdict = UNDECIDED if low <= interval[1] and interval[0] <= high else MISSED
    note = "M4 is at chance" if evidence.is_at_chance("m4") else ""
    return Answer(f"{names}{more}: {share(value, 0)}", verdict, between(interval, 0), note)


def _convolutions(name: str) -> int:
    return sum(isinstance(layer, Conv) for layer in parse(ZOO[name].notation).layers)


def _size(name: str) -> tuple[int, int]:
    """Filters and parameters."""
    plan = parse(ZOO[name].notation)
    filters = sum(layer.filters for layer in plan.layers if isinstance(layer, Conv))
    return filters, sum(one.parameters for one in trace(plan, _IMAGE))
