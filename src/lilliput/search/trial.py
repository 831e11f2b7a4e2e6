"""One trial of a study: what is proposed, what comes back, and the heartbeat meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from optuna import Trial
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from sqlalchemy.exc import SQLAlchemyError

from lilliput.recipe import Recipe
from lilliput.search.ledger import BEAT


@dataclass(frozen=True)
class Proposal:
    """What a trial is to find out: how good ``recipe`` is. What it writes belongs below ``folder``."""

    number: int
    recipe: Recipe
    folder: Path


@dataclass(frozen=True)
class Report:
    """How good the trial looks after ``step`` of ``steps``: ``value`` is what pruning compares at equal steps."""

    step: int
    steps: int
    value: float


@dataclass(frozen=True)
class Result:
    """The end: ``value`` is the mean of ``fold_values``; ``images`` were judged in all folds together."""

    value: float
    fold_values: tuple[float, ...] = ()
    images: int = 0


Objective = Callable[[Proposal], Generator[object]]
"""Tries a proposal: Reports on the way, one Result at the end, and whatever else the watching caller understands.

It is closed early when the trial is pruned or stopped.
"""


class Heartbeat:
    """While the block runs, the trial's ``beat`` counts up every ``seconds``, from a thread of its own.

    Optuna's own heartbeat needs a database and its own loop; this one works with every storage.
    """

    def __init__(self, trial: Trial, seconds: float) -> None:
        self._trial = trial
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.is_lost = False
        """Whether somebody has taken this worker for dead and failed the trial."""

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        count = 0
        while not self._over.wait(self._seconds):
            count += 1
            try:
                self._trial.set_user_attr(BEAT, count)
            except UpdateFinishedTrialError:
                self.is_lost = True
                return
            except (OptunaError, SQLAlchemyError, OSError, RuntimeError):
                continue  # the storage is away for a while; the next beat tries again
