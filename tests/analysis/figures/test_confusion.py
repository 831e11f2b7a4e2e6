from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lilliput.analysis.figures.confusion import (
    cluster,
    confusion_numbers,
    draw_pairs,
    pair_pictures,
    pair_table,
    top_pairs,
)
from lilliput.analysis.style import figure_style
from lilliput.results.metrics import wilson_interval


def blocks(order: list[int]) -> np.ndarray:
    """Three groups of four classes that are confused within, their classes scattered over the columns."""
    groups = np.array(order)
    matrix = np.where(groups[:, None] == groups, 6, 0)
    np.fill_diagonal(matrix, 30)
    return matrix + 1


def test_classes_that_are_confused_stand_together() -> None:
    groups = [0, 1, 2] * 4
    order, found = cluster(blocks(groups))
    assert sorted(order.tolist()) == list(range(12))
    met = [groups[i] for i in order]
    assert sum(a != b for a, b in pairwise(met)) == 2
    assert all(end - start >= 4 for start, end in found)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_few_classes_and_no_confusion_at_all_are_in_some_order(k: int) -> None:
    order, _ = cluster(np.diag(np.full(k, 5)))
    assert sorted(order.tolist()) == list(range(k))


def test_pairs_are_ranked_by_share_and_carry_intervals() -> None:
    matrix = np.array([[8, 2, 0], [30, 60, 10], [0, 0, 0]])
    pairs = top_pairs(matrix)
    assert [(one.truth, one.guess, one.times, one.n) for one in pairs] == [
        (1, 0, 30, 100),
        (0, 1, 2, 10),
        (1, 2, 10, 100),
    ]
    assert pairs[0].interval == wilson_interval(30, 100)


def test_the_table_names_both_classes(make_run) -> None:
    run = make_run(skill=0.3)
    numbers = confusion_numbers(run)
    heading, first = pair_table(numbers)[:2]
    row = dict(zip(heading, first, strict=True))
    assert row["times"] == max(one.times for one in numbers.pairs)
    assert row["share"] == row["times"] / row["images"]
    assert row["name"] != row["taken_for"]
    assert numbers.matrix.sum() == 240


def test_a_network_without_mistakes_has_no_pairs_to_show(pack, predicted_run) -> None:
    found = pair_pictures(predicted_run(skill=1000.0), pack)
    assert found is not None
    assert found[0].pairs == ()
    with figure_style():
        assert draw_pairs(*found) is None
