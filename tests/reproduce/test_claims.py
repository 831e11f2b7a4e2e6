from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb

import pytest

from lilliput.reproduce.claims import CLAIMS
from lilliput.reproduce.evidence import (
    ELSEWHERE,
    MET,
    MISSED,
    NOT_TESTED,
    UNDECIDED,
    VERDICTS,
    Answer,
    Evidence,
    share,
)
from lilliput.reproduce.page import conclude
from lilliput.reproduce.scales import scale_named
from lilliput.results.run import Run

# Every number the paper gives for its own work.
NUMBERS = ["23.8 %", "28.6 %", "34.2 %", "39.3 %", "39.8 %", "86 %", "2 %", "17.0 %", "13.3 %, 6.5"]


def answers(author) -> dict[str, Answer]:
    return {claim.id: answer for claim, answer in conclude(author.work).answers}


def test_ids_are_unique_and_every_measure_says_how() -> None:
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.how.endswith("."), claim.id
        assert claim.sentence.endswith("."), claim.id


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_of_the_paper_is_claimed(number: str) -> None:
    assert any(number in (claim.paper, claim.paper.partition(" (")[0]) for claim in CLAIMS)


def test_every_section_and_figure_has_claims() -> None:
    sections = " ".join(claim.section for claim in CLAIMS)
    wanted = ["1.1", "1.2", "2", "3.2", "4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3"]
    wanted += ["6.1", "6.2", "7", "Table 1", *(f"Fig. {n}" for n in range(1, 8))]
    assert [one for one in wanted if one not in sections] == []


def test_nothing_is_claimed_before_anything_is_done(author) -> None:
    found = answers(author)
    for name in ("m1", "m4", "order", "tanh", "size", "ensemble", "filters", "scale", "tuning"):
        assert found[name].verdict == NOT_TESTED, name
    assert found["rank"].verdict == ELSEWHERE
    assert found["m4-deepest"].verdict == MET


def test_every_claim_is_answered_when_everything_is_done(author) -> None:
    author.everything()
    author.run("m4b", "m4", 1.0, 11).predictions("val").save(
        author.work.place("m4")
        / "predictions/val.npz"  # a network that knows some classes better than others
    )
    found = answers(author)
    assert {answer.verdict for answer in found.values()} <= set(VERDICTS)
    silent = {name for name, answer in found.items() if not answer.ours}
    # Other people's work, what cannot be switched off, what a pack without boxes or the paper's classes cannot show.
    assert silent <= {
        *(name for name, answer in found.items() if answer.verdict == ELSEWHERE),
        *("standardising", "score", "test-images", "bus", "spoon", "bus-scale", "bus-colour"),
        *(
            "bus-shape",
            "hard-images",
            "box-crops",
            "hard-small",
            "scale",
            "spoon-scales",
            "originals",
        ),
    }


def test_accuracies_are_the_runs_own(author, top1: Callable[[Run], float]) -> None:
    author.networks()
    found = answers(author)
    for name in ("m1", "m4"):
        assert found[name].ours == share(top1(Run.open(author.work.place(name))))


def test_falling_short_is_a_verdict_at_the_papers_scale_only(author) -> None:
    author.run("m4", "m4", -2.0, 3)
    author.work.finish("m4", 60)
    full = replace(author.work, scale=scale_named("full"))
    at_full = {claim.id: answer for claim, answer in conclude(full).answers}
    assert answers(author)["m4"].verdict == NOT_TESTED
    assert at_full["m4"].verdict == MISSED


def test_ablations_answer_with_their_own_difference(author) -> None:
    author.ablation("nonlinearity", {"ReLU": 0.0, "leaky ReLU": 0.0, "tanh": -0.05})
    author.ablation("ideas", {"as it is": 0.0, "no momentum": -0.02, "colour jitter": 0.03})
    author.ablation("residual", {"m4": 0.0, "resnet": 0.1})
    found = answers(author)
    assert found["leaky-relu"].verdict == MET
    assert found["tanh"].ours == "-4.93 points"
    assert found["tanh"].verdict == NOT_TESTED, "so short a training is no verdict"
    assert found["momentum"].verdict == MET
    assert found["momentum"].ours.startswith("+")
    assert found["jitter"].verdict == MET
    assert found["deeper"].verdict == MET
    assert found["crops"].verdict == NOT_TESTED and "nothing to show" in found["crops"].note


def test_a_long_training_makes_a_loss_a_verdict(author) -> None:
    author.ablation("nonlinearity", {"ReLU": 0.0, "leaky ReLU": 0.0, "tanh": -0.05})
    author.ablation("ideas", {"as it is": 0.0, "colour jitter": -0.03})
    full = replace(author.work, scale=scale_named("full"))
    found = {claim.id: answer for claim, answer in conclude(full).answers}
    assert found["tanh"].verdict == MISSED
    assert found["jitter"].verdict == MISSED


def test_the_ensemble_is_held_against_the_papers(author) -> None:
    author.networks()
    author.together()
    found = answers(author)
    sizes = [comb(6, k) for k in range(1, 7)]
    assert found["subsets"].ours == f"{' + '.join(map(str, sizes))} = 63"
    assert found["subsets"].verdict == found["formula"].verdict == MET
    assert found["size"].ours.count("%") == 6
    assert found["ensemble-m4"].verdict == NOT_TESTED
    assert found["six-best"].verdict in (MET, UNDECIDED, MISSED)
    assert "3 against 2 members" in found["more-models"].note


def test_folds_make_a_cross_validation(author) -> None:
    author.search()
    found = answers(author)
    assert found["folds"].ours == "5 trials, 5 folds each"
    assert found["folds"].verdict == MET
    assert found["tuning"].ours == "+4.00 points"


def test_evidence_of_an_unfinished_step_is_not_used(author) -> None:
    author.networks()
    (author.work.place("m4") / "finished.json").unlink()
    assert Evidence(author.work).network("m4") is None
    assert answers(author)["m4"].verdict == NOT_TESTED
