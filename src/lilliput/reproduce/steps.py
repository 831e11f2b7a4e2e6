"""The steps of a reproduction, in order: each a generator that goes on where it stopped. Paper: all of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lilliput.analysis.audit import examine, write_audit
from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.analysis.figures import save_figures, save_pictures
from lilliput.analysis.seeds import ensemble_of_seeds
from lilliput.api import submit
from lilliput.experiment import Runtime
from lilliput.experiment import Step as TrainingStep
from lilliput.predicting import predictions_of
from lilliput.recipe import Recipe, load_recipe
from lilliput.reproduce.work import Work
from lilliput.results.ablation import Ablation
from lilliput.results.atomic import write_text
from lilliput.results.ensemble import Ensemble
from lilliput.results.history import Epoch
from lilliput.results.metrics import top_k_accuracy
from lilliput.results.run import Run
from lilliput.results.study import Study
from lilliput.search.ablation import Training, ablation_steps, train_once
from lilliput.search.design import Design, Variant, load_design
from lilliput.search.folds import search_steps
from lilliput.search.settings import StudySettings
from lilliput.search.space import load_space
from lilliput.search.study import Ended, Started

Events = Generator[Any]
NETWORKS = ("m1", "m2", "m3", "m4")
# The ideas of section 7 and the claims of 3.2, 4.3 and 4.4: all vary M1 and share its runs as it is.
DROP_SHARE = 0.05
IDEAS = (
    "momentum",
    "standardising",
    "mirroring",
    "regularisation",
    "colour-jitter",
    "random-crop",
    "box-crop",
    "drop-hard",
)
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Step:
    """What a step makes, in words, and the work itself."""

    title: str
    work: Callable[[Work], Events]


def reproduce_steps(work: Work) -> Events:
    """Do every step that is not done yet; what happens comes out as texts and as the events of the trainings.

    Whoever leaves the loop early leaves a checkpoint behind. Raises: LilliputError of every kind.
    """
    work.begin()
    with work.alone():
        for number, (name, step) in enumerate(STEPS.items(), start=1):
            heading = f"step {number}/{len(STEPS)}  {step.title}"
            if work.is_finished(name):
                yield f"{heading}: already done"
                continue
            yield heading
            started = time.monotonic()
            yield from step.work(work)
            work.finish(name, time.monotonic() - started)


def drop_list(work: Work) -> Path:
    """The training images that the audit found hard, as data.drop takes them."""
    return work.place("audit") / "drop.txt"


def ideas_design(work: Work) -> Design:
    """The ideas as one ablation, so that they share the runs of the recipe as it is; those the data can show."""
    values = [Variant(name=AS_IT_IS)]
    for name in IDEAS:
        if _is_possible(name, work):
            given = [f"data.drop={drop_list(work).resolve()}"] if name == "drop-hard" else []
            values += load_design(name, given).values[1:]
    first = load_design(IDEAS[0])
    design = first.model_copy(update={"name": "ideas", "values": tuple(values)})
    return _scaled(design, work, "ideas")


def _is_possible(idea: str, work: Work) -> bool:
    if idea == "box-crop":
        return bool((np.asarray(work.pack["train"].boxes)[:, 0] >= 0).any())
    if idea == "drop-hard":
        lines = drop_list(work).read_text("utf-8", "surrogateescape").splitlines()
        return any(line and not line.startswith("#") for line in lines)
    return True


def variants(work: Work) -> list[Run]:
    """The trained variants of M3, in the order of the search's ranking."""
    folders = sorted(work.place("variants").glob("m3-*"))
    return [Run.open(folder) for folder in folders]


def _network(name: str, work: Work) -> Events:
    recipe = load_recipe(name, work.changes(name))
    yield Training(
        f"{name}: {work.budget(name).words}", recipe.training.epochs, 1, 1, work.place(name)
    )
    yield from _train_and_judge(recipe, work, work.place(name))


def _ablation(name: str, work: Work) -> Events:
    design = _scaled(load_design(name), work, name)
    yield from ablation_steps(design, work.pack, work.place(name), device=work.device)


def _audit(work: Work) -> Events:
    place = work.clear("audit")
    runs = [Run.open(folder) for folder in _judges(work)]
    yield f"asking {len(runs)} networks which images are hard"
    write_audit(examine(runs, work.pack, drop_share=DROP_SHARE), place)


def _judges(work: Work) -> list[Path]:
    """The runs an audit asks: the four networks, and what the best trial of the search said of the folds held out."""
    best = Study.open(work.place("search")).best[:1]
    folds = [
        fold for trial in best for fold in sorted((work.place("search") / trial.folder).glob("*/"))
    ]
    return [*(work.place(name) for name in NETWORKS), *folds]


def _ideas(work: Work) -> Events:
    yield from ablation_steps(
        ideas_design(work), work.pack, work.place("ideas"), device=work.device
    )


