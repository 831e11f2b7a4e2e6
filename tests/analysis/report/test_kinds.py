"""A chapter per kind of result: what must be on the page is on it, and what is not there is left out."""

from __future__ import annotations

import json
from math import nan

import pytest

from lilliput.analysis.report import find_results, write_report
from lilliput.analysis.style import percent
from lilliput.errors import RunError

HOSTILE = "<script>alert(1)</script>\"'>\u202egnp.exe\u2066 & {{ 7 * 7 }} " + 300 * "x"


def test_an_ensemble(read_page, ensemble):
    page = read_page(write_report(ensemble.path))
    page.assert_offline_and_inert()
    words = page.words
    best = max(ensemble.results["runs"], key=lambda one: one["accuracy"])["accuracy"]
    own = ensemble.results["methods"][0]
    assert f"{100 * own['accuracy']:.1f} % of 60 validation images labelled right" in words
    assert f"against its best run {100 * (own['accuracy'] - best):+.1f} points" in words
    for method in ("mean of logits", "majority vote", "weighted mean", "greedy choice", "chosen"):
        assert method in words
    for run in ensemble.members:
        assert run.name in words
    assert "Every ensemble of the runs" in words
    assert "Diversity" in words
    assert "lilliput ensemble " in words
    assert page.count("svg") == 5  # subsets, diversity, classes, confusion, calibration


def test_an_ensemble_of_which_nothing_is_known_but_its_members(read_page, ensemble):
    file = ensemble.path / "ensemble.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "results": {}}))
    ensemble.subsets_path.unlink()
    words = read_page(write_report(ensemble.path)).words
    assert "by 3 networks together" in words
    assert "Diversity" not in words


def test_an_ensemble_with_damaged_results_says_so(ensemble):
    file = ensemble.path / "ensemble.json"
    facts = json.loads(file.read_text())
    facts["results"]["methods"] = [{"method": "mean"}]
    file.write_text(json.dumps(facts))
    with pytest.raises(RunError, match="its results cannot be read"):
        write_report(ensemble.path)


def test_a_study(read_page, make_study):
    study = make_study(8)
    page = read_page(write_report(study.path))
    page.assert_offline_and_inert()
    words = page.words
    best = study.best[0]
    assert f"{100 * best.value:.1f} % of 500 images held out of the training set" in words
    assert f"trial {best.number}, the best, mean of 3 folds" in words
    assert "flattered by the choice" in words
    assert "best-1.toml" in words
    assert page.count("svg") == 3
    assert sum(f" {state} " in words for state in ("complete", "pruned")) == 2
    assert "sampler tpe" in words


def test_a_study_without_a_complete_trial(read_page, make_study):
    study = make_study(0)
    assert "No trial is complete yet" in read_page(write_report(study.path)).words


def test_an_ablation(read_page, make_ablation):
    ablation = make_ablation({"ReLU": (0.30, 0.31, 0.29), "Tanh": (0.28, 0.30, 0.29)})
    page = read_page(write_report(ablation.path))
    page.assert_offline_and_inert()
    words = page.words
    assert "no real difference" in words
    assert percent(0.30) in words and percent(0.29) in words
    assert "-1.0 points" in words
    assert "model.nonlinearity=Tanh" in words
    assert page.count("svg") == 1
    assert "Not finished" not in words


def test_an_ablation_in_progress(read_page, make_ablation):
    ablation = make_ablation({"ReLU": (0.30, nan), "Tanh": (nan, nan)})
    page = read_page(write_report(ablation.path))
    page.assert_offline_and_inert()
    assert "Not finished: 1 of 4 runs are done" in page.words
    assert "nan" not in page.words.lower().replace("nanometre", "")


AUDIT = {
    "runs": ["m1-1"],
    "splits": {
        "val": {
            "images": 60,
            "causes": {"small": {"images": 9, "hardest": 0.5, "others": None}},
            "hardest": [
                {
                    "name": HOSTILE,
                    "class": "bee",
                    "predicted": "",
                    "hardness": 0.99,
                    "causes": ["small"],
                }
            ],
            "suspected_label_count": 0,
            "suspected_labels": [],
        }
    },
    "duplicates": [
        {
            "first": {"split": "train", "name": "a.jpg", "class": "ant"},
            "second": {"split": "test", "name": "b.jpg", "class": None},
        }
    ],
    "drop": {"images": 3, "remarks": []},
}


def test_an_audit(read_page, tmp_path):
    (tmp_path / "audit.json").write_text(json.dumps(AUDIT))
    page = read_page(write_report(tmp_path))
    page.assert_offline_and_inert()
    for words in ("60 validation images, seen through m1-1", "50.0 %", "test: b.jpg", "0.990"):
        assert words in page.words
    assert "look wrong" in page.words
    assert "Labels of val" not in page.words


@pytest.mark.parametrize("damage", ["[]", "{}", "nonsense", '{"splits": {"val": {}}}'])
def test_a_damaged_audit_says_so(tmp_path, damage: str):
    (tmp_path / "audit.json").write_text(damage)
    with pytest.raises(RunError, match=r"audit\.json"):
        write_report(tmp_path)


def test_all_kinds_stand_side_by_side(read_page, ensemble, make_study, make_ablation, tmp_path):
    make_study(8)
    make_ablation({"ReLU": (0.30, 0.31), "Tanh": (0.28, 0.30)})
    page = read_page(write_report(tmp_path))
    page.assert_offline_and_inert()
    assert "6 results: 1 ablation, 1 ensemble, 3 runs, 1 study" in page.words
    # A member belongs to its ensemble, and with an ensemble there is no second average.
    assert len(find_results(tmp_path)) == 6
    assert "average of" not in page.words
    assert page.count("details", class_="chapter") == 6


def test_hostile_parameters_values_and_names(read_page, make_study, make_ablation, tmp_path):
    make_study(8, key=HOSTILE, reason=HOSTILE)
    make_ablation({HOSTILE: (0.30, 0.31), "Tanh": (0.28, 0.30)}, claim=HOSTILE)
    for path in (tmp_path, tmp_path / "study", tmp_path / "ablation"):
        page = read_page(write_report(path))
        page.assert_offline_and_inert()
        assert "{{ 7 * 7 }}" in page.text
        assert "<script>alert(1)" not in page.source


def test_a_great_search_stays_small(read_page, make_study):
    study = make_study(60)
    path = write_report(study.path)
    assert path.stat().st_size < 200_000
    assert read_page(path).text.count("optimizer.l2=") >= 5
