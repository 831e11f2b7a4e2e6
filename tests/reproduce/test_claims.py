from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb

import pytest

from lilliput.reproduce.claims import CLAIMS
from lilliput.reproduce.conclusion import conclude
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
from lilliput.reproduce.scales import scale_named
from lilliput.results.metrics import ClassAccuracy, wilson_interval
from lilliput.results.run import Run

# Every number the paper gives for its own work.
NUMBERS = ["23.8 %", "28.6 %", "34.2 %", "39.3 %", "39.8 %", "86 %", "2 %", "17.0 %", "13.3 %, 6.5"]


def answers(author) -> dict[str, Answer]:
    return {claim.id: answer for claim, answer in conclude(author.work).answers}


def at_full(author) -> dict[str, Answer]:
    """The same evidence, as if the paper's lengths had been trained."""
    work = replace(author.work, scale=scale_named("full"))
    return {claim.id: answer for claim, answer in conclude(work).answers}


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
    assert answers(author)["m4"].verdict == NOT_TESTED
    assert at_full(author)["m4"].verdict == MISSED


def test_a_network_at_chance_shows_nothing(author) -> None:
    author.run("m4", "m4", 0.0, 3)
    author.work.finish("m4", 60)
    for found in (answers(author), at_full(author)):
        assert found["m4-loss"].verdict == found["m4-curve"].verdict == NOT_TESTED
        assert found["m4"].note.startswith("at chance: guessing gets 25.0 %")


def test_curves_compare_the_first_epoch_with_the_last(author) -> None:
    author.networks()
    history = Run.open(author.work.place("m4")).history
    found = answers(author)["m4-loss"]
    assert found.ours == f"{history[0].val_loss:.2f} to {history[-1].val_loss:.2f}"
    assert found.verdict == MET


@pytest.mark.parametrize(("right", "verdict"), [(0, MET), (2, MET), (40, MISSED)])
def test_a_hard_class_can_refute_the_paper(
    author, monkeypatch: pytest.MonkeyPatch, right: int, verdict: str
) -> None:
    one = ClassAccuracy(
        id="n1",
        name="wooden spoon",
        correct=right,
        n=50,
        accuracy=right / 50,
        interval=wilson_interval(right, 50),
    )
    monkeypatch.setattr(Evidence, "class_named", lambda *_: (200, one))
    assert answers(author)["spoon"].verdict == NOT_TESTED
    assert at_full(author)["spoon"].verdict == verdict


def test_tuning_is_judged_on_images_that_chose_nothing(author) -> None:
    author.search()
    author.networks()
    author.together()
    found = {name: made(author)["tuning"] for name, made in (("quick", answers), ("full", at_full))}
    assert found["quick"].verdict == NOT_TESTED
    assert found["full"].verdict == UNDECIDED, "75 epochs against 150"
    assert found["full"].interval


def test_variety_is_not_met_by_an_interval_that_is_too_narrow(author) -> None:
    author.together()
    assert at_full(author)["variety"].verdict in (UNDECIDED, NOT_TESTED)


def test_checks_are_counted_apart(author) -> None:
    conclusion = conclude(author.work)
    assert sum(conclusion.checks.values()) + sum(conclusion.measured.values()) == len(CLAIMS)
    assert conclusion.measured[MET] == conclusion.measured[MISSED] == 0
    assert conclusion.lead.startswith("This scale can judge no measured claim; ")
    assert "checks of data and definitions hold" in conclusion.lead


def test_ablations_answer_with_their_own_difference(author) -> None:
    author.ablation("nonlinearity", {"ReLU": 0.0, "leaky ReLU": 0.0, "tanh": -0.05})
    author.ablation("ideas", {"as it is": 0.0, "no momentum": -0.02, "colour jitter": 0.03})
    author.ablation("residual", {"m4": 0.0, "resnet": 0.1})
    short = answers(author)
    for name in ("leaky-relu", "tanh", "momentum", "jitter", "deeper"):
        assert short[name].verdict == NOT_TESTED, f"{name}: so short a training is no verdict"
    assert short["tanh"].ours == "-4.93 points"
    assert short["momentum"].ours.startswith("+")
    found = at_full(author)
    for name in ("leaky-relu", "momentum", "jitter", "deeper"):
        assert found[name].verdict == MET, name
    assert found["crops"].verdict == NOT_TESTED and "nothing to show" in found["crops"].note


def test_a_long_training_makes_a_loss_a_verdict(author) -> None:
    author.ablation("nonlinearity", {"ReLU": 0.0, "leaky ReLU": 0.0, "tanh": -0.05})
    author.ablation("ideas", {"as it is": 0.0, "colour jitter": -0.03})
    found = at_full(author)
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
    assert found["six-best"].verdict == found["size"].verdict == NOT_TESTED
    assert at_full(author)["six-best"].verdict in (MET, UNDECIDED, MISSED)
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
