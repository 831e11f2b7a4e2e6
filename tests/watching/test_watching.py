"""Watchers write what really can be read back, and never stand in a training's way."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lilliput import watching
from lilliput.errors import MissingExtraError, UsageError
from lilliput.results.history import Epoch
from lilliput.results.run import Run
from lilliput.watching import SCALARS, Watchers

MakeRun = Callable[..., Run]


@pytest.fixture
def begun(make_run: MakeRun) -> Run:
    """A run that is two epochs old, with a finished picture."""
    run = make_run(epochs=2, n=24)
    run.figures_path.mkdir()
    from PIL import Image

    Image.new("RGB", (8, 6), "teal").save(run.figures_path / "loss.png")
    return run


def follow(run: Run, names: list[str], epochs: list[Epoch]) -> None:
    with Watchers(names, run.path) as watchers:
        watchers.show("what a training runs on")
        for epoch in epochs:
            watchers.show("a step")
            watchers.show(epoch)
        watchers.finish()


def third(run: Run) -> Epoch:
    return replace(run.history[-1], epoch=3, val_accuracy=0.5)


# ── TensorBoard ────────────────────────────────────────────────────────────────────────────────────────────────


def read_events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_tensorboard_gets_every_curve_from_the_first_epoch_on(begun: Run) -> None:
    pytest.importorskip("tensorboard")
    follow(begun, ["tensorboard"], [third(begun)])
    events = read_events(begun.path / "tensorboard")
    assert set(events.Tags()["scalars"]) >= set(SCALARS)
    points = [(p.step, p.value) for p in events.Scalars("val_accuracy")]
    expected = [*((e.epoch, e.val_accuracy) for e in begun.history), (3, 0.5)]
    assert points == [(step, pytest.approx(value)) for step, value in expected]
    assert events.Tags()["images"] == ["loss"]
    assert events.Images("loss")[0].width == 8
    assert "batch_images = 128" in str(events.Tensors("recipe/text_summary")[0].tensor_proto)


def test_a_resumed_training_goes_on_in_the_same_place(begun: Run) -> None:
    pytest.importorskip("tensorboard")
    with Watchers(["tensorboard"], begun.path) as watchers:
        watchers.show("begun, then interrupted")
    follow(begun, ["tensorboard"], [third(begun)])
    events = read_events(begun.path / "tensorboard")
    assert [p.step for p in events.Scalars("train_loss")] == [1, 2, 3]


# ── Weights & Biases, MLflow: where they are installed ─────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_wandb_offline_keeps_the_training_in_the_run_folder(
    begun: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    follow(begun, ["wandb"], [third(begun)])
    [record] = (begun.path / "wandb").glob("offline-run-*/run-*.wandb")
    content = record.read_bytes()
    for name in (*SCALARS, "training.batch_images", "figures/loss"):
        assert name.encode() in content
    assert "no longer follows" not in begun.log_path.read_text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::sqlalchemy.exc.SADeprecationWarning")
def test_mlflow_without_a_server_writes_a_local_database(
    begun: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    follow(begun, ["mlflow"], [third(begun)])
    assert "no longer follows" not in begun.log_path.read_text()
    database = sqlite3.connect(tmp_path / "mlflow.db")
    try:
        ask = "select step, value from metrics where key = 'val_accuracy' order by step"
        points = database.execute(ask).fetchall()
        params = dict(database.execute("select key, value from params").fetchall())
        [(status, artifacts)] = database.execute("select status, artifact_uri from runs").fetchall()
    finally:
        database.close()
    assert [step for step, _ in points] == [1, 2, 3]
    assert points[2][1] == pytest.approx(0.5)
    assert params["training.batch_images"] == "128"
    assert status == "FINISHED"
    assert Path(artifacts, "figures", "loss.png").is_file()
    assert Path(artifacts, "recipe.toml").is_file()


# ── whatever goes wrong ────────────────────────────────────────────────────────────────────────────────────────


class Fake:
    """A watcher that remembers, and fails where it is told to."""

    fails_at = ""

    def __init__(self, run: Run, id: str, recipe: Mapping[str, Any]) -> None:
        self.seen: list[Any] = [("id", id)]
        self.id = "fake-7"
        type(self).last = self
        self._note("begin")

    def _note(self, what: str, *facts: Any) -> None:
        self.seen.append((what, *facts))
        if what == self.fails_at:
            raise ConnectionError("the network is down")

    def show(self, epoch: int, scalars: Mapping[str, float]) -> None:
        self._note("show", epoch, dict(scalars))

    def picture(self, name: str, path: Path) -> None:
        self._note("picture", name)

    def close(self, *, is_finished: bool) -> None:
        self._note("close", is_finished)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setitem(
        watching.WATCHERS, "json", Fake
    )  # the name of a package that is always there
    monkeypatch.setattr(Fake, "fails_at", "")
    return Fake


@pytest.mark.parametrize("where", ["begin", "show", "picture", "close"])
def test_a_watcher_that_fails_costs_one_warning_and_no_training(
    where: str, begun: Run, fake: type[Fake], caplog: pytest.LogCaptureFixture
) -> None:
    fake.fails_at = where
    with caplog.at_level(logging.WARNING):
        follow(begun, ["json"], [third(begun), replace(third(begun), epoch=4)])
    [warning] = caplog.messages
    assert warning.startswith("json no longer follows the training, which goes on: the network is")
    assert warning in begun.log_path.read_text()


def test_what_was_not_measured_is_not_shown(begun: Run, fake: type[Fake]) -> None:
    blind = replace(third(begun), val_loss=math.nan, val_accuracy=math.nan)
    follow(begun, ["json"], [blind])
    shown = {fact[1]: fact[2] for fact in fake.last.seen if fact[0] == "show"}
    assert set(shown) == {1, 2, 3}
    assert set(shown[1]) == set(SCALARS)
    assert set(shown[3]) == set(SCALARS) - {"val_loss", "val_accuracy"}


def test_an_end_is_told_from_an_interruption(begun: Run, fake: type[Fake]) -> None:
    follow(begun, ["json", "json"], [])
    assert fake.last.seen[-1] == ("close", True)
    with Watchers(["json"], begun.path) as watchers:
        watchers.show("something")
    assert fake.last.seen == [("id", "fake-7"), ("begin",), ("close", False)]


def test_nobody_begins_before_the_run_is_there(tmp_path: Path, fake: type[Fake]) -> None:
    fake.fails_at = "begin"
    with Watchers(["json"], tmp_path / "not-yet") as watchers:
        watchers.finish()
    assert not (tmp_path / "not-yet").exists()


def test_a_name_that_is_none_is_asked_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'tensorbord' cannot watch") as caught:
        Watchers(["tensorbord"], tmp_path)
    assert caught.value.hint == "did you mean 'tensorboard'?"


def test_what_is_not_installed_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        Watchers(["mlflow"], tmp_path)
    assert "mlflow" in caught.value.hint
    assert os.listdir(tmp_path) == []
