from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.cli import main
from lilliput.results.run import Run


def test_evaluate_reads_the_stored_predictions(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    stored = run.predictions("val")
    right = (stored.probabilities.argmax(axis=1) == stored.labels).mean()
    assert main(["evaluate", str(run.path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["top1"] == pytest.approx(right)
    assert facts["n"] == len(stored)
    low, high = facts["interval"]
    assert low < facts["top1"] < high
    assert facts["split"] == "val"
    assert sum(one["correct"] for one in facts["per_class"]) == round(right * len(stored))
    assert {one["id"] for one in facts["per_class"]} == {id for id, _ in run.classes}


def test_evaluate_names_the_best_and_the_worst(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    assert main(["evaluate", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "m1-1 on val: top-1 " in out
    best, worst = out.split("Worst classes")
    shares = [
        float(line.split(" %")[0])
        for line in best.split("Best classes")[1].splitlines()
        if "%" in line
    ]
    lowest = [float(line.split(" %")[0]) for line in worst.splitlines() if "%" in line]
    assert shares == sorted(shares, reverse=True)
    assert lowest == sorted(lowest)
    assert lowest[-1] <= shares[-1]


def test_evaluate_without_predictions_or_data_says_what_to_name(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    assert main(["evaluate", str(run.path), "--split", "train"]) == 1
    assert "--data" in capsys.readouterr().err


def test_report_prints_where_the_page_is(
    make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(n=60, epochs=2)
    assert main(["report", str(run.path), "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["report"])
    assert page == run.report_path
    assert page.read_text(encoding="utf-8").startswith("<!")


def test_report_of_nothing_is_one_clear_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "nowhere"]) == 1
    err = capsys.readouterr().err
    assert "nowhere" in err
    assert "Traceback" not in err
