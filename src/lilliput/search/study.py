"""A study: N trials of a recipe's values, worked off by any number of processes that run the same command.

:func:`run_study` is a generator like the training loop; whoever leaves it puts the trial at hand back into the queue.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from lilliput.errors import RunError, TrainingError, UsageError
from lilliput.overrides import differences
from lilliput.recipe import Recipe
from lilliput.results.study import FILE, Study
from lilliput.search.ledger import (
    BEAT,
    OUTCOME,
    RETRY_OF,
    ROOT,
    STOPPED,
    SURPLUS,
    Ledger,
    Watch,
    root_of,
)
from lilliput.search.record import Recorder
from lilliput.search.samplers import pruner_for, sampler_for, suggest
from lilliput.search.settings import StudySettings, check_settings
from lilliput.search.space import Scalar, Space, with_values
from lilliput.search.storage import open_storage, shown
from lilliput.search.trial import Heartbeat, Objective, Proposal, Report, Result

_TAKEN = (
    UpdateFinishedTrialError,
    ValueError,
)  # what telling a trial raises that somebody else has ended


@dataclass(frozen=True)
class Started:
    """A trial begins: ``retry_of`` is the number of the one it repeats, if it does."""

    number: int
    parameters: Mapping[str, Scalar]
    epochs: int
    retry_of: int | None


@dataclass(frozen=True)
class Ended:
    """A trial is over: complete, pruned, or failed because somebody took this worker for dead."""

    number: int
    state: str
    value: float | None
    reason: str
    finished: int


@dataclass(frozen=True)
class Waiting:
    """Nothing is left to begin, but ``running`` trials of others are not over; one of them may have to be repeated."""

    finished: int
    running: int


class _Lost(Exception):
    """Another worker has taken this one for dead."""


def run_study(
    settings: StudySettings, recipe: Recipe, space: Space, objective: Objective, data: str = ""
) -> Generator[object]:
    """Work on a study until its trials are finished; what the objective tells is handed on between Started and Ended.

    ``data`` is the fingerprint of what is trained on. To go on with a study, or to help with it, run it again.
    Raises: UsageError when a study of this name searches something else; LilliputError of every kind.
    """
    check_settings(settings, space)
    study = _open_study(settings, recipe, space, data)
    recorder = Recorder(
        study, settings.folder, recipe, space, _facts(settings, recipe), settings.best
    )
    worker = _Worker(settings, recipe, space, objective, study, recorder)
    recorder.write(settings.trials)
    yield from worker.work()
    recorder.write(settings.trials, with_importance=True)


@dataclass
class _Worker:
    settings: StudySettings
    recipe: Recipe
    space: Space
    objective: Objective
    study: optuna.Study
    recorder: Recorder

    def work(self) -> Generator[object]:
        watch = Watch(self.settings.stale_seconds)
        while True:
            ledger = self._ledger()
            if self._rescue(ledger, watch):
                continue
            if ledger.finished >= self.settings.trials:
                return
            if not ledger.has_work:
                yield Waiting(ledger.finished, len(ledger.running))
                time.sleep(self.settings.poll_seconds)
            elif trial := self._claim():
                yield from self._try(trial)

    def _ledger(self) -> Ledger:
        return Ledger(self.study.get_trials(deepcopy=False), self.settings.trials)

    def _rescue(self, ledger: Ledger, watch: Watch) -> bool:
        """Fail the trials of dead workers and queue them again; whoever's failing comes first does the queueing."""
        dead = [t for t in ledger.running if watch.is_overdue(t, t.user_attrs.get(BEAT, 0))]
        for trial in dead:
            with suppress(*_TAKEN):
                self.study.tell(trial.number, state=TrialState.FAIL)
                self._queue_again(trial.number, root_of(trial), trial.params)
        # An orphan for long: the one who failed it died before queueing it.
        lost = [trial for trial in ledger.orphans if watch.is_overdue(trial, "orphan")]
        for trial in lost:
            self._queue_again(trial.number, root_of(trial), trial.params)
        return bool(dead or lost)

    def _queue_again(self, number: int, root: int, parameters: Mapping[str, Any]) -> None:
        if any(orphan.number == number for orphan in self._ledger().orphans):
            attributes = {ROOT: root, RETRY_OF: number}
            self.study.enqueue_trial(dict(parameters), user_attrs=attributes)

    def _claim(self) -> optuna.Trial | None:
        """The next trial with its values chosen; None when it turned out to be surplus."""
        self.study.sampler = RandomSampler(seed=0)  # asked for nothing: the trial's own comes below
        trial = self.study.ask()
        place = self._ledger().place(trial.number)
        try:
            if place is None:
                trial.set_user_attr(OUTCOME, SURPLUS)
                self.study.tell(trial, state=TrialState.FAIL)
                return None
            self.study.sampler = sampler_for(
                self.settings.sampler, self.space, self.recipe.seed, trial.number, place
            )
            for parameter in self.space.parameters:
                suggest(trial, parameter)
            trial.set_user_attr("host", socket.gethostname())
        except _TAKEN:
            return None
        return trial

    def _try(self, trial: optuna.Trial) -> Generator[object]:
        folder = self.settings.folder / "trials" / f"{trial.number:04}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            state, value, reason = yield from self._train(trial, folder)
            self._tell(trial, state, value, reason)
        except _Lost:
            shutil.rmtree(folder, ignore_errors=True)
            yield Ended(trial.number, "failed", None, "taken for dead", self._ledger().finished)
            return
        except (
            BaseException
        ):  # a stop, a full disk, a bug: whatever it is, the trial itself is not to blame
            self._give_back(trial)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        for left in folder.glob("*/checkpoints"):
            shutil.rmtree(left, ignore_errors=True)
        self.recorder.write(self.settings.trials)
        yield Ended(trial.number, state, value, reason, self._ledger().finished)

    def _train(
        self, trial: optuna.Trial, folder: Path
    ) -> Generator[object, None, tuple[str, float | None, str]]:
        """State, value and reason in the end. Raises: _Lost."""
        values = {"name": f"{self.recipe.name}-{trial.number}", **self.space.values(trial.params)}
        epochs = int(values.get("training.epochs", self.recipe.training.epochs))
        retry_of = trial.user_attrs.get(RETRY_OF)
        yield Started(trial.number, dict(trial.params), epochs, retry_of)
        try:
            recipe = with_values(self.recipe, values)
        except UsageError as error:  # two values that are fine apart and not together
            return "pruned", None, str(error)
        events = self.objective(Proposal(trial.number, recipe, folder))
        try:
            with Heartbeat(trial, self.settings.heartbeat_seconds) as heart, closing(events):
                for event in events:
                    if heart.is_lost:
                        raise _Lost
                    if isinstance(event, Result):
                        trial.set_user_attr("fold_values", list(event.fold_values))
                        trial.set_user_attr("images", event.images)
                        return "complete", event.value, ""
                    yield event
                    if isinstance(event, Report) and self._is_hopeless(trial, event):
                        where = f"step {event.step} of {event.steps}"
                        return "pruned", None, f"given up by {self.settings.pruner} at {where}"
        except TrainingError as error:
            # A rate that is too high: a finding about the point, not an accident. The sampler takes it for the worst.
            return "pruned", None, str(error)
        except UpdateFinishedTrialError as error:
            raise _Lost from error
        raise RuntimeError(f"the objective ended trial {trial.number} without a Result")

    def _is_hopeless(self, trial: optuna.Trial, report: Report) -> bool:
        trial.report(report.value, report.step)
        return report.step < report.steps and trial.should_prune()

    def _tell(self, trial: optuna.Trial, state: str, value: float | None, reason: str) -> None:
        try:
            if reason:
                trial.set_user_attr("reason", reason)
            if state == "complete":
                self.study.tell(trial, value)
            else:
                self.study.tell(trial, state=TrialState.PRUNED)
        except _TAKEN as error:
            raise _Lost from error

    def _give_back(self, trial: optuna.Trial) -> None:
        with suppress(*_TAKEN):
            trial.set_user_attr(OUTCOME, STOPPED)
            self.study.tell(trial, state=TrialState.FAIL)
            root = trial.user_attrs.get(ROOT, trial.number)
            self._queue_again(trial.number, root, trial.params)


