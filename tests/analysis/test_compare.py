"""Comparisons of fabricated runs and ensembles."""

from __future__ import annotations

import pytest

from lilliput.analysis.compare import compare_results
from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.analysis.paired import holm
from lilliput.errors import RunError, UsageError
from lilliput.results.predictions import Predictions


def test_a_better_run_is_found_better_and_twins_are_not(make_run):
    good, bad = make_run("good", n=900, skill=2.0), make_run("bad", n=900, skill=0.5, seed=1)
    found = compare_results([good, bad])
    (pair,) = found.pairs
    assert pair.is_significant
    assert pair.paired.difference > 0
    assert pair.p_corrected == pair.paired.p
    twin = make_run("twin", n=900, skill=2.0)
    (pair,) = compare_results([good, twin]).pairs
    assert not pair.is_significant
    assert pair.paired.interval == (0, 0)


def test_many_pairs_are_corrected_together(make_run):
    runs = [make_run(f"m1-{i}", skill=1 + 0.1 * i, seed=i) for i in range(4)]
    found = compare_results(runs)
    assert len(found.pairs) == 6
    assert [p.p_corrected for p in found.pairs] == holm([p.paired.p for p in found.pairs])


def test_numbers_carry_intervals(make_run):
    for one in compare_results([make_run("a"), make_run("b", seed=2)]).results:
        assert one.evaluation.interval[0] < one.evaluation.top1 < one.evaluation.interval[1]
        assert one.top5_interval[0] < one.evaluation.top5 < one.top5_interval[1]
        assert one.loss_interval[0] < one.evaluation.loss < one.loss_interval[1]


def test_only_what_differs_in_the_recipes_is_told(make_run, tmp_path):
    runs = [make_run(f"m1-{i}", seed=i, epochs=12) for i in (1, 2)]
    longer = make_run("m1-3", seed=3, epochs=20)
    made = make_ensemble(study_ensemble(runs), tmp_path / "all")
    found = compare_results([*runs, longer, made])
    assert found.recipes["seed"] == (1, 2, 3, None)
    assert found.recipes["training.epochs"] == (12, 12, 20, 12)
    assert found.recipes["ensemble"] == (None, None, None, "mean of 2")
    assert set(found.recipes) == {"seed", "training.epochs", "ensemble"}


def test_equal_names_are_told_apart_by_their_paths(make_run):
    runs = [make_run("a/m1-1"), make_run("b/m1-1", seed=1)]
    names = [one.name for one in compare_results(runs).results]
    assert names == [str(run.path) for run in runs]


def test_one_alone_is_refused(make_run):
    with pytest.raises(UsageError, match="one result alone"):
        compare_results([make_run()])


def test_no_image_at_all_is_refused(make_run):
    runs = [make_run("a"), make_run("b", seed=2)]
    for run in runs:
        val = run.predictions("val")
        empty = Predictions(val.probabilities[:0], val.labels[:0], ())
        run.save_predictions("val", empty)
    with pytest.raises(RunError, match="of no image"):
        compare_results(runs)
