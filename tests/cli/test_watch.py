from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from typing import Any

import pytest

from lilliput.cli import watch as watching
from lilliput.experiment import Runtime, Step
from lilliput.results.history import Epoch

STEPS = 3


def training(
    learning: Callable[..., list[Epoch]], closed: list[bool], *, interrupt_at: int = 0
) -> Generator[Any]:
    """What run_steps yields for a training of two epochs."""
    try:
        yield Runtime("cpu", "fp32", "channels_last", 2, {"fp32": 12.5})
        for epoch in learning(2):
            for step in range(1, STEPS + 1):
                if epoch.epoch == 1 and step == interrupt_at:
                    signal.raise_signal(signal.SIGINT)
                yield Step(epoch.epoch, step, STEPS, 128)
            yield epoch
    finally:
        closed.append(True)


def test_one_plain_line_per_epoch_where_nobody_watches(
    learning: Callable[..., list[Epoch]], capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[bool] = []
    assert not watching.watch(training(learning, closed), epochs=2, title="m1")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["epoch 1/2", "epoch 2/2"]
    assert "fp32, channels_last" in lines[0] and "12.5 ms" in lines[0]
    assert "left" in lines[1] and "left" not in lines[2]
    assert closed == [True]


def test_a_terminal_gets_a_bar(
    learning: Callable[..., list[Epoch]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(watching, "is_terminal", lambda: True)
    watching.watch(training(learning, []), epochs=2, title="m1")
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 2/2" in err


def test_a_stop_signal_leaves_after_the_step_and_closes_the_training(
    learning: Callable[..., list[Epoch]], capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[bool] = []
    stop = watching.watch(training(learning, closed, interrupt_at=2), epochs=2, title="m1")
    assert stop.exit_code == 130
    assert closed == [True]
    assert "epoch 1/2" not in capsys.readouterr().err


def test_an_epoch_without_validation_says_nothing_of_it(
    learning: Callable[..., list[Epoch]],
) -> None:
    from dataclasses import replace

    [epoch] = learning(1)
    assert "val" in watching.describe_epoch(epoch, 1)
    blind = replace(epoch, val_loss=float("nan"), val_accuracy=float("nan"))
    assert "val" not in watching.describe_epoch(blind, 1)
