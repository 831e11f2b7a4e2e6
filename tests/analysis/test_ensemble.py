"""Ensembles of fabricated runs: what is chosen where, judged where, written where."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from lilliput.analysis.diversity import diversity
from lilliput.analysis.ensemble import _halves, make_ensemble, study_ensemble
from lilliput.errors import RunError, UsageError
from lilliput.results.combine import METHODS, combine
from lilliput.results.metrics import evaluate
from lilliput.results.predictions import Predictions


def reordered(predictions: Predictions) -> Predictions:
    names = predictions.names[::-1]
    return Predictions(predictions.probabilities[::-1], predictions.labels[::-1], names)


@pytest.fixture
def runs(make_run):
    return [make_run(f"m1-{i}", seed=i, skill=0.6 + 0.2 * i) for i in (1, 2, 3, 4)]


@pytest.fixture
def runs_with_heldout(runs, guesses):
    for seed, run in enumerate(runs):
        run.save_predictions("heldout", guesses(12, 360, seed=100 + seed, skill=0.8))
    return runs


def test_the_mean_of_all_is_the_papers(runs):
    found = study_ensemble(runs).candidate("mean", "all")
    mean = np.mean([run.predictions("val").probabilities for run in runs], axis=0, dtype=float)
    np.testing.assert_allclose(found.predictions.probabilities, mean, atol=1e-6)
    assert found.weights.tolist() == [0.25] * 4
    assert not found.is_chosen


def test_every_subset_has_its_accuracy(runs):
    table = study_ensemble(runs).subsets
    members = [run.predictions("val") for run in runs]
    for index in range(1, 16):
        taken = combine([one for i, one in enumerate(members) if index >> i & 1])
        right = np.count_nonzero(taken.probabilities.argmax(axis=1) == taken.labels)
        assert table.right[index] == right
    sizes = table.by_size()
    assert [row["subsets"] for row in sizes] == [4, 6, 4, 1]
    assert all(row["least"] <= row["mean"] <= row["most"] for row in sizes)


def test_choices_are_made_on_held_out_images_common_to_all(runs_with_heldout):
    runs = runs_with_heldout
    found = study_ensemble(runs)
    assert (found.chosen_on, found.why_halves) == ("heldout", "")
    chosen = found.candidate("mean", "chosen")
    heldout = [run.predictions("heldout") for run in runs]

    def right(weights):
        one = combine(heldout, weights)
        return np.count_nonzero(one.probabilities.argmax(axis=1) == one.labels)

    every = [[index >> i & 1 for i in range(4)] for index in range(1, 16)]
    assert right(chosen.weights.tolist()) == max(map(right, every))
    # It is judged on val by exactly those members.
    again = combine([run.predictions("val") for run in runs], chosen.weights.tolist())
    np.testing.assert_array_equal(again.probabilities, chosen.predictions.probabilities)


def test_without_them_each_half_is_judged_by_the_others_choice(make_run, guesses):
    # On either half of val, another run is perfect there and hopeless on the other: a choice made on the images it is
    # judged on would be right always, one made on the other half never.
    names = guesses(2, 200).names
    labels = np.arange(200, dtype=np.int64) % 2
    first, _ = _halves(labels)
    inside = np.isin(np.arange(200), first)
    runs = []
    for number, good in enumerate((inside, ~inside), start=1):
        run = make_run(f"m1-{number}", classes=[("a", "ant"), ("b", "bee")])
        truth = np.where(good, labels, 1 - labels)
        sure = np.where(np.eye(2)[truth] > 0, 0.9, 0.1).astype(np.float32)
        run.save_predictions("val", Predictions(sure, labels, names))
        runs.append(run)
    found = study_ensemble(runs)
    assert found.chosen_on == "val halves"
    assert found.why_halves == "the runs have held no images out"
    assert found.candidate("greedy", "all").evaluation.top1 == 0
    assert found.candidate("mean", "chosen").evaluation.top1 == 0
    assert found.candidate("weighted", "all").evaluation.top1 < 0.05
    assert found.subsets.by_choice[0] == 0


def test_held_out_images_that_differ_are_not_chosen_on(runs_with_heldout, guesses):
    runs_with_heldout[2].save_predictions("heldout", reordered(guesses(12, 360)))
    found = study_ensemble(runs_with_heldout)
    assert found.chosen_on == "val halves"
    assert "m1-3 and m1-1 held out different images" in found.why_halves


def test_held_out_images_can_be_judged_on_themselves_by_halves(runs_with_heldout):
    found = study_ensemble(runs_with_heldout, split="heldout")
    assert found.chosen_on == "heldout halves"
    assert found.subsets.images == 360


def test_the_gain_is_over_the_best_run(runs):
    found = study_ensemble(runs)
    alone = [evaluate(run.predictions("val"), run.classes).top1 for run in runs]
    assert found.best_run == int(np.argmax(alone))
    for one in found.candidates:
        assert one.gain.difference == pytest.approx(one.evaluation.top1 - max(alone))
        assert one.gain.interval[0] <= one.gain.difference <= one.gain.interval[1]


@pytest.mark.parametrize(
    ("method", "members"), [*((m, "all") for m in METHODS), ("logits", "chosen")]
)
def test_the_folder_holds_what_was_asked_for(
    runs_with_heldout, tmp_path, method: str, members: str
):
    findings = study_ensemble(runs_with_heldout, method=method, members=members)
    made = make_ensemble(findings, tmp_path / "all", method=method, members=members)
    asked = findings.candidate(method, members)
    assert made.method == method
    assert made.chosen_on == ("heldout" if asked.is_chosen else None)
    assert len(made.members) == asked.size
    assert made.splits_predicted == ("heldout", "val")
    np.testing.assert_array_equal(
        made.predictions("val").probabilities, asked.predictions.probabilities
    )
    # What is stored follows from the members that lie in the folder.
    again = combine([one.predictions("val") for one in made.members], made.weights, method)
    np.testing.assert_allclose(
        made.predictions("val").probabilities, again.probabilities, atol=1e-6
    )
    assert json.loads(json.dumps(made.results)) == made.results


def test_subsets_csv_has_a_line_each(runs, tmp_path):
    made = make_ensemble(study_ensemble(runs), tmp_path / "all")
    with made.subsets_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert rows[0]["members"] == "m1-1"
    assert rows[-1]["members"] == "m1-1 + m1-2 + m1-3 + m1-4"
    for row in rows:
        assert float(row["accuracy"]) == pytest.approx(
            int(row["correct"]) / int(row["n"]), abs=1e-6
        )
        assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])


def test_what_is_asked_wrongly_is_refused(runs):
    with pytest.raises(UsageError, match="no method 'medain'") as caught:
        study_ensemble(runs, method="medain")
    assert "mean" in caught.value.hint
    with pytest.raises(UsageError, match="no members 'some'"):
        study_ensemble(runs, members="some")
    with pytest.raises(UsageError, match="greedy chooses among the runs by itself"):
        study_ensemble(runs, method="greedy", members="chosen")
    with pytest.raises(UsageError, match="one result alone"):
        study_ensemble(runs[:1])
    with pytest.raises(UsageError, match="named twice"):
        study_ensemble([runs[0], runs[1], runs[0]])


def test_a_run_that_differs_is_named(runs, make_run, guesses):
    other = make_run("other", classes=[(f"x{i}", f"x{i}") for i in range(12)])
    with pytest.raises(
        RunError, match=r"other and .*m1-1 tell different classes .*number 1 is 'x0'"
    ):
        study_ensemble([*runs, other])
    fewer = make_run("fewer", classes=[(c.id, c.name) for c in runs[0].classes[:5]])
    with pytest.raises(RunError, match=r"fewer .*: 5 against 12"):
        study_ensemble([*runs, fewer])
    runs[1].save_predictions("val", guesses(12, 100))
    with pytest.raises(RunError, match=r"m1-2 and .*m1-1 .*100 images against 240"):
        study_ensemble(runs)


def test_missing_predictions_come_with_the_commands_that_make_them(runs):
    with pytest.raises(RunError, match=r"no predictions of test in .*m1-1, .*m1-4") as caught:
        study_ensemble(runs, split="test")
    assert caught.value.hint.count("lilliput evaluate") == 4
    assert "m1-4 --split test" in caught.value.hint


def test_unlabelled_images_cannot_be_judged_on(runs, guesses):
    for run in runs:
        one = guesses(12, 30)
        unknown = np.full(30, -1, np.int64)
        run.save_predictions("test", Predictions(one.probabilities, unknown, one.names))
    with pytest.raises(RunError, match="not every image of test has a known label"):
        study_ensemble(runs, split="test")
    # But they are combined along.
    assert study_ensemble(runs).split == "val"


def test_runs_without_weights_are_refused(runs):
    runs[3].weights_path.unlink()
    with pytest.raises(RunError, match=r"no weights yet in .*m1-4"):
        study_ensemble(runs)


def test_diversity_is_symmetric_and_knows_twins(guesses):
    one, other = guesses(6, 300, seed=1), guesses(6, 300, seed=2)
    found = diversity([one, one, other])
    assert found.disagreement[0].tolist()[:2] == [0, 0]
    assert 0 < found.disagreement[0, 2] == found.disagreement[2, 0] < 1
    assert found.error_correlation[0, 1] == pytest.approx(1)
    wrong = [(p.probabilities.argmax(axis=1) != p.labels).astype(float) for p in (one, other)]
    assert found.error_correlation[0, 2] == pytest.approx(np.corrcoef(*wrong)[0, 1])


def test_the_correlation_of_a_perfect_member_is_not_known(guesses):
    found = diversity([guesses(4, 40, skill=80.0), guesses(4, 40)])
    assert np.isnan(found.error_correlation[0, 1])
