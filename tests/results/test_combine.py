"""Several predictions become one, by every method."""

from __future__ import annotations

import numpy as np
import pytest

from lilliput.errors import RunError
from lilliput.results.combine import METHODS, combine
from lilliput.results.predictions import Predictions


def said(*rows: list[float]) -> Predictions:
    probabilities = np.array(rows, np.float32)
    return Predictions(probabilities, np.zeros(len(rows), np.int64), tuple("abcd"[: len(rows)]))


@pytest.mark.parametrize("method", METHODS)
def test_the_result_is_predictions_of_the_same_images(guesses, method: str):
    members = [guesses(7, 50, seed=seed) for seed in range(3)]
    one = combine(members, [0.5, 0.2, 0.3], method)
    assert one.names == members[0].names
    np.testing.assert_array_equal(one.labels, members[0].labels)


@pytest.mark.parametrize("method", METHODS)
def test_alike_members_answer_as_one_of_them(guesses, method: str):
    one = guesses(7, 50)
    together = combine([one, one], method=method)
    np.testing.assert_array_equal(
        together.probabilities.argmax(axis=1), one.probabilities.argmax(axis=1)
    )


def test_the_mean_is_the_papers():
    one = combine([said([0.6, 0.4]), said([0.2, 0.8])])
    np.testing.assert_allclose(one.probabilities, [[0.4, 0.6]], rtol=1e-6)


def test_weights_count_and_zero_is_out():
    members = [said([0.6, 0.4]), said([0.2, 0.8]), said([0.0, 1.0])]
    np.testing.assert_allclose(combine(members, [3, 1, 0]).probabilities, [[0.5, 0.5]], rtol=1e-6)
    odd_one_out = Predictions(members[0].probabilities, members[0].labels, ("other",))
    assert len(combine([*members, odd_one_out], [1, 1, 1, 0])) == 1


def test_logits_are_the_normalised_geometric_mean():
    one = combine([said([0.9, 0.1]), said([0.5, 0.5])], method="logits")
    odds = np.sqrt([0.45, 0.05])
    np.testing.assert_allclose(one.probabilities, [odds / odds.sum()], rtol=1e-6)
    never = combine([said([1.0, 0.0]), said([0.0, 1.0])], method="logits")
    np.testing.assert_allclose(never.probabilities, [[0.5, 0.5]])


def test_the_majority_outvotes_the_sure_one_and_probabilities_decide_a_draw():
    timid, sure = said([0.4, 0.35, 0.25]), said([0.0, 0.0, 1.0])
    assert combine([timid, timid, sure], method="majority").probabilities.argmax() == 0
    assert combine([timid, sure], method="majority").probabilities.argmax() == 2


def test_what_differs_is_said(guesses):
    with pytest.raises(RunError, match=r"predictions 1 and 2 .*: 8 images against 9"):
        combine([guesses(3, 8), guesses(3, 9)])
    with pytest.raises(RunError, match="no predictions to combine"):
        combine([guesses(3, 8)], [0])


def of(rows: list[list[float]], labels: list[int]) -> Predictions:
    names = tuple(map(str, range(len(rows))))
    return Predictions(np.array(rows, np.float32), np.array(labels), names)


def test_the_mean_is_exact_where_float32_is():
    one, two = of([[1, 0], [0.5, 0.5]], [0, 1]), of([[0.5, 0.5], [0, 1]], [0, 1])
    mean = combine([one, two])
    np.testing.assert_array_equal(mean.probabilities, np.float32([[0.75, 0.25], [0.25, 0.75]]))
    assert mean.names == one.names
    np.testing.assert_array_equal(combine([one]).probabilities, one.probabilities)


def test_it_says_which_differ():
    one = of([[1, 0], [0.5, 0.5]], [0, 1])
    others = {
        "1 and 3 .* the labels of row 1 differ \\(1 and 0\\)": of([[1, 0], [1, 0]], [0, 0]),
        "1 and 3 .* 2 classes against 3": of([[1, 0, 0]], [0]),
        "1 and 3 .* 2 images against 1": of([[1, 0]], [0]),
        "names of row 1 differ \\('1' and 'x'\\)": Predictions(
            one.probabilities, one.labels, ("0", "x")
        ),
    }
    for says, other in others.items():
        with pytest.raises(RunError, match=says):
            combine([one, one, other])
    with pytest.raises(RunError, match="no predictions"):
        combine([])
