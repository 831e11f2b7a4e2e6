"""The ensemble folder: written whole, read back, self-contained, damage named."""

from __future__ import annotations

import json
import shutil

import pytest

from lilliput.errors import RunError, StorageError
from lilliput.results import ensemble as module
from lilliput.results.ensemble import Ensemble, Part, next_ensemble

FACTS = {"method": "mean", "chosen_on": None, "results": {"split": "val"}}


@pytest.fixture
def parts(make_run):
    return [Part(make_run("m1-1", seed=1), 0.75), Part(make_run("m1-2", seed=2), 0.25)]


@pytest.fixture
def made(parts, tmp_path, guesses):
    return Ensemble.create(tmp_path / "all", parts, FACTS, {"val": guesses(12, 240)}, "size\n")


def test_it_is_read_back_without_the_runs_it_was_made_of(made, parts):
    for part in parts:
        shutil.rmtree(part.run.path)
    opened = Ensemble.open(made.path)
    assert opened.name == "all"
    assert [member.name for member in opened.members] == ["m1-1", "m1-2"]
    assert opened.weights == (0.75, 0.25)
    assert opened.method == "mean"
    assert opened.chosen_on is None
    assert opened.results == {"split": "val"}
    assert opened.splits_predicted == ("val",)
    assert len(opened.predictions("val")) == 240
    assert opened.subsets_path.read_text() == "size\n"
    assert all(member.is_finished for member in opened.members)
    assert opened.classes == opened.members[0].classes
    assert len(opened.members[0].predictions("val")) == 240


def test_runs_of_the_same_name_stay_apart(make_run, tmp_path):
    parts = [Part(make_run("a/m1-1", seed=1), 0.5), Part(make_run("b/m1-1", seed=2), 0.5)]
    made = Ensemble.create(tmp_path / "all", parts, FACTS, {})
    assert [member.name for member in made.members] == ["m1-1", "m1-1 (2)"]
    assert [member.recipe["seed"] for member in made.members] == [1, 2]


def test_an_occupied_place_is_refused(parts, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine").touch()
    for place in ("here", "here/mine"):
        with pytest.raises(RunError, match="already holds something"):
            Ensemble.create(tmp_path / place, parts, FACTS, {})
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine"]


def test_a_failure_leaves_nothing(parts, tmp_path, monkeypatch):
    def full(run, place):
        raise StorageError("no space left")

    monkeypatch.setattr(module, "_copy_run", full)
    with pytest.raises(StorageError):
        Ensemble.create(tmp_path / "new" / "all", parts, FACTS, {})
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"members": []}, "members"),
        ({"members": [{"name": "../m1-1", "weight": 1}]}, "members"),
        ({"members": [{"name": "..", "weight": 1}]}, "members"),
        ({"members": [{"name": "m1-1", "weight": -1}]}, "weights"),
        ({"members": [{"name": "m1-1", "weight": float("nan")}]}, "weights"),
        ({"members": [{"weight": 1}]}, "weights"),
        ({"classes": [1]}, "classes"),
        ({"method": "vote"}, "method"),
    ],
)
def test_damage_names_the_file(made, changes, read: str):
    place = made.path / "ensemble.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))
    with pytest.raises(RunError, match=r"ensemble\.json"):
        getattr(Ensemble.open(made.path), read)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"format": 2}'])
def test_what_is_no_ensemble_is_not_opened(made, text: str):
    (made.path / "ensemble.json").write_text(text)
    with pytest.raises(RunError):
        Ensemble.open(made.path)


def test_ensembles_are_numbered(tmp_path):
    assert next_ensemble(tmp_path) == tmp_path / "1"
    (tmp_path / "7").mkdir()
    (tmp_path / "mine").mkdir()
    assert next_ensemble(tmp_path) == tmp_path / "8"
    assert Ensemble(tmp_path / "7").name == "ensemble-7"
