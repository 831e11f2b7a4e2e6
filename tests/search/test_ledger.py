"""The rules of sharing, on made-up lists of trials."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from lilliput.search.ledger import MAX_DEATHS, Ledger, Watch

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
RUNNING, WAITING = TrialState.RUNNING, TrialState.WAITING


def ledger(wanted: int, *trials: tuple[TrialState, dict[str, Any]] | TrialState) -> Ledger:
    """Trials in the order of their numbers: a state, or (state, user attributes)."""
    made: list[FrozenTrial] = []
    for number, one in enumerate(trials):
        state, attributes = one if isinstance(one, tuple) else (one, {})
        value = 0.5 if state == COMPLETE else None
        trial = create_trial(state=state, value=value, user_attrs=attributes)
        trial.number = number
        made.append(trial)
    return Ledger(made, wanted)


def retry(state: TrialState, of: int, root: int) -> tuple[TrialState, dict[str, Any]]:
    return state, {"retry_of": of, "root": root}


SURPLUS = (FAIL, {"outcome": "surplus"})
STOPPED = (FAIL, {"outcome": "stopped"})


def test_originals_behind_the_last_place_are_surplus() -> None:
    book = ledger(2, RUNNING, RUNNING, RUNNING)
    assert [book.place(number) for number in range(3)] == [0, 1, None]
    assert not book.has_work


def test_discarded_trials_take_no_place() -> None:
    book = ledger(3, COMPLETE, SURPLUS, COMPLETE, RUNNING)
    assert book.place(3) == 2
    assert book.finished == 2
    assert not book.has_work
    assert ledger(4, COMPLETE, SURPLUS, COMPLETE, RUNNING).has_work


def test_a_dead_trial_keeps_its_place_until_it_is_repeated() -> None:
    book = ledger(2, FAIL, RUNNING)
    assert [trial.number for trial in book.orphans] == [0]
    assert not book.has_work  # so nobody begins a new one in its place
    book = ledger(2, FAIL, RUNNING, retry(WAITING, 0, 0))
    assert not book.orphans
    assert book.has_work
    assert book.place(2) == 0
    assert ledger(2, FAIL, COMPLETE, retry(COMPLETE, 0, 0)).finished == 2


def test_a_retry_goes_before_an_original_that_came_in_between() -> None:
    book = ledger(2, FAIL, RUNNING, RUNNING, retry(WAITING, 0, 0))
    assert book.place(2) is None
    assert book.place(3) == 0


def test_of_two_retries_only_the_first_counts() -> None:
    book = ledger(1, FAIL, retry(RUNNING, 0, 0), retry(RUNNING, 0, 0))
    assert book.place(1) == 0
    assert book.place(2) is None


def test_what_is_settled_is_not_repeated() -> None:
    book = ledger(1, FAIL, retry(COMPLETE, 0, 0), retry(WAITING, 0, 0))
    assert book.place(2) is None
    assert book.finished == 1


def test_pruned_trials_are_finished() -> None:
    assert ledger(2, PRUNED, COMPLETE).finished == 2


def test_what_kills_every_worker_is_given_up() -> None:
    dead = [FAIL, *(retry(FAIL, number, 0) for number in range(MAX_DEATHS - 1))]
    book = ledger(1, *dead)
    assert book.finished == 1
    assert not book.orphans
    stopped = [STOPPED, *((FAIL, {**STOPPED[1], "retry_of": n, "root": 0}) for n in range(5))]
    assert [trial.number for trial in ledger(1, *stopped).orphans] == [5]


def test_more_trials_may_be_asked_for_later() -> None:
    trials = [COMPLETE, COMPLETE, SURPLUS]
    assert ledger(2, *trials).finished == 2
    assert ledger(4, *trials).has_work


def test_a_beat_that_stands_still_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    watch, trial = Watch(10), ledger(1, RUNNING).trials[0]
    assert not watch.is_overdue(trial, 1)
    clock[0] = 9
    assert not watch.is_overdue(trial, 1)
    clock[0] = 11
    assert not watch.is_overdue(trial, 2)
    clock[0] = 22
    assert watch.is_overdue(trial, 2)
