"""What counts as the same answer, and which images are asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lilliput.data.pack import Pack
from lilliput.data.selection import select_split
from lilliput.delivery.check import (
    Reference,
    compare,
    reference_of,
    refuse_difference,
    spread,
)
from lilliput.errors import LilliputError
from lilliput.results.ensemble import Ensemble
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run


def reference(rows: list[list[float]], near: list[bool] | None = None) -> Reference:
    """What a classifier says to as many images, which are their own numbers."""
    probabilities = np.array(rows, np.float32)
    n = len(rows)
    said = Predictions(probabilities, np.zeros(n, np.int64), tuple(map(str, range(n))))
    votes = np.array(near or [False] * n)
    return Reference(lambda part: np.arange(n)[part], said, "val", "computed", votes)


def answering(rows: list[list[float]]):
    """A session that answers the images of :func:`reference` so."""
    return lambda images: np.array(rows, np.float32)[images]


SURE, TIED = [0.9, 0.1], [0.50002, 0.49998]


def test_the_same_is_the_same() -> None:
    check = compare(answering([SURE, TIED]), reference([SURE, TIED]))
    assert (check.images, check.ties, check.faults, check.agreement) == (2, 1, 0, 1)
    assert check.largest_difference == 0
    assert (check.top1, check.top1_before) == (1, 1)
    refuse_difference(check)


def test_ties_may_fall_either_way() -> None:
    check = compare(answering([SURE, TIED[::-1]]), reference([SURE, TIED]))
    assert (check.agreement, check.faults) == (0.5, 0)
    assert check.top1 == 0.5
    refuse_difference(check)


@pytest.mark.parametrize("answer", [[0.89985, 0.10015], [0.1, 0.9]])
def test_other_answers_are_refused(answer: list[float]) -> None:
    check = compare(answering([answer, TIED]), reference([SURE, TIED]))
    with pytest.raises(LilliputError, match="Nothing was written") as caught:
        refuse_difference(check)
    assert caught.value.hint.startswith("please report")


def test_a_vote_may_turn_where_it_is_near() -> None:
    known = reference([[2 / 3, 1 / 3], SURE], [True, False])
    refuse_difference(compare(answering([[1 / 3, 2 / 3], SURE]), known))
    with pytest.raises(LilliputError):
        refuse_difference(compare(answering([[2 / 3, 1 / 3], SURE[::-1]]), known))


def test_answers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(LilliputError, match="no numbers"):
        compare(answering([[np.nan, np.nan]]), reference([SURE]))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    rows = [SURE] * 250
    compare(answering(rows), reference(rows), lambda done, total: told.append((done, total)))
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_many_images_are_thinned_evenly(tiny_pack: Pack) -> None:
    whole = select_split(tiny_pack, "train", np.arange(4))
    part = spread(whole, 8)
    assert part.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert spread(whole, 48) is whole


def test_what_less_exact_arithmetic_has_stored_is_computed_anew(
    run_copy: Run, tiny_pack: Pack
) -> None:
    assert reference_of(run_copy, tiny_pack).source == "stored"
    environment = run_copy.environment
    environment["runtime"]["precision"] = "bf16"
    run_copy.save_environment(environment)
    anew = reference_of(run_copy, tiny_pack)
    assert anew.source == "computed"
    stored = run_copy.predictions("val").probabilities
    np.testing.assert_allclose(anew.said.probabilities, stored, atol=1e-6)


def test_near_votes_are_those_of_a_majority(
    make_ensemble: Callable[[str], Ensemble], tiny_pack: Pack, tmp_path: Path
) -> None:
    ensemble = make_ensemble("majority")
    member = ensemble.members[0]
    said = member.predictions("val")
    probabilities = said.probabilities.copy()
    probabilities[3] = [0.3, 0.3, 0.2, 0.2]
    member.save_predictions("val", Predictions(probabilities, said.labels, said.names))
    assert reference_of(ensemble, tiny_pack).near_votes[3]
