"""``ensemble``, ``compare`` and ``evaluate`` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lilliput.cli import main
from lilliput.results.predictions import Predictions


@pytest.fixture
def paths(make_run) -> list[str]:
    return [str(make_run(f"m1-{i}", seed=i, skill=1.2).path) for i in (1, 2, 3)]


def test_an_ensemble_is_made_named_and_evaluated(paths, capsys):
    assert main(["ensemble", *paths]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ensemble-1: ")
    assert "chosen on one half of val and judged on the other, both ways" in out
    assert (Path("ensembles") / "1" / "figures" / "subsets.png").is_file()
    assert main(["evaluate", "ensembles/1", "--json"]) == 0
    top1 = json.loads(capsys.readouterr().out)["top1"]
    assert f"{100 * top1:.1f} % right on val" in out
    assert main(["ensemble", *paths, "--json", "--method", "weighted"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ensemble"] == str(Path("ensembles") / "2")
    assert sum(facts["members"].values()) == pytest.approx(1)
    assert [row["subsets"] for row in facts["sizes"]] == [3, 3, 1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--method", "best"], 2, "there is no method 'best'"),
        (["--split", "test"], 1, "lilliput evaluate"),
        (["--to", "taken"], 1, "already holds something"),
        (["nowhere"], 1, "there is nothing at nowhere"),
    ],
)
def test_what_cannot_be_is_said_on_one_line(paths, capsys, words, code, message):
    Path("taken").mkdir()
    (Path("taken") / "mine").touch()
    assert main(["ensemble", *paths, *words]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not Path("ensembles").exists()


def test_an_ensemble_of_an_ensemble_is_refused(paths, capsys):
    assert main(["ensemble", *paths]) == 0
    assert main(["ensemble", "ensembles/1", paths[0]]) == 1
    assert "is an ensemble itself" in capsys.readouterr().err


def test_compare_takes_runs_and_ensembles(paths, capsys):
    assert main(["ensemble", *paths]) == 0
    capsys.readouterr()
    assert main(["compare", *paths[:2], "ensembles/1"]) == 0
    out = capsys.readouterr().out
    assert "3 results on the same 240 images of val" in out
    assert "p (Holm)" in out
    assert main(["compare", *paths[:2], "ensembles/1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["pairs"]) == 3
    assert facts["recipes"]["seed"] == [1, 2, None]
    assert main(["compare", paths[0]]) == 2
    assert "at least two" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nowhere"], ["--method", "best"]])
def test_nothing_is_judged_before_it_is_refused(paths, capsys, words):
    assert main(["ensemble", *paths, *words]) > 0
    assert "judging" not in capsys.readouterr().err


def test_one_image_has_no_interval_of_the_loss(make_run, capsys):
    runs = [make_run("a"), make_run("b", seed=2)]
    for run in runs:
        val = run.predictions("val")
        one = Predictions(val.probabilities[:1], val.labels[:1], val.names[:1])
        run.save_predictions("val", one)
    assert main(["compare", *(str(run.path) for run in runs)]) == 0
    assert "nan" not in capsys.readouterr().out
