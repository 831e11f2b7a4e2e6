"""The report: whole, offline, inert, and a pure reader of the folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lilliput.analysis.report import find_results, write_report
from lilliput.analysis.style import percent
from lilliput.errors import RunError
from lilliput.results.combine import combine
from lilliput.results.metrics import evaluate

SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def test_one_run(read_page, make_run):
    run = make_run(epochs=4)
    page_path = write_report(run.path)
    assert page_path == run.report_path
    page = read_page(page_path)
    page.assert_offline_and_inert()
    verdict = evaluate(run.predictions("val"), run.classes)
    assert (
        f"{100 * verdict.top1:.1f} % of 240 validation images labelled right (split val)"
        in page.words
    )
    assert percent(verdict.top5) in page.words
    assert "lilliput train m1 --data 'my pictures' training.epochs=4" in page.words
    assert "batch_images = 128" in page.words
    assert "Some CPU @ 2.50 GHz" in page.words
    assert "memory 25.0 GB" in page.words
    assert page.count("svg") == 6
    assert "All 12 classes" in page.words
    assert "not finished" not in page.words
    assert page.count("table", class_="sortable") == 2


def test_three_runs_and_their_average(read_page, make_run, tmp_path: Path):
    runs = [make_run(f"runs/m1-{i}", seed=i, epochs=3) for i in (1, 2, 10)]
    page = read_page(write_report(tmp_path))
    page.assert_offline_and_inert()
    mean = evaluate(combine([run.predictions("val") for run in runs]), runs[0].classes)
    assert f"{100 * mean.top1:.1f} %" in page.words
    assert "labelled right by the average of 3 networks" in page.words
    assert page.words.index("m1-2") < page.words.index("m1-10")
    assert page.count("svg") == 18


def test_many_runs_are_folded(read_page, make_run, tmp_path: Path):
    for number in range(5):
        make_run(f"m1-{number}", epochs=1)
    assert read_page(write_report(tmp_path)).count("details", class_="chapter") == 5


def test_runs_of_different_images_are_not_averaged(read_page, make_run, tmp_path: Path):
    make_run("a", n=24)
    make_run("b", n=36)
    page = read_page(write_report(tmp_path))
    assert "No average: predictions 1 and 2 cannot be combined: 24 images against 36" in page.words
    make_run("c", classes=[("x", "x"), ("y", "y")])
    assert "No average: the runs know different classes" in read_page(write_report(tmp_path)).words


@pytest.mark.parametrize("count", [1, 3])
def test_hostile_names_are_only_text(read_page, make_run, tmp_path: Path, count: int):
    classes = [("n1", SCRIPT), ("n2", "{{ 7 * 7 }}"), (SCRIPT, "</svg><style>"), ("n4", "\udcff")]
    for number in range(count):
        run = make_run(f"folder/<i>{number}&amp", classes=classes, epochs=2)
        run.recipe_path.write_text(run.recipe_toml + f"\n[note]\ntext = '''{SCRIPT}'''\n")
        names = tuple(SCRIPT + str(i) for i in range(240))
        run.save_predictions("val", replace(run.predictions("val"), names=names))
        run.save_environment({**run.environment, SCRIPT: {SCRIPT: SCRIPT}, "command": SCRIPT})
    page = read_page(write_report(run.path if count == 1 else tmp_path / "folder"))
    page.assert_offline_and_inert()
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not any(tag in {"i", "img"} and "onerror" in a for tag, a in page.tags)


def test_an_unfinished_run_has_a_report(read_page, make_run, learning):
    run = make_run(epochs=9)
    run.record(learning(4))
    run.weights_path.unlink()
    (run.path / "predictions" / "val.npz").unlink()
    words = read_page(write_report(run.path)).words
    assert "Not evaluated yet" in words
    assert "This run is not finished: 4 of 9 epochs" in words
    run.history_path.unlink()
    assert "0 of 9" in read_page(write_report(run.path)).words


def test_odd_environments_are_told(read_page, make_run):
    run = make_run()
    odd = {
        "git": None,
        "data": "gone",
        "n": [1, {"x": None}],
        "classes": run.environment["classes"],
    }
    run.save_environment(odd)
    assert "gone" in read_page(write_report(run.path)).words


def test_classes_without_images_and_labels(read_page, make_run, guesses):
    run = make_run()
    predictions = guesses(12, 24)
    labels = np.where(predictions.labels < 6, predictions.labels, -1)
    run.save_predictions("val", replace(predictions, labels=labels))
    words = read_page(write_report(run.path)).words
    assert "of 12 validation images" in words
    assert "All 6 classes" in words


def test_the_paper_stands_beside_its_own_task_only(read_page, make_run):
    classes = [(f"n{i:03d}", f"c{i}") for i in range(200)]
    run = make_run("m1-1", classes=classes, n=400)
    assert "The paper reports 23.8 %" in read_page(write_report(run.path)).words
    assert "paper reports" not in read_page(write_report(make_run("m1-2").path)).words


def test_a_damaged_run_among_others_is_named_and_left_out(read_page, make_run, tmp_path: Path):
    make_run("good")
    make_run("bad").history_path.write_text("nonsense")
    make_run("worse").environment_path.unlink()
    words = read_page(write_report(tmp_path)).words
    assert "bad: " in words
    assert "history.csv is damaged: line 1" in words
    assert "no environment.json" in words


def test_a_damaged_single_run_is_an_error(make_run, tmp_path: Path):
    run = make_run()
    run.history_path.write_text("nonsense")
    with pytest.raises(RunError, match=r"history\.csv is damaged"):
        write_report(run.path)
    with pytest.raises(RunError, match=r"no run below .* can be read: .*history\.csv"):
        write_report(tmp_path)
    assert not run.report_path.exists()


def test_a_folder_without_runs_is_an_error(tmp_path: Path):
    with pytest.raises(RunError, match="there is no run in"):
        write_report(tmp_path)
    with pytest.raises(RunError, match="there is no folder"):
        find_results(tmp_path / "none")


def test_writing_it_twice_gives_the_same_page(make_run):
    run = make_run(epochs=2)
    first = write_report(run.path).read_bytes()
    assert write_report(run.path).read_bytes() == first


def test_the_report_never_loads_torch():
    code = "import sys, lilliput.analysis.report; print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_hidden_folders_are_no_results(make_run, tmp_path: Path):
    run = make_run("runs/m1-1")
    make_run("runs/.m1-2.abcd.partial")
    make_run(".hidden/m1-3")
    assert find_results(tmp_path / "runs") == [run.path]
    assert find_results(tmp_path) == [run.path]