def _open_study(settings: StudySettings, recipe: Recipe, space: Space, data: str) -> optuna.Study:
    storage = open_storage(settings.storage, settings.folder)
    epochs = max(
        (int(e) for p in space.parameters if p.name == "training.epochs" for e in p.ends),
        default=recipe.training.epochs,
    )
    study = optuna.create_study(
        storage=storage,
        study_name=settings.name,
        direction="maximize",
        load_if_exists=True,
        pruner=pruner_for(settings.pruner, epochs * max(settings.folds, 1)),
    )
    identity = {
        "recipe": recipe.model_dump(mode="json"),
        "space": dict(space.table),
        "folds": settings.folds,
        "holdout": settings.holdout,
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "data": data,
    }
    if "identity" not in study.user_attrs:
        study.set_user_attr("identity", identity)
    if changed := differences(study.user_attrs["identity"], identity):
        listing = "".join(f"\n  {line}" for line in changed)
        raise UsageError(
            f"the study {settings.name} searches something else:{listing}",
            "go on with what it began with, or give this one a name of its own: --study NAME",
        )
    _check_folder(settings, study)
    return study


def _check_folder(settings: StudySettings, study: optuna.Study) -> None:
    """A folder that holds the trials of a storage that is gone would be mixed up with new ones."""
    if (settings.folder / FILE).is_file() and not study.get_trials(deepcopy=False):
        old = Study.open(settings.folder)
        if old.trials:
            raise RunError(
                f"{settings.folder} holds {len(old.trials)} trials that {shown(settings.storage)} "
                "knows nothing of",
                "name another folder with --to, or the --storage it was searched with",
            )


def _facts(settings: StudySettings, recipe: Recipe) -> dict[str, Any]:
    return {
        "name": settings.name,
        "recipe": recipe.name,
        "folds": settings.folds,
        "holdout": settings.holdout,
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "storage": shown(settings.storage),
    }
