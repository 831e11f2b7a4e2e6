"""A folder is opened as what it is, or said not to be anything."""

from __future__ import annotations

import json

import pytest

from lilliput.errors import RunError
from lilliput.results.ensemble import Ensemble, Part
from lilliput.results.open import open_classifier, open_result
from lilliput.results.run import Run


def test_runs_and_ensembles_are_told_apart(make_run, tmp_path):
    run = make_run()
    facts = {"method": "mean", "chosen_on": None}
    Ensemble.create(tmp_path / "all", [Part(run, 1.0)], facts, {})
    assert isinstance(open_result(run.path), Run)
    assert isinstance(open_classifier(str(tmp_path / "all")), Ensemble)


def test_a_study_labels_no_images(tmp_path):
    study = {"format": 1, "name": "s", "recipe": "m1", "space": {}, "folds": 0, "holdout": 0.1}
    study |= {"sampler": "random", "pruner": "none", "storage": "", "trials": [], "best": []}
    (tmp_path / "study.json").write_text(json.dumps(study))
    with pytest.raises(RunError, match="is a study, not a run or an ensemble"):
        open_classifier(tmp_path)


def test_what_is_nothing_is_said_to_be_nothing(tmp_path, tiny_pack):
    with pytest.raises(RunError, match="there is nothing at"):
        open_result(tmp_path / "none")
    with pytest.raises(RunError, match="holds no result"):
        open_result(tmp_path)
    with pytest.raises(RunError, match="is a pack, not a result"):
        open_result(tiny_pack.path)
