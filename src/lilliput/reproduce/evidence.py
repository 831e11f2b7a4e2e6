"""What a reproduction has measured so far, read from its folder; and in what form a claim is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path

from lilliput.analysis.figures.causes import CauseNumbers, cause_numbers
from lilliput.data.pack import Pack
from lilliput.reproduce.scales import Budget, Scale
from lilliput.reproduce.steps import variants
from lilliput.reproduce.work import Work
from lilliput.results.ablation import Ablation
from lilliput.results.ensemble import Ensemble
from lilliput.results.metrics import ClassAccuracy, Evaluation, evaluate
from lilliput.results.run import Run
from lilliput.results.study import Study

MET, BEATEN, MISSED = "met", "beaten", "missed"
UNDECIDED = "undecided"  # measured, but chance alone could turn it
NOT_TESTED = "not tested at this scale"
ELSEWHERE = "not ours to test"  # about other data, other people or another time
VERDICTS = (BEATEN, MET, MISSED, UNDECIDED, NOT_TESTED, ELSEWHERE)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Answer:
    """Our side of a claim: the number and its interval as text (empty if there is none), the verdict, what to know."""

    ours: str
    verdict: str
    interval: str = ""
    note: str = ""


class Evidence:
    """The finished steps of a reproduction. What is not finished is None."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._evaluations: dict[str, Evaluation | None] = {}

    @property
    def pack(self) -> Pack:
        """The data."""
        return self.work.pack

    @property
    def scale(self) -> Scale:
        """The budgets."""
        return self.work.scale

    def budget(self, step: str) -> Budget:
        """What the step may spend."""
        return self.work.budget(step)

    def place(self, step: str) -> Path | None:
        """The folder of a finished step."""
        return self.work.place(step) if self.work.is_finished(step) else None

    def network(self, name: str) -> Run | None:
        """One of the four networks."""
        place = self.place(name)
        return Run.open(place) if place else None

    def evaluation(self, name: str) -> Evaluation | None:
        """How one of the four networks does on official val."""
        if name not in self._evaluations:
            run = self.network(name)
            found = evaluate(run.predictions("val"), run.classes) if run else None
            self._evaluations[name] = found
        return self._evaluations[name]

    def is_at_chance(self, name: str) -> bool:
        """Whether one of the four networks, trained, cannot be told from guessing: chance is within its interval."""
        found = self.evaluation(name)
        return found is not None and found.interval[0] <= 1 / len(self.pack.classes)

    def ablation(self, step: str) -> Ablation | None:
        """One of the ablations."""
        place = self.place(step)
        return Ablation.open(place) if place else None

    @cached_property
    def study(self) -> Study | None:
        """The search over M3."""
        place = self.place("search")
        return Study.open(place) if place else None

    @cached_property
    def variants(self) -> list[Run]:
        """The variants of M3; none before all are trained."""
        return variants(self.work) if self.place("variants") else []

    @cached_property
    def ensemble(self) -> Ensemble | None:
        """The variants together."""
        place = self.place("ensemble")
        return Ensemble.open(place) if place else None

    @cached_property
    def larger(self) -> Ensemble | None:
        """The seeds of one recipe together."""
        place = self.place("larger-ensembles")
        return Ensemble.open(place / "ensemble") if place else None

    @cached_property
    def causes(self) -> CauseNumbers | None:
        """What the classes look like, against M4's accuracy."""
        run = self.network("m4")
        return cause_numbers(run, self.pack) if run else None

    def class_named(self, name: str) -> tuple[int, ClassAccuracy] | None:
        """M4's rank (from 1, the best) and accuracy of a class; None before M4 is trained or without such a class."""
        found = self.evaluation("m4")
        ranked = sorted(found.per_class, key=lambda one: -one.accuracy) if found else []
        for rank, one in enumerate(ranked, start=1):
            if one.name.split(",")[0].strip().lower() == name:
                return rank, one
        return None


Measure = Callable[[Evidence], Answer]
NOTHING = Answer("", NOT_TESTED, note="its step is not finished")


def share(fraction: float, digits: int = 1) -> str:
    """A fraction as the paper prints it; a dash when it is not known."""
    return f"{100 * fraction:.{digits}f} %" if isfinite(fraction) else "\N{EN DASH}"


def between(interval: Interval, digits: int = 1) -> str:
    """An interval of fractions; empty when it is not known."""
    low, high = interval
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %" if isfinite(low) else ""


def points(fraction: float) -> str:
    """A difference of fractions in percentage points."""
    return f"{100 * fraction + 0.0:+.2f} points" if isfinite(fraction) else "\N{EN DASH}"


def points_between(interval: Interval) -> str:
    """An interval of a difference."""
    low, high = interval
    return f"{100 * low + 0.0:+.2f} to {100 * high + 0.0:+.2f}" if isfinite(low) else ""


def against(paper: float, interval: Interval, *, counts: bool) -> str:
    """The verdict on a share: beaten when even the interval's low end is above the paper's, met when it reaches it.

    No verdict, whichever way it went, unless it ``counts``: unless as much was spent as the paper spent.
    """
    if not counts:
        return NOT_TESTED
    low, high = interval
    if low > paper:
        return BEATEN
    return MET if high >= paper else MISSED


def held(truth: bool) -> str:
    """The verdict on something that is so or not."""
    return MET if truth else MISSED


def direction(interval: Interval, *, counts: bool) -> str:
    """The verdict on "it helps": met when the whole interval of the gain is above 0, missed when it is below.

    No verdict, whichever way it went, unless it ``counts``: what a short training shows, a long one may turn.
    """
    low, high = interval
    if not counts or not isfinite(low):
        return NOT_TESTED
    if low == high:  # a few seeds that happen to differ by the same number of images
        return UNDECIDED
    if low > 0:
        return MET
    return MISSED if high < 0 else UNDECIDED
