"""``submit`` as it is typed; the predictions are made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.data.toy import write_toy_zip
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("submit")
    write_toy_zip(folder / "toy.zip", train_images=2, val_images=1, test_images=11)
    return prepare(folder / "toy.zip", folder / "pack", size=16)


@pytest.fixture
def run(pack: Pack, make_run) -> Run:
    run = make_run(classes=[(one.id, one.name) for one in pack.classes])
    run.save_environment({**run.environment, "data": {"fingerprint": pack.fingerprint}})
    names, k = pack["test"].names, len(pack.classes)
    sure = np.eye(k, dtype=np.float32)[np.arange(len(names)) % k]
    run.save_predictions("test", Predictions(sure, np.full(len(names), -1, np.int64), names))
    return run


def test_stored_predictions_become_a_file(run, pack, capsys):
    assert main(["submit", str(run.path), "--data", str(pack.path), "--out", "out.txt"]) == 0
    assert "images labelled" in capsys.readouterr().out
    assert Path("out.txt").read_text().splitlines()[0] == f"test_0.JPEG {pack.classes[0].id}"
    again = ["submit", str(run.path), "--data", str(pack.path), "--out", "out.txt"]
    assert main(again) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*again, "--force", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["images"] == len(pack["test"])
    assert facts["format"] == "text"


def test_a_run_of_other_classes_is_refused(make_run, pack, capsys):
    other = make_run("other")
    assert main(["submit", str(other.path), "--data", str(pack.path), "--out", "out.txt"]) == 1
    assert "other classes" in capsys.readouterr().err
    assert not Path("out.txt").exists()
