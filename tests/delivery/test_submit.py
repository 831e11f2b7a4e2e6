"""Submissions: the right lines, or a refusal before anything is written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.data.toy import write_toy_zip
from lilliput.delivery.submit import check_file, check_submission, write_submission
from lilliput.errors import LilliputError, RunError, UsageError
from lilliput.results.predictions import Predictions


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("submit")
    write_toy_zip(folder / "toy.zip", train_images=2, val_images=1, test_images=12)
    return prepare(folder / "toy.zip", folder / "pack", size=16)


@pytest.fixture
def said(pack: Pack) -> Predictions:
    k = len(pack.classes)
    random = np.random.default_rng(0)
    names = pack["test"].names
    probabilities = random.dirichlet(np.ones(k), len(names)).astype(np.float32)
    return Predictions(probabilities, np.full(len(names), -1, np.int64), names)


def test_a_line_per_image_in_numeric_order(pack, said, tmp_path: Path):
    written = write_submission(said, pack, tmp_path / "out.txt")
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert written.images == len(lines) == len(said)
    assert [line.split()[0] for line in lines[:12]] == [f"test_{i}.JPEG" for i in range(12)]
    for line, row in zip(lines, said.probabilities, strict=True):
        assert line.split()[1] == pack.classes[int(row.argmax())].id
    assert sum(written.counts) == len(said)


def test_csv_has_a_heading(pack, said, tmp_path: Path):
    write_submission(said, pack, tmp_path / "out.csv", as_csv=True)
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["image", "class"]
    assert [row[0] for row in rows[1:]] == list(said.names)


def test_predictions_of_other_images_are_refused(pack, guesses, tmp_path: Path):
    with pytest.raises(RunError, match=r"not of the .* test images"):
        write_submission(guesses(len(pack.classes), 5), pack, tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_other_classes_are_refused(pack, make_run, tmp_path: Path):
    classes = [(c.id, c.name) for c in pack.classes]
    out = tmp_path / "out.txt"
    check_submission(make_run("same", classes=classes), pack, out, force=False)
    with pytest.raises(RunError, match=rf"tells only 2 of the {len(classes)} classes"):
        check_submission(make_run("part", classes=classes[:2]), pack, out, force=False)
    strange = [("strange", "?"), *classes[1:]]
    with pytest.raises(RunError, match=r"other classes .*'strange' among them"):
        check_submission(make_run("other", classes=strange), pack, out, force=False)
    with pytest.raises(RunError, match="in another order"):
        check_submission(make_run("order", classes=classes[::-1]), pack, out, force=False)


def test_a_taken_place_is_kept_without_force(pack, make_run, tmp_path: Path):
    run = make_run(classes=[(c.id, c.name) for c in pack.classes])
    (tmp_path / "out.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        check_submission(run, pack, tmp_path / "out.txt", force=False)
    check_submission(run, pack, tmp_path / "out.txt", force=True)
    with pytest.raises(UsageError, match="is a folder"):
        check_submission(run, pack, tmp_path, force=True)


def test_a_pack_without_test_images_is_refused(tiny_pack, make_run, tmp_path: Path):
    run = make_run(classes=[(c.id, c.name) for c in tiny_pack.classes])
    with pytest.raises(UsageError, match="has no test split"):
        check_submission(run, tiny_pack, tmp_path / "out.txt", force=False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a x\n", "1 lines"),
        ("a x\na x\n", "line 2"),
        ("a x\nb z\n", "line 2"),
        ("b x\na x\n", "line 1"),
        ("a x\nb x y\n", "line 2"),
        ("a x\nb\n", "line 2"),
    ],
)
def test_a_wrong_file_is_found_wrong(tmp_path: Path, text: str, problem: str):
    (tmp_path / "out.txt").write_text(text)
    with pytest.raises(LilliputError, match=problem):
        check_file(tmp_path / "out.txt", ["a", "b"], ["x", "y"])


def test_a_right_file_is_found_right(tmp_path: Path):
    (tmp_path / "out.txt").write_text("a x\nb y\n")
    check_file(tmp_path / "out.txt", ["a", "b"], ["x", "y"])
    with pytest.raises(LilliputError, match="the same name"):
        check_file(tmp_path / "out.txt", ["a", "a"], ["x", "y"])