def _scaled(design: Design, work: Work, step: str) -> Design:
    """The design with the step's budget in place of its own."""
    budget = work.budget(step)
    holdout = budget.holdout if design.holdout else 0.0
    changes = {"changes": work.changes(step), "seeds": budget.seeds, "holdout": holdout}
    return design.model_copy(update=changes)


def _larger_ensembles(work: Work) -> Events:
    yield from _ablation("larger-ensembles", work)
    yield "averaging every subset of the seeds"
    ensemble_of_seeds(Ablation.open(work.place("larger-ensembles")))


def _search(work: Work) -> Events:
    budget, place = work.budget("search"), work.place("search")
    holdout = 0.0 if budget.folds else budget.holdout
    settings = StudySettings(
        name="m3",
        folder=place,
        trials=budget.trials,
        folds=budget.folds,
        holdout=holdout,
        best=work.budget("variants").models,
        stale_seconds=30.0,  # nobody else works here: what gives no sign was killed
    )
    recipe = load_recipe("m3", work.changes("search"))
    events = search_steps(settings, recipe, load_space("m3"), work.pack, work.device)
    for event in events:
        if isinstance(event, Started):
            tried = ", ".join(f"{key} {_short(value)}" for key, value in event.parameters.items())
            title = f"trial {event.number + 1}: {tried}"
            yield Training(title, event.epochs, event.number + 1, budget.trials, place)
        elif isinstance(event, Ended) and event.value is not None:
            yield f"trial {event.number + 1}: {100 * event.value:.2f} % of the images held out"
        elif isinstance(event, (Runtime, TrainingStep, Epoch)):
            yield event


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _variants(work: Work) -> Events:
    budget = work.budget("variants")
    paths = Study.open(work.place("search")).best_recipes[: budget.models]
    for place, path in enumerate(paths, start=1):
        name = f"m3-{place}"
        # The recipe holds out what the search judged on; now all of train is for training. Each has a seed of its own.
        whole = ("data.holdout=0.0", "data.folds=0", f"seed={place}", f"name={name}")
        recipe = load_recipe(path, [*whole, *work.changes("variants")])
        folder = work.place("variants") / name
        yield Training(f"{name}: {budget.words}", recipe.training.epochs, place, len(paths), folder)
        yield from _train_and_judge(recipe, work, folder)


def _train_and_judge(recipe: Recipe, work: Work, folder: Path) -> Events:
    """Train, and see to it that the run has said what it thinks of official val."""
    yield from train_once(recipe, work.pack, folder, device=work.device)
    predictions_of(Run.open(folder), split="val")


def _ensemble(work: Work) -> Events:
    runs = variants(work)
    yield f"averaging all {2 ** len(runs) - 1} subsets of {len(runs)} networks"
    make_ensemble(study_ensemble(runs), work.clear("ensemble"))


def _pictures(work: Work) -> Events:
    yield "drawing the figures"
    for name in NETWORKS:
        save_figures(Run.open(work.place(name)))
    save_pictures(Run.open(work.place("m4")), work.pack)
    save_figures(Ensemble.open(work.place("ensemble")))


def _submission(work: Work) -> Events:
    place = work.clear("submission")
    place.mkdir(parents=True)
    singles = (Run.open(work.place(name)) for name in NETWORKS)
    candidates: list[Run | Ensemble] = [*singles, Ensemble.open(work.place("ensemble"))]
    judged = {one.name: top_k_accuracy(one.predictions("val"), 1) for one in candidates}
    best = max(candidates, key=lambda one: judged[one.name])
    if "test" not in work.pack:
        yield f"{work.pack.path} has no test images: nothing to submit"
        return
    yield f"the best of val is {best.name}: it labels the test images"
    written = submit(best, work.pack, place / "submission.txt")
    facts = {"classifier": best.name, "val": judged[best.name], "images": written.images}
    write_text(place / "submission.json", json.dumps(facts) + "\n")


STEPS: dict[str, Step] = {
    "m1": Step("Table 1, M1", partial(_network, "m1")),
    "m2": Step("Table 1, M2", partial(_network, "m2")),
    "m3": Step("Table 1, M3", partial(_network, "m3")),
    "m4": Step("Table 1, M4, and with it Fig. 2 to 6", partial(_network, "m4")),
    "nonlinearity": Step("section 4.2, nonlinearities", partial(_ablation, "nonlinearity")),
    "search": Step("section 6.1, hyper-parameters of M3 by cross-validation", _search),
    "variants": Step("section 6.1, the best of them trained", _variants),
    "ensemble": Step("section 6.2, every subset of them (Fig. 7)", _ensemble),
    "audit": Step("section 1.2, images that are hard (Fig. 1)", _audit),
    "ideas": Step("sections 3.2, 4.3, 4.4 and 7, one change at a time", _ideas),
    "residual": Step("section 7, a deeper residual network", partial(_ablation, "residual")),
    "larger-ensembles": Step("section 7, larger ensembles", _larger_ensembles),
    "pictures": Step("Fig. 1 to 6", _pictures),
    "submission": Step("section 1.1, the labels of the test images", _submission),
}
