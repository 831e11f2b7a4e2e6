"""The whole audit: files, lists, page; on a pack of four classes, one of them with a hostile name."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lilliput.analysis.audit import examine, facts_of, write_audit
from lilliput.analysis.audit.droplist import choose_to_drop, write_out
from lilliput.analysis.audit.evidence import Evidence, collect
from lilliput.analysis.audit.gallery import draw_causes
from lilliput.analysis.audit.labels import suspected_labels
from lilliput.analysis.audit.suspicions import CAUSES
from lilliput.analysis.photos import COLUMNS
from lilliput.data.selection import select
from lilliput.errors import RunError, UsageError
from lilliput.recipe import DataRecipe
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run


@pytest.fixture
def folds(pack, predicted_run) -> list[Run]:
    """Two runs that between them held out every training image; the first image of n03 looks like n00 to its run."""
    runs = []
    random = np.random.default_rng(4)
    for number in range(2):
        run = predicted_run(f"fold-{number}", seed=number)
        rows = np.arange(number, len(pack["train"]), 2)
        labels = np.asarray(pack["train"].labels)[rows]
        logits = random.normal(size=(len(rows), 4))
        logits[np.arange(len(rows)), labels] += 4
        if number == 0:
            logits[rows == 60] = [9, 0, 0, 0]
        odds = np.exp(logits)
        odds = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
        names = tuple(pack["train"].names[row] for row in rows)
        run.save_predictions("heldout", Predictions(odds, labels, names))
        runs.append(run)
    return runs


def test_one_run_gives_a_page_and_an_empty_list_that_says_why(
    pack, predicted_run, tmp_path
) -> None:
    findings = examine([predicted_run()], pack)
    paths = write_audit(findings, tmp_path / "audit")
    assert set(paths) == {"audit.json", "images.csv", "audit.html", "drop.txt", "causes.png"}
    text = paths["drop.txt"].read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in text.splitlines())
    assert "data.folds" in text
    facts = json.loads(paths["audit.json"].read_text(encoding="utf-8"))
    assert list(facts["splits"]) == ["val"]
    assert facts["splits"]["val"]["images"] == len(pack["val"])
    assert facts["duplicate_counts"] == {"test-train": 1}
    assert facts["splits"]["val"]["hardest"][0]["disagreement"] is None


def test_the_picture_of_the_causes_shows_the_hardest_of_each(pack, predicted_run, tmp_path) -> None:
    findings = examine([predicted_run()], pack)
    figure = draw_causes(findings)
    assert figure is not None
    (one,) = findings.splits
    shown = [cause for cause, flags in one.causes.items() if flags.any()]
    (axes,) = figure.axes
    assert len(axes.images) == sum(min(COLUMNS, int(one.causes[c].sum())) for c in shown)
    headings = [text.get_text() for text in axes.texts]
    assert all(any(CAUSES[cause] in words for words in headings) for cause in shown)
    first = next(place for place in one.evidence.hardest if one.causes[shown[0]][place])
    wanted = pack["val"].images[one.evidence.rows[first]]
    assert np.array_equal(axes.images[0].get_array(), wanted)

    nothing = replace(one, causes={name: np.zeros(len(one.evidence), bool) for name in CAUSES})
    (tmp_path / "causes.png").write_bytes(b"of an earlier audit")
    assert "causes.png" not in write_audit(replace(findings, splits=(nothing,)), tmp_path)
    assert not (tmp_path / "causes.png").exists()


def test_folds_give_a_list_that_a_training_takes(pack, folds, tmp_path) -> None:
    findings = examine(folds, pack, drop_share=0.1)
    paths = write_audit(findings, tmp_path)
    assert len(findings.droplist.chosen) == 8
    dataset = select(pack, DataRecipe(drop=str(paths["drop.txt"])), seed=1)
    assert len(dataset.training) == len(pack["train"]) - 8
    assert pack["train"].names[60] not in dataset.training.names
    assert "hardest 10 %" in paths["drop.txt"].read_text(encoding="utf-8")


def test_the_table_has_every_image_hardest_first(pack, folds, tmp_path) -> None:
    findings = examine(folds, pack)
    with write_audit(findings, tmp_path)["images.csv"].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    train = [row for row in rows if row["split"] == "train"]
    assert len(rows) == len(pack["train"]) + len(pack["val"])
    hardness = [float(row["hardness"]) for row in train]
    assert hardness == sorted(hardness, reverse=True)
    assert train[0]["name"] == pack["train"].names[60]
    assert train[0]["predicted"] == "bus"
    assert sum(int(row["dropped"]) for row in rows) == round(0.05 * len(train))


def test_a_wrong_label_is_suspected(pack, folds) -> None:
    findings = examine(folds, pack, split="train")
    assert findings.of("val") is None
    train = findings.of("train")
    assert train is not None
    assert train.evidence.rows[train.labels[0]] == 60


def test_without_cleanlab_the_rest_works_and_says_so(
    pack, predicted_run, monkeypatch, tmp_path
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    findings = examine([predicted_run()], pack)
    assert len(findings.left_out) == 1
    assert "needs the optional part 'audit'" in findings.left_out[0]
    page = write_audit(findings, tmp_path)["audit.html"].read_text(encoding="utf-8")
    assert "Left out" in page
    assert facts_of(findings)["splits"]["val"]["suspected_label_count"] == 0


def test_labels_of_classes_with_hardly_an_image_are_not_judged(pack, predicted_run) -> None:
    (few,) = collect([predicted_run(rows=np.array([0, 1, 2, 3, 8, 9, 10, 16]))], pack)
    assert 7 not in suspected_labels(few)
    (one,) = collect([predicted_run("b", rows=np.array([0, 1]))], pack)
    assert len(suspected_labels(one)) == 0


def test_the_page_is_offline_and_hostile_names_are_text(pack, folds, tmp_path) -> None:
    page = write_audit(examine(folds, pack), tmp_path)["audit.html"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:image/jpeg;base64,|#)""", page)
    assert not re.search(r"https?://", page)
    assert "default-src 'none'" in page
    assert page.count("<img") == page.count('src="data:') > 40
    assert len(page) < 8_000_000


