from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest

from lilliput.errors import MissingExtraError, RunError, StorageError, TrainingError, UsageError
from lilliput.recipe import load_recipe
from lilliput.results.study import Study
from lilliput.search.settings import StudySettings
from lilliput.search.space import read_space
from lilliput.search.storage import open_storage, shown
from lilliput.search.study import Ended, Started, run_study
from lilliput.search.trial import Proposal, Report, Result

Search = Callable[..., list[object]]
GRID = {
    "optimizer": {"learning_rate": {"choices": [0.01, 0.02, 0.05]}},
    "model": {"dropout": {"choices": [0.4, 0.5]}},
}


def of(events: list[object], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def test_it_finishes_as_many_trials_as_asked_and_goes_on_with_more(
    search: Search, tmp_path: Path
) -> None:
    assert len(of(search(trials=5), Ended)) == 5
    assert search(trials=5) == []
    assert len(of(search(trials=8), Ended)) == 3
    study = Study.open(tmp_path / "study")
    assert [trial.state for trial in study.trials] == ["complete"] * 8
    assert [trial.number for trial in study.trials] == list(range(8))


def test_the_best_recipes_train_as_they_are(search: Search, tmp_path: Path) -> None:
    search(trials=6, best=3, folds=4)
    study = Study.open(tmp_path / "study")
    values = [trial.value or 0 for trial in study.best]
    assert len(values) == 3
    assert values == sorted((t.value or 0 for t in study.trials), reverse=True)[:3]
    for place, (trial, path) in enumerate(zip(study.best, study.best_recipes, strict=True), 1):
        recipe = load_recipe(path)
        assert recipe.name == f"m1-best-{place}"
        assert recipe.data.folds == 0 and recipe.data.holdout == 0
        assert recipe.optimizer.learning_rate == trial.parameters["optimizer.learning_rate"]
        assert load_recipe("m1", [*trial.changes, "training.epochs=3"]) == recipe.model_copy(
            update={"name": "m1"}
        )
    search(trials=6, best=1, folds=4)
    assert sorted(path.name for path in (tmp_path / "study").glob("best-*")) == ["best-1.toml"]


def test_what_is_written_can_be_read(search: Search, tmp_path: Path) -> None:
    search(trials=9, holdout=0.2)
    assert Study.open(tmp_path / "study").importance == {}  # too few to tell
    search(trials=10, holdout=0.2)
    facts = json.loads((tmp_path / "study/study.json").read_text())
    assert facts["format"] == 1
    assert (facts["name"], facts["recipe"], facts["holdout"]) == ("study", "m1", 0.2)
    assert facts["storage"] == "journal.log"
    study = Study.open(tmp_path / "study")
    trial = study.best[0]
    assert [step for step, _ in trial.curve] == [1, 2, 3]
    assert trial.images == 200 and len(trial.fold_values) == 2
    assert trial.interval and trial.interval[0] < (trial.value or 0) < trial.interval[1]
    assert sum(study.importance.values()) == pytest.approx(1)
    assert study.logarithmic == {"optimizer.learning_rate"}
    with pytest.raises(RunError, match="no predictions"):
        study.predictions(trial)


def test_the_same_seed_searches_the_same_points(search: Search, tmp_path: Path) -> None:
    first = of(search(trials=12, folder=tmp_path / "a"), Started)
    again = of(search(trials=12, folder=tmp_path / "b"), Started)
    other = of(search(trials=12, folder=tmp_path / "c", overrides=["seed=2"]), Started)
    assert [event.parameters for event in first] == [event.parameters for event in again]
    assert first[0].parameters != other[0].parameters


def test_the_grid_is_searched_once_in_full(search: Search, tmp_path: Path) -> None:
    search(trials=6, sampler="grid", space=GRID)
    study = Study.open(tmp_path / "study")
    assert len({json.dumps(dict(trial.parameters)) for trial in study.trials}) == 6
    with pytest.raises(UsageError, match="6 points, not 7"):
        search(trials=7, sampler="grid", space=GRID)


@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median"])
def test_trials_that_look_worse_are_given_up(pruner: str, search: Search, tmp_path: Path) -> None:
    def slow(proposal: Proposal) -> Generator[object]:
        value = 0.4 - abs(proposal.recipe.optimizer.learning_rate - 0.01)
        for step in range(1, 28):
            yield Report(step, 27, value * step / 27)
        yield Result(value, (), 100)

    search(trials=25, pruner=pruner, objective=slow, folds=9)
    study = Study.open(tmp_path / "study")
    pruned = [trial for trial in study.trials if trial.state == "pruned"]
    assert pruned
    assert all(t.value is None and len(t.curve) < 27 and pruner in t.reason for t in pruned)
    assert {trial.state for trial in study.best} == {"complete"}


def test_a_training_that_breaks_down_is_a_finding(search: Search, tmp_path: Path) -> None:
    def fragile(proposal: Proposal) -> Generator[object]:
        yield Report(1, 3, 0.1)
        if proposal.number == 1:
            raise TrainingError("the loss is no longer a number")
        yield Result(0.2, (), 100)

    search(trials=3, objective=fragile)
    states = [trial.state for trial in Study.open(tmp_path / "study").trials]
    assert states == ["complete", "pruned", "complete"]


@pytest.mark.parametrize("at", [Started, Report])
def test_leaving_puts_the_trial_back(at: type, tmp_path: Path) -> None:
    space = read_space("s", GRID)
    settings = StudySettings(name="s", folder=tmp_path / "s", trials=2, sampler="random")

    def steps(proposal: Proposal) -> Generator[object]:
        proposal.folder.mkdir(parents=True)
        yield Report(1, 2, 0.1)
        yield Result(0.2, (), 100)

    def events() -> Generator[object]:
        return run_study(settings, load_recipe("m1"), space, steps, "")

    with closing(events()) as left:
        started = next(event for event in left if isinstance(event, Started))
        while at is not Started and not isinstance(next(left), at):
            pass
    assert not list((tmp_path / "s/trials").glob("*"))
    again = of(list(events()), Started)
    assert again[0].retry_of == started.number
    assert again[0].parameters == started.parameters
    assert len(of(list(events()), Started)) == 0
    states = [trial.state for trial in Study.open(tmp_path / "s").trials]
    assert sorted(states) == ["complete", "complete", "failed"]


def test_an_accident_puts_the_trial_back(search: Search, tmp_path: Path) -> None:
    def full_disk(proposal: Proposal) -> Generator[object]:
        yield Report(1, 3, 0.1)
        raise StorageError("no space left")

    with pytest.raises(StorageError):
        search(trials=2, objective=full_disk)
    assert len(of(search(trials=2), Ended)) == 2


def test_a_worker_taken_for_dead_does_not_count_twice(tmp_path: Path) -> None:
    space = read_space("s", GRID)
    settings = StudySettings(
        name="s", folder=tmp_path / "s", trials=1, poll_seconds=0.02, stale_seconds=0.2
    )

    def quick(proposal: Proposal) -> Generator[object]:
        yield Report(1, 2, 0.1)
        yield Result(0.2, (), 100)

    recipe = load_recipe("m1")
    with closing(run_study(settings, recipe, space, quick, "")) as sleeper:
        next(event for event in sleeper if isinstance(event, Report))
        # Another worker comes, sees no beat for 0.2 s (the heart beats every 10), and repeats the trial.
        others = list(run_study(settings, recipe, space, quick, ""))
        rest = list(sleeper)
    assert [event.state for event in of(others, Ended)] == ["complete"]
    assert [event.state for event in of(rest, Ended)] == ["failed"]
    trials = Study.open(tmp_path / "s").trials
    assert [trial.state for trial in trials] == ["failed", "complete"]
    assert trials[0].parameters == trials[1].parameters


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"overrides": ["optimizer.momentum=0.5"]}, "recipe.optimizer.momentum: 0.9, now 0.5"),
        ({"space": GRID}, "space.optimizer.learning_rate"),
        ({"folds": 3}, "folds: 0, now 3"),
        ({"data": "other"}, "data: data, now other"),
        ({"sampler": "random"}, "sampler: tpe, now random"),
    ],
)
def test_another_search_of_the_same_name_is_refused(
    changes: dict, said: str, search: Search
) -> None:
    search(trials=1)
    with pytest.raises(UsageError) as caught:
        search(trials=1, **changes)
    assert said in str(caught.value)
    assert "--study" in caught.value.hint


