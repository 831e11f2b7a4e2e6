"""What a notebook cell shows: whole HTML, no script, names as text, and never an exception."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path

import pytest

from lilliput.results.ablation import Ablation, Value
from lilliput.results.ensemble import Ensemble, Part
from lilliput.results.metrics import evaluate
from lilliput.results.notebook import sparkline
from lilliput.results.study import Study

HOSTILE = "<script>alert(1)</script>\"'>&"


class Cell(HTMLParser):
    """A cell taken apart; a tag closed in the wrong place fails at once."""

    def __init__(self, result) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(result._repr_html_())
        assert self._open == []
        assert not {"script", "style", "img", "iframe"} & set(self.tags)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open.append(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words += data + " "


def test_a_run(make_run):
    run = make_run(epochs=4)
    cell = Cell(run)
    verdict = evaluate(run.predictions("val"), run.classes)
    assert f"{100 * verdict.top1:.1f} % (" in cell.words
    assert "240 images of val" in cell.words
    assert "4 epochs" in cell.words
    assert "polyline" in cell.tags
    assert "lilliput report" in cell.words and cell.links == []
    run.report_path.write_text("page")
    assert Cell(run).links == [run.report_path.as_posix()]


def test_a_run_in_progress(make_run, learning):
    run = make_run(epochs=9)
    run.record(learning(1))
    (run.path / "predictions" / "val.npz").unlink()
    cell = Cell(run)
    assert "1 of 9 epochs so far" in cell.words
    assert "not evaluated yet" in cell.words
    assert "svg" not in cell.tags


def test_damage_is_told_in_the_cell(make_run):
    run = make_run()
    run.history_path.write_text("nonsense")
    assert "history.csv is damaged" in Cell(run).words


def test_an_ensemble(make_run, tmp_path: Path):
    runs = [make_run(f"m1-{i}", seed=i, epochs=1, n=24) for i in (1, 2)]
    facts = {"method": "mean", "chosen_on": None, "results": {}}
    parts = [Part(runs[0], 0.75), Part(runs[1], 0.25)]
    predictions = {"val": runs[0].predictions("val")}
    cell = Cell(Ensemble.create(tmp_path / "both", parts, facts, predictions))
    for word in ("ensemble", "m1-1", "0.750", "m1-2", "0.250", "24 images of val"):
        assert word in cell.words


def test_a_study(tmp_path: Path):
    trials = [
        {"number": n, "state": "complete", "value": n / 10, "changes": [HOSTILE], "images": 100}
        for n in range(8)
    ]
    trials.append({"number": 8, "state": "running"})
    facts = {"format": 1, "name": HOSTILE, "trials": trials, "best": [7, 6]}
    (tmp_path / "study.json").write_text(json.dumps(facts))
    cell = Cell(Study.open(tmp_path))
    assert "9 trials, 8 complete" in cell.words
    assert "70.0 % (" in cell.words
    assert cell.words.count(HOSTILE) == 3
    assert "polyline" in cell.tags


def test_an_ablation(tmp_path: Path):
    values = [
        Value(name="ReLU", changes=(), runs=("a", "b"), accuracy=(0.30, 0.32)),
        Value(name=HOSTILE, changes=(), runs=("c", "d"), accuracy=(0.28, 0.29)),
        Value(name="Tanh", changes=(), runs=("e", "f"), accuracy=(nan, nan)),
    ]
    ablation = Ablation(
        path=tmp_path,
        name="nonlinearity",
        claim="no difference",
        recipe="m1",
        base={},
        fingerprint="",
        seeds=(1, 2),
        split="heldout",
        values=tuple(values),
    )
    words = Cell(ablation).words
    assert "31.0 % (" in words
    assert "-2.5 points" in words
    assert HOSTILE in words
    assert "nan" not in words


@pytest.mark.parametrize("values", [[], [0.5], [nan, 0.5], [nan, inf]])
def test_fewer_than_two_points_are_no_curve(values):
    assert sparkline(values, "x") == ""


def test_a_curve_rises_where_the_values_do():
    svg = sparkline([0.1, nan, 0.2, 0.4], "x")
    points = [
        tuple(map(float, p.split(","))) for p in svg.split('points="')[1].split('"')[0].split()
    ]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert len(points) == 3
    assert 'label="a &amp; b"' in sparkline([1, 1], "a & b")
