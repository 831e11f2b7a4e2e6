"""The whole way through the commands: prepare, train, evaluate, report; interrupted and resumed; quickstart."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import main

SHORT = ["training.epochs=2", "training.batch_images=16"]


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    """What a command answers in JSON; it must succeed."""
    code = main([*words, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def weights_hash(run: str) -> str:
    return hashlib.sha256((Path(run) / "weights.safetensors").read_bytes()).hexdigest()


def test_from_a_zip_to_a_report(toy_zip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = answer(["prepare", str(toy_zip), "--to", "pack"], capsys)["pack"]
    trained = answer(["train", "m1", *SHORT, "--data", pack, "--device", "cpu"], capsys)
    run = trained["run"]
    assert Path(run) == Path("runs/m1-1")
    with open(f"{run}/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]

    judged = answer(["evaluate", run], capsys)
    assert judged["top1"] == pytest.approx(float(rows[-1]["val_accuracy"]), abs=1e-6)
    again = answer(["evaluate", run, "--data", pack], capsys)
    assert again["top1"] == judged["top1"]

    page = answer(["report", run], capsys)["report"]
    assert "<html" in Path(page).read_text(encoding="utf-8")


def test_the_python_verbs_do_the_same(toy_zip: Path, tmp_path: Path) -> None:
    pack = lilliput.prepare(toy_zip, tmp_path / "pack")
    run = lilliput.train("m1", pack, run=tmp_path / "run", overrides=SHORT, device="cpu")
    verdict = lilliput.evaluate(run)
    assert verdict.n == len(pack["val"])
    assert verdict.top1 == pytest.approx(run.history[-1].val_accuracy, abs=1e-6)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_resumes_to_the_same_weights(
    number: signal.Signals,
    code: int,
    toy_zip: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    # Two trainings choose by timings of their own, which may differ; what is resumed keeps to its own choice.
    chosen = ["training.precision=fp32", "training.memory_format=contiguous", "training.threads=1"]
    command = ["train", "m1", *SHORT, *chosen, "--data", str(toy_zip), "--device", "cpu"]
    whole = answer([*command, "--run", "whole"], capsys)["run"]

    # The process stops itself as soon as its first line of an epoch would be due.
    program = f"""
import signal, sys
from lilliput.cli import main, watch
show = watch.Screen._epoch
def stop(self, epoch):
    show(self, epoch)
    signal.raise_signal({int(number)})
watch.Screen._epoch = stop
sys.exit(main({[*command, "--run", "broken"]!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("hint: to go on: lilliput train m1 ")
    assert "--resume" in done.stderr
    assert not Path("broken/weights.safetensors").exists()

    answer([*command, "--run", "broken", "--resume"], capsys)
    assert weights_hash("broken") == weights_hash(whole)


def test_quickstart_on_given_data(toy_zip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(["quickstart", "--data", str(toy_zip)], capsys)
    assert Path(facts["report"]).is_file()
    assert len(facts["runs"]) == 2
    assert set(facts["evaluations"]) >= {"their average"}
    again = answer(["quickstart", "--data", str(toy_zip)], capsys)
    assert again["folder"] != facts["folder"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train", "m9", "--data", "toy"], 2, "m"),
        (["train", "m1", "training.epoch=3", "--data", "toy"], 2, "epochs"),
        (["train", "m1", "training.epochs=many", "--data", "toy"], 2, "training.epochs"),
        (["train", "m1", "--data", "nowhere.zip"], 1, "nowhere.zip"),
        (["train", "m1", "--data", "toy", "--resume"], 1, "resume"),
    ],
)
def test_a_wrong_request_is_refused_and_leaves_nothing(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], own_places: Path
) -> None:
    assert main(words) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not (own_places / "runs").exists()
