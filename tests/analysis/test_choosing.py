"""Choosers find what is known to be best."""

from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.choosing import (
    CHOOSERS,
    best_index,
    everyone,
    greedy,
    least_loss,
    subset_sizes,
    subset_weights,
)
from lilliput.results.combine import combine
from lilliput.results.metrics import log_loss, top_k_accuracy


@pytest.mark.parametrize("choose", CHOOSERS.values(), ids=CHOOSERS)
def test_weights_are_shares(guesses, choose):
    members = [guesses(5, 200, skill=skill, seed=seed) for seed, skill in enumerate((0.5, 1, 2))]
    weights = choose(members)
    assert weights.shape == (3,)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_least_loss_is_least(guesses):
    members = [guesses(6, 600, skill=skill, seed=seed) for seed, skill in enumerate((0.2, 1, 2.5))]
    weights = least_loss(members)
    loss = log_loss(combine(members, weights.tolist()))
    for other in np.random.default_rng(0).dirichlet(np.ones(3), 200):
        assert loss <= log_loss(combine(members, other.tolist())) + 1e-5
    assert weights[2] > weights[0]


def test_least_loss_of_twins_is_shared_and_a_blunderer_is_left_out(guesses):
    good, bad = guesses(4, 400, skill=3.0, seed=1), guesses(4, 400, skill=-4.0, seed=2)
    weights = least_loss([good, good, bad])
    assert weights[0] == pytest.approx(weights[1])
    assert weights[2] < 0.02


def test_greedy_is_never_worse_than_the_best_member_where_it_chose(guesses):
    members = [guesses(6, 300, skill=skill, seed=seed) for seed, skill in enumerate((0.5, 1, 1.5))]
    chosen = top_k_accuracy(combine(members, greedy(members).tolist()), 1)
    assert chosen >= max(top_k_accuracy(one, 1) for one in members)


def test_greedy_takes_the_only_good_member(guesses):
    perfect = guesses(5, 100, skill=60.0)
    members = [guesses(5, 100, skill=0.0, seed=1), perfect, guesses(5, 100, skill=0.0, seed=2)]
    assert greedy(members).tolist() == [0, 1, 0]


def test_of_equal_subsets_the_smallest_is_chosen():
    right = np.array([0, 7, 9, 9, 3, 9, 9, 9])
    assert best_index(right) == 2
    assert best_index(right, subset_sizes(8) == 2) == 3
    assert best_index(np.zeros(8, np.int64)) == 1
    assert subset_weights(6, 3).tolist() == [0, 0.5, 0.5]


def test_everyone_counts_alike(guesses):
    assert everyone([guesses(3, 9)] * 4).tolist() == [0.25] * 4
