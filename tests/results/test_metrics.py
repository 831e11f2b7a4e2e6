"""Metrics against cases counted by hand and against scikit-learn and SciPy."""

from __future__ import annotations

from math import isnan, log

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from lilliput.errors import RunError
from lilliput.results.metrics import (
    calibration_error,
    confusion_matrix,
    evaluate,
    log_loss,
    top_k_accuracy,
    wilson_interval,
)
from lilliput.results.predictions import Predictions


def said(rows: list[list[float]], labels: list[int]) -> Predictions:
    names = tuple(f"{i}" for i in range(len(rows)))
    return Predictions(np.array(rows, np.float32), np.array(labels, np.int64), names)


SMALL = said(
    [[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.5, 0.25], [1, 0, 0]],
    [0, 1, 1, 2, -1],
)


def test_counted_by_hand():
    result = evaluate(SMALL, [("a", "ant"), ("b", "bee"), ("c", "cat")])
    assert (result.n, result.top1, result.top5) == (4, 0.5, 1.0)
    assert result.loss == pytest.approx(-(log(0.75) + log(0.25) + log(0.75) + log(0.25)) / 4)
    assert [(c.name, c.correct, c.n, c.accuracy) for c in result.per_class] == [
        ("ant", 1, 1, 1.0),
        ("bee", 1, 2, 0.5),
        ("cat", 0, 1, 0.0),
    ]
    np.testing.assert_array_equal(confusion_matrix(SMALL), [[1, 0, 0], [1, 1, 0], [0, 1, 0]])


def test_top_k_by_hand():
    # True classes rank 1, 2 (tied with class 2, lower index first), 1 and 3 (tied with class 0).
    assert [top_k_accuracy(SMALL, k) for k in (1, 2, 3, 5)] == [0.5, 0.75, 1.0, 1.0]


def test_ties_go_to_the_lowest_class():
    even = said([[0.5, 0.5], [0.5, 0.5]], [0, 1])
    assert evaluate(even, [("a", ""), ("b", "")]).top1 == 0.5
    assert top_k_accuracy(said([[0.5, 0.5]], [0]), 1) == 1
    assert top_k_accuracy(said([[0.5, 0.5]], [1]), 1) == 0


@pytest.mark.parametrize("k", [2, 3, 12, 200])
def test_agrees_with_scikit_learn(k: int, guesses):
    predictions = guesses(k, 400, skill=1.5, seed=k)
    labels, probabilities = predictions.labels, predictions.probabilities
    result = evaluate(predictions, [(str(i), str(i)) for i in range(k)])
    top1 = probabilities.argmax(axis=1)
    assert result.top1 == pytest.approx(sk.accuracy_score(labels, top1))
    classes = list(range(k))
    if k > 5:
        five = sk.top_k_accuracy_score(labels, probabilities, k=5, labels=classes)
        assert result.top5 == pytest.approx(five)
    rows = probabilities.astype(np.float64)
    rows /= rows.sum(axis=1, keepdims=True)
    assert result.loss == pytest.approx(sk.log_loss(labels, rows, labels=classes), rel=1e-5)
    matrix = sk.confusion_matrix(labels, top1, labels=classes)
    np.testing.assert_array_equal(confusion_matrix(predictions), matrix)


@pytest.mark.parametrize("n", [1, 2, 7, 50, 10_000])
def test_wilson_agrees_with_scipy(n: int):
    for correct in {0, 1, n // 3, n - 1, n}:
        theirs = binomtest(correct, n).proportion_ci(0.95, method="wilson")
        low, high = wilson_interval(correct, n)
        assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
        assert 0 <= low <= correct / n <= high <= 1
    assert wilson_interval(0, 0) == (0, 1)


def test_a_certain_mistake_has_a_finite_loss():
    assert log_loss(said([[1, 0]], [1])) == pytest.approx(87.336, abs=1e-3)


def test_calibration_by_hand():
    # Confidence 0.6: one right of two, gap 0.1. Confidence 1: one right of two, gap 0.5. Each weighs a half.
    rows = [[0.6, 0.4], [0.6, 0.4], [1, 0], [1, 0]]
    assert calibration_error(said(rows, [0, 1, 0, 1])) == pytest.approx(0.3, abs=1e-6)
    assert calibration_error(said([[1, 0], [0, 1]], [0, 1])) == 0
    # 0.9 and 1 fall into the last two bins: gaps 0.1 and 1 must not cancel.
    assert calibration_error(said([[0.9, 0.1], [1, 0]], [0, 1])) == pytest.approx(0.55, abs=1e-6)


def test_a_class_without_images_has_no_accuracy():
    empty = evaluate(said([[0.9, 0.1]], [0]), [("a", "ant"), ("b", "bee")]).per_class[1]
    assert isnan(empty.accuracy)
    assert (empty.n, empty.interval) == (0, (0, 1))


def test_unlabelled_or_mismatched_predictions_are_refused():
    with pytest.raises(RunError, match="none of the images has a known label"):
        evaluate(said([[0.5, 0.5]], [-1]), [("a", ""), ("b", "")])
    with pytest.raises(RunError, match="3 classes, but 1 are named"):
        evaluate(SMALL, [("a", "ant")])
