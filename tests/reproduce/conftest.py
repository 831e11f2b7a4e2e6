"""A reproduction whose steps have been made up: every claim can be asked without training anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lilliput.analysis.audit import examine, write_audit
from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.analysis.seeds import ensemble_of_seeds
from lilliput.data.pack import Pack
from lilliput.reproduce.scales import scale_named
from lilliput.reproduce.steps import AS_IT_IS, NETWORKS
from lilliput.reproduce.work import Work
from lilliput.results.ablation import Ablation, Value
from lilliput.results.metrics import top_k_accuracy
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

IDEAS = (
    "no momentum",
    "not standardised",
    "not mirrored",
    "no L2",
    "no dropout",
    "colour jitter",
    "random crop",
)
MakeRun = Callable[..., Run]


def guesses(pack: Pack, skill: float, seed: int) -> Predictions:
    """What a network of this skill says about the pack's val split."""
    val = pack["val"]
    assert val.labels is not None
    labels = np.asarray(val.labels, np.int64)
    logits = np.random.default_rng(seed).normal(size=(len(val), len(pack.classes)))
    logits[np.arange(len(val)), labels] += skill
    odds = np.exp(logits)
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(probabilities, labels, val.names)


@dataclass
class Author:
    """Makes up the steps of a reproduction in ``work``."""

    work: Work
    make_run: MakeRun

    def run(self, folder: str, recipe: str, skill: float, seed: int) -> Run:
        classes = [tuple(one) for one in self.work.pack.classes]
        name = str(self.work.folder.relative_to(self.work.folder.parent) / folder)
        run = self.make_run(name, recipe=recipe, classes=classes, skill=skill, seed=seed)
        data = {**run.environment["data"], "fingerprint": self.work.pack.fingerprint}
        run.save_environment({**run.environment, "data": data})
        run.save_predictions("val", guesses(self.work.pack, skill, seed))
        return run

    def networks(self) -> None:
        for place, name in enumerate(NETWORKS):
            self.run(name, name, 1.0 + place, 7)
            self.work.finish(name, 60)

    def ablation(self, step: str, gains: dict[str, float], *, split: str = "heldout") -> Ablation:
        """``gains`` are by value, in accuracy over 0.3; a seed adds a little of its own."""
        seeds, jitter = (1, 2, 3), (0.0, 0.004, -0.003)
        values = tuple(
            Value(
                name=name,
                changes=(),
                runs=tuple(f"runs/{name}-{seed}" for seed in seeds),
                accuracy=tuple(
                    0.3 + gain + seed_gain + 0.0005 * ((place * (i + 1)) % 4)
                    for i, seed_gain in enumerate(jitter)
                ),
            )
            for place, (name, gain) in enumerate(gains.items())
        )
        for value in values:
            for seed, run in zip(seeds, value.runs, strict=True):
                self.run(f"{step}/{run}", "m1", 2.0, seed)
        made = Ablation(
            path=self.work.place(step),
            name=step,
            claim="",
            recipe="m1",
            base={},
            fingerprint=self.work.pack.fingerprint,
            seeds=seeds,
            split=split,
            values=values,
        )
        made.save()
        self.work.finish(step, 60)
        return made

    def together(self) -> None:
        runs = [self.run(f"variants/m3-{n}", "m3", 1.5, n) for n in range(1, 7)]
        self.work.finish("variants", 60)
        make_ensemble(study_ensemble(runs), self.work.place("ensemble"))
        self.work.finish("ensemble", 1)
        larger = self.ablation("larger-ensembles", {"m1": 0.0}, split="val")
        ensemble_of_seeds(larger)

    def search(self) -> None:
        trials = [
            {"number": n, "state": "complete", "value": 0.1 + 0.02 * n, "images": 1000}
            for n in range(5)
        ]
        facts = {"format": 1, "name": "m3", "folds": 5, "trials": trials, "best": [4, 3]}
        self.work.place("search").mkdir()
        (self.work.place("search") / "study.json").write_text(json.dumps(facts))
        self.work.finish("search", 60)

    def audit(self) -> None:
        runs = [Run.open(self.work.place(name)) for name in NETWORKS]
        write_audit(examine(runs, self.work.pack), self.work.place("audit"))
        self.work.finish("audit", 5)

    def everything(self) -> None:
        self.networks()
        self.ablation("nonlinearity", {"ReLU": 0.0, "leaky ReLU": 0.0, "tanh": -0.05})
        self.ablation("ideas", {AS_IT_IS: 0.0} | dict.fromkeys(IDEAS, -0.02))
        self.ablation("residual", {"m4": 0.0, "resnet": 0.1})
        self.together()
        self.search()
        self.audit()


@pytest.fixture
def author(tmp_path: Path, tiny_pack: Pack, make_run: MakeRun) -> Author:
    """Of a reproduction in the test's own folder that has begun, at scale quick."""
    work = Work(tmp_path / "reproduction", tiny_pack, scale_named("quick"))
    work.begin()
    return Author(work, make_run)


@pytest.fixture
def top1() -> Callable[[Run], float]:
    return lambda run: top_k_accuracy(run.predictions("val"), 1)