def test_no_class_loses_more_than_half(pack, folds) -> None:
    train = examine(folds, pack, split="train").of("train")
    assert train is not None
    droplist = choose_to_drop(train.evidence, 0.9)
    lost = np.bincount(train.evidence.labels[droplist.chosen])
    assert lost.tolist() == [10, 10, 10, 10]
    assert len(choose_to_drop(train.evidence, 0.0).chosen) == 0


@pytest.fixture
def tied(pack, predicted_run) -> Callable[[np.ndarray], Evidence]:
    """``tied(rows)``: evidence of one run that held out these rows, knows nothing, and learned all others late."""

    def make(rows: np.ndarray) -> Evidence:
        run = predicted_run()
        train = pack["train"]
        others = np.setdiff1d(np.arange(len(train)), rows)
        right = np.zeros((4, len(others)), bool)
        run.record_learning(
            list(np.packbits(right, axis=1)), tuple(train.names[row] for row in others)
        )
        odds = np.full((len(rows), 4), 0.25, np.float32)
        names = tuple(train.names[row] for row in rows)
        labels = np.asarray(train.labels)[rows]
        run.save_predictions("heldout", Predictions(odds, labels, names))
        return collect([run], pack)[1]

    return make


def test_equally_hard_images_are_dropped_from_all_classes(pack, tied) -> None:
    evidence = tied(np.arange(len(pack["train"])))
    droplist = choose_to_drop(evidence, 0.2)
    lost = np.bincount(evidence.labels[droplist.chosen], minlength=4)
    assert lost.sum() == 16
    assert lost.min() >= 1
    assert lost.max() <= 8
    assert not any("hardly any" in remark for remark in droplist.remarks)


def test_only_judged_images_are_dropped_and_a_list_of_few_says_so(pack, tied) -> None:
    rows = np.arange(0, len(pack["train"]), 8)
    evidence = tied(rows)
    droplist = choose_to_drop(evidence, 0.4)
    assert len(evidence) == len(pack["train"])
    assert len(droplist.chosen) == round(0.4 * len(rows))
    assert set(evidence.rows[droplist.chosen]) <= set(rows)
    assert any("hardly any image is judged" in remark for remark in droplist.remarks)
    nothing = choose_to_drop(replace(evidence, judged=np.zeros_like(evidence.judged)), 0.4)
    assert len(nothing.chosen) == 0
    assert nothing.remarks[0].startswith("empty")


def test_the_list_is_of_one_name_per_line_with_a_remark_behind(pack, folds) -> None:
    train = examine(folds, pack, split="train").of("train")
    assert train is not None
    text = write_out(choose_to_drop(train.evidence, 0.1), train.evidence, pack, "a\nb")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"n0\d_\d+\.JPEG  # .+, harder than [\d.]+ %", line) for line in lines)
    assert lines[0].startswith(pack["train"].names[60])


@pytest.mark.parametrize("wrong", [{"split": "test"}, {"drop_share": 1.0}, {"drop_share": -0.1}])
def test_wrong_questions_are_refused(pack, predicted_run, wrong) -> None:
    with pytest.raises(UsageError):
        examine([predicted_run()], pack, **wrong)


def test_nothing_known_is_said(pack, predicted_run) -> None:
    run = predicted_run()
    with pytest.raises(RunError, match=r"images of train"):
        examine([run], pack, split="train")
    (run.path / "predictions" / "val.npz").unlink()
    with pytest.raises(RunError, match="nothing about labelled images"):
        examine([run], pack)


def test_a_second_audit_replaces_the_first(pack, predicted_run, tmp_path: Path) -> None:
    findings = examine([predicted_run()], pack)
    first = {name: path.read_bytes() for name, path in write_audit(findings, tmp_path).items()}
    again = {name: path.read_bytes() for name, path in write_audit(findings, tmp_path).items()}
    assert first == again
    assert len(list(tmp_path.glob("*.*"))) >= 4
