"""Who does what when many processes share a study: exactly N trials finish, none is lost, none counts twice.

The rules, all of them functions of the list of trials, so that every process comes to the same verdict:

- A trial is either an original or the retry of one whose worker died or was stopped; an original and its retries are a
  *chain*, known by the original's number. The first N chains are the N trials that were asked for.
- An original behind the first N, made when several processes went for the last place at once, is surplus: it fails
  before it is trained. So does the second of two retries of the same trial.
- A chain is settled when a trial of it is complete or pruned. After ``MAX_DEATHS`` dead workers it is given up: what
  kills three workers (too little memory, say) would kill the next.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from optuna.trial import FrozenTrial, TrialState

MAX_DEATHS = 3
ROOT, RETRY_OF, OUTCOME, BEAT = "root", "retry_of", "outcome", "beat"
SURPLUS, STOPPED = "surplus", "stopped"

_DONE = {TrialState.COMPLETE, TrialState.PRUNED}


@dataclass(frozen=True)
class Ledger:
    """The chains of a study of which ``wanted`` trials are to finish."""

    trials: Sequence[FrozenTrial]
    wanted: int

    @cached_property
    def chains(self) -> list[list[FrozenTrial]]:
        """The first ``wanted`` chains in the order of their originals, each in the order of its numbers."""
        chains: dict[int, list[FrozenTrial]] = {}
        for trial in sorted(self.trials, key=lambda trial: trial.number):
            if trial.user_attrs.get(OUTCOME) == SURPLUS and trial.state == TrialState.FAIL:
                continue
            root = root_of(trial)
            if root == trial.number or root in chains:
                chains.setdefault(root, []).append(trial)
        return list(chains.values())[: self.wanted]

    @property
    def finished(self) -> int:
        """How many chains are settled or given up."""
        return sum(_is_settled(chain) or _is_given_up(chain) for chain in self.chains)

    @property
    def has_work(self) -> bool:
        """Whether there is a trial to begin: one that waits, or a place that nobody has taken."""
        chains = self.chains
        return len(chains) < self.wanted or any(
            trial.state == TrialState.WAITING for chain in chains for trial in chain
        )

    @property
    def running(self) -> list[FrozenTrial]:
        """The trials that somebody trains, or has died over."""
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    @property
    def orphans(self) -> list[FrozenTrial]:
        """Failed trials whose retry is missing."""
        found = []
        for chain in self.chains:
            last = chain[-1]
            if last.state == TrialState.FAIL and not _is_settled(chain) and not _is_given_up(chain):
                found.append(last)
        return found

    def place(self, number: int) -> int | None:
        """The place, from 0, of the chain that trial ``number`` belongs to; None when the trial is surplus."""
        for place, chain in enumerate(self.chains):
            for trial in chain:
                if trial.number != number:
                    continue
                earlier = [one for one in chain if one.number < number]
                twice = any(_retried(one) == _retried(trial) for one in earlier)
                return None if twice or _is_settled(earlier) else place
        return None


def root_of(trial: FrozenTrial) -> int:
    """The number of the original that this trial is, or retries."""
    return trial.user_attrs.get(ROOT, trial.number)


def _retried(trial: FrozenTrial) -> int | None:
    return trial.user_attrs.get(RETRY_OF)


def _is_settled(chain: Sequence[FrozenTrial]) -> bool:
    return any(trial.state in _DONE for trial in chain)


def _is_given_up(chain: Sequence[FrozenTrial]) -> bool:
    died = [t for t in chain if t.state == TrialState.FAIL and OUTCOME not in t.user_attrs]
    return len(died) >= MAX_DEATHS


@dataclass
class Watch:
    """Tells dead workers from slow ones: a trial whose beat has not changed for ``seconds``, seen from here.

    Only this process's own clock is asked, so the clocks of the machines need not agree.
    """

    seconds: float
    _seen: dict[tuple[int, object], float] = field(default_factory=dict)

    def is_overdue(self, trial: FrozenTrial, sign: object) -> bool:
        """Whether ``sign`` of this trial has been the same for too long."""
        first = self._seen.setdefault((trial.number, sign), time.monotonic())
        return time.monotonic() - first > self.seconds
