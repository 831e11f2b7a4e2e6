from __future__ import annotations

import json
from pathlib import Path

import pytest

from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.results.run import Run

PLAN = "ConvReLU(F3-4) -> MaxPool -> FC(4)"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """One whose arithmetic is given: timing it takes longer than the training."""
    path = tmp_path / "tiny.toml"
    path.write_text(
        f'name = "tiny"\n[model]\nplan = "{PLAN}"\n[training]\nepochs = 2\nbatch_images = 12\n'
        'precision = "fp32"\nmemory_format = "contiguous"\n'
    )
    return path


def test_a_training_is_followed_by_whoever_is_named(
    recipe: Path, tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    words = ["train", str(recipe), "--data", str(tiny_pack.path), "--run", str(tmp_path / "run")]
    words += ["--device", "cpu", "--watch", "tensorboard", "--json"]
    assert main(words) == 0
    run = Run.open(Path(json.loads(capsys.readouterr().out)["run"]))
    events = accumulators.EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    points = [(point.step, point.value) for point in events.Scalars("val_accuracy")]
    assert points == [(one.epoch, pytest.approx(one.val_accuracy)) for one in run.history]
    assert "loss" in events.Tags()["images"]
    assert "--watch tensorboard" in run.environment["command"]


def test_an_unknown_watcher_trains_nothing(
    recipe: Path, tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(recipe), "--data", str(tiny_pack.path), "--run", str(tmp_path / "run")]
    assert main([*words, "--watch", "tensorbord"]) == 2
    assert "did you mean 'tensorboard'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
