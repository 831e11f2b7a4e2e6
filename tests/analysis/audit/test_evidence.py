from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.audit.evidence import collect, hardness_of, learned_late
from lilliput.errors import RunError
from lilliput.results.predictions import Predictions


def fold(pack, number: int, folds: int = 4) -> np.ndarray:
    return np.arange(number, len(pack["train"]), folds)


def hold_out(run, pack, rows: np.ndarray, probabilities: np.ndarray) -> None:
    names = tuple(pack["train"].names[row] for row in rows)
    labels = np.asarray(pack["train"].labels)[rows]
    run.save_predictions("heldout", Predictions(probabilities.astype(np.float32), labels, names))


def test_one_run_judges_what_it_predicted(pack, predicted_run) -> None:
    run = predicted_run()
    (evidence,) = collect([run], pack)
    p = run.predictions("val")
    loss = -np.log(p.probabilities[np.arange(len(p)), p.labels])
    assert evidence.split == "val"
    assert evidence.names == p.names
    assert evidence.measures["loss"] == pytest.approx(loss, rel=1e-5)
    assert np.isnan(evidence.measures["disagreement"]).all()
    assert np.isnan(evidence.measures["learned_late"]).all()
    assert evidence.predicted.tolist() == p.probabilities.argmax(axis=1).tolist()
    assert evidence.hardest[0] == loss.argmax()


def test_margin_is_the_best_rival_less_the_truth(pack, predicted_run) -> None:
    run = predicted_run()
    (evidence,) = collect([run], pack)
    p = run.predictions("val")
    right = p.probabilities.argmax(axis=1) == p.labels
    assert ((evidence.measures["margin"] < 0) == right).all()


def test_runs_that_agree_do_not_disagree(pack, predicted_run) -> None:
    same = collect([predicted_run("a"), predicted_run("b")], pack)[0].measures["disagreement"]
    other = collect([predicted_run("c"), predicted_run("d", seed=9)], pack)[0].measures[
        "disagreement"
    ]
    assert same == pytest.approx(0, abs=1e-6)
    assert other.mean() > 0.05
    assert other.max() <= np.log(2) + 1e-6


def test_folds_together_judge_every_training_image_once(pack, predicted_run) -> None:
    runs = []
    for number in range(4):
        run = predicted_run(f"fold-{number}")
        rows = fold(pack, number)
        odds = np.full((len(rows), 4), 0.25)
        odds[:, 0], odds[:, 1] = 0.4, 0.1
        hold_out(run, pack, rows, odds)
        runs.append(run)
    val, train = collect(runs, pack)
    assert (val.split, train.split) == ("val", "train")
    assert (val.judged == 4).all()
    assert (train.judged == 1).all()
    assert len(train) == len(pack["train"])
    assert train.measures["loss"][0] == pytest.approx(-np.log(0.4), rel=1e-5)


def test_learning_is_read_from_the_runs(pack, predicted_run) -> None:
    run = predicted_run()
    names = pack["train"].names[:3]
    right = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]], bool)
    run.record_learning(list(np.packbits(right, axis=1)), names)
    train = collect([run], pack)[1]
    assert train.names == names
    assert train.measures["learned_late"].tolist() == [1, 0, 0.25]
    assert train.hardest.tolist() == [0, 2, 1]
    assert train.predicted.tolist() == [-1, -1, -1]


def test_equally_hard_images_come_in_a_random_order_that_is_fixed_per_row(
    pack, predicted_run
) -> None:
    def hardest(name: str, rows: np.ndarray) -> list[int]:
        run = predicted_run(name)
        hold_out(run, pack, rows, np.full((len(rows), 4), 0.25))
        train = collect([run], pack)[1]
        assert len(np.unique(train.hardness)) == 1
        return train.rows[train.hardest].tolist()

    whole, again = (hardest(name, np.arange(len(pack["train"]))) for name in "ab")
    some = hardest("c", fold(pack, 1))
    assert whole == again != sorted(whole)
    assert some == [row for row in whole if row in some]


def test_learned_late_counts_up_to_the_first_right_that_lasts() -> None:
    right = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1]], bool)
    assert learned_late(right).tolist() == [1, 0.75, 0.25, 0]


def test_hardness_ranks_among_images_of_the_same_evidence() -> None:
    nan = np.nan
    loss = np.array([1.0, 2.0, 3.0, nan, nan])
    late = np.array([0.1, 0.2, 0.9, 0.5, 0.6])
    hardness = hardness_of([loss, late])
    assert hardness.tolist() == pytest.approx([1 / 3, 2 / 3, 1, 0.5, 1])
    assert np.isnan(hardness_of([np.array([nan])])).all()


def test_runs_of_other_classes_or_another_pack_are_refused(
    pack, tiny_pack, predicted_run, make_run
) -> None:
    with pytest.raises(RunError, match="different classes"):
        collect([predicted_run(), make_run("other")], pack)
    with pytest.raises(RunError, match="is not the data"):
        collect([predicted_run("again")], tiny_pack)
