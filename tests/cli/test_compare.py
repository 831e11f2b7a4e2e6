"""``compare`` as it is typed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lilliput
from lilliput.cli import main
from lilliput.errors import LilliputError
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run


@pytest.fixture
def runs(make_run) -> list[Run]:
    """A good one, one like it, and a poor one of another recipe, on the same images."""
    return [
        make_run("good", recipe="m1", skill=4.0, seed=1),
        make_run("alike", recipe="m1", skill=4.0, seed=1),
        make_run("poor", recipe="m3", skill=0.2, seed=3),
    ]


def test_the_table_says_what_is_real_and_what_may_be_chance(runs, capsys) -> None:
    assert main(["compare", *(str(run.path) for run in runs)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 results on the same ")
    assert "Recipes differ in" in out and "p (Holm)" in out
    lines = {line.split("  ")[1].strip(): line for line in out.splitlines() if " - " in line}
    assert "good is better" in lines["good - poor"]
    assert "may be chance" in lines["good - alike"]


def test_json_has_the_four_fields_of_every_pair(runs, capsys) -> None:
    assert main(["compare", *(str(run.path) for run in runs), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["results"]] == ["good", "alike", "poor"]
    assert len(told["pairs"]) == 3
    for pair in told["pairs"]:
        first, second = (
            next(run for run in runs if run.name == pair[side]).predictions("val")
            for side in ("first", "second")
        )
        right = [one.probabilities.argmax(axis=1) == one.labels for one in (first, second)]
        assert pair["only_first"] == int((right[0] & ~right[1]).sum())
        assert pair["only_second"] == int((right[1] & ~right[0]).sum())
        assert pair["difference"] == pytest.approx(right[0].mean() - right[1].mean())
        assert pair["p_corrected"] >= pair["p"]


def test_what_cannot_be_compared_is_refused(runs, capsys) -> None:
    assert main(["compare", str(runs[0].path)]) == 2
    assert "two" in capsys.readouterr().err
    other = runs[1].predictions("val")
    runs[1].save_predictions(
        "val",
        Predictions(other.probabilities[::-1], np.roll(other.labels, 1), other.names),
    )
    assert main(["compare", str(runs[0].path), str(runs[1].path)]) == 1
    assert "the labels of row 0 differ" in capsys.readouterr().err
    assert main(["compare", str(runs[0].path), str(runs[2].path), "--split=heldout"]) == 1


def test_one_path_alone_is_no_list(runs) -> None:
    for verb in (lilliput.compare, lilliput.ensemble):
        with pytest.raises(LilliputError, match="not a list"):
            verb(str(runs[0].path))
