from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lilliput.analysis.located import locate, main_located, telling_examples
from lilliput.errors import RunError
from lilliput.results.predictions import Predictions


def test_predictions_find_their_pictures_in_any_order(pack, predicted_run) -> None:
    run = predicted_run()
    p = run.predictions("val")
    order = np.random.default_rng(0).permutation(len(p))
    mixed = Predictions(p.probabilities[order], p.labels[order], tuple(p.names[i] for i in order))
    located = locate(run, pack, "val", mixed)
    assert located.rows.tolist() == order.tolist()
    assert (located.images([3])[0] == pack["val"].images[order[3]]).all()


def test_held_out_images_are_found_in_train(pack, predicted_run) -> None:
    run = predicted_run()
    rows = np.array([5, 31, 2])
    names = tuple(pack["train"].names[row] for row in rows)
    odds = np.full((3, 4), 0.25, np.float32)
    held = Predictions(odds, np.asarray(pack["train"].labels)[rows], names)
    assert locate(run, pack, "heldout", held).rows.tolist() == rows.tolist()


def test_unlabelled_images_are_left_out(pack, predicted_run) -> None:
    run = predicted_run()
    p = run.predictions("val")
    labels = p.labels.copy()
    labels[::2] = -1
    located = locate(run, pack, "val", replace(p, labels=labels))
    assert located.rows.tolist() == list(range(1, len(p), 2))


def test_another_pack_is_refused(predicted_run, tiny_pack) -> None:
    with pytest.raises(RunError, match="is not the data of m1-1"):
        main_located(predicted_run(), tiny_pack)


def test_a_name_under_another_class_is_not_the_same_picture(pack, predicted_run) -> None:
    run = predicted_run()
    p = run.predictions("val")
    with pytest.raises(RunError):
        locate(run, pack, "val", replace(p, labels=np.roll(p.labels, 1)))


def test_examples_are_half_right_half_wrong_and_of_many_classes(guesses) -> None:
    predictions = guesses(10, 400)
    chosen = telling_examples(predictions, 12)
    predicted = predictions.probabilities.argmax(axis=1)[chosen]
    right = predicted == predictions.labels[chosen]
    assert right.tolist() == [True] * 6 + [False] * 6
    assert len(set(predicted[:6].tolist())) == 6
    sure = predictions.probabilities.max(axis=1)[chosen]
    assert sure[:6].tolist() == sorted(sure[:6], reverse=True)


def test_examples_of_a_perfect_network_are_all_right() -> None:
    p = Predictions(np.eye(3, dtype=np.float32), np.arange(3), ("a", "b", "c"))
    assert sorted(telling_examples(p, 12).tolist()) == [0, 1, 2]
    assert sorted(telling_examples(replace(p, labels=np.array([1, 2, 0])), 2).tolist()) != []