def test_trials_without_their_journal_are_not_mixed_with_new_ones(
    search: Search, tmp_path: Path
) -> None:
    search(trials=1)
    (tmp_path / "study/journal.log").unlink()
    with pytest.raises(RunError, match="1 trials that"):
        search(trials=2)


def test_a_journal_cut_short_goes_on(search: Search, tmp_path: Path) -> None:
    search(trials=2)
    with (tmp_path / "study/journal.log").open("ab") as file:
        file.write(b'{"op_code":8,"worker_id":"x","tri')
    assert len(of(search(trials=3), Ended)) == 1
    lines = (tmp_path / "study/journal.log").read_text().splitlines()
    assert all(json.loads(line) for line in lines)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"sampler": "tep"}, "tpe"), ({"pruner": "ahsa"}, "asha"), ({"trials": 0}, "")],
)
def test_a_wrong_setting_is_refused(changes: dict, said: str, search: Search) -> None:
    with pytest.raises(UsageError) as caught:
        search(**changes)
    assert said in caught.value.hint


def test_a_password_is_never_shown() -> None:
    assert "secret" not in shown("postgresql://me:secret@host/db")
    assert shown("") == "journal.log"


@pytest.mark.parametrize("url", ["postgres", "nosuch://x", "://"])
def test_what_is_no_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not the address"):
        open_storage(url, tmp_path)


def test_postgresql_without_its_driver_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lilliput.search.storage.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        open_storage("postgresql://me@host/db", tmp_path)
    assert "postgres" in caught.value.hint


def test_recipes_say_where_they_come_from(search: Search, tmp_path: Path) -> None:
    search(trials=1)
    text = (tmp_path / "study/best-1.toml").read_text()
    assert text.startswith("# Number 1 of the study")
    assert tomllib.loads(text)["name"] == "m1-best-1"
