"""A whole tiny run with everything random in it, to hold others against."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from lilliput.data.pack import Pack
from lilliput.experiment import run_experiment
from lilliput.recipe import Recipe
from lilliput.results.run import Run

TIMES = {"seconds", "images_per_second", "peak_memory_bytes"}


def tiny_recipe(**changes: Any) -> Recipe:
    """Two epochs of five steps with dropout and augmentation; ``changes`` replace keys of its sections."""
    values: dict[str, Any] = {
        "name": "tiny",
        "model": {"plan": "ConvReLU(F3-6) -> MaxPool -> FCReLU(12) -> FC(4)", "dropout": 0.3},
        "augment": {"flip": True, "crop_pixels": 2, "brightness": 0.2},
        "optimizer": {"learning_rate": 0.02, "l2": 1e-3},
        "schedule": {"name": "one-cycle"},
        "training": {
            "epochs": 2,
            "batch_images": 10,
            "precision": "fp32",
            "memory_format": "contiguous",
            "threads": 1,  # else the probe chooses, on a busy machine not always alike, and sums are rounded otherwise
        },
    }
    for section, content in changes.items():
        old = values.get(section)
        values[section] = {**(old or {}), **content} if isinstance(content, dict) else content
    return Recipe.model_validate(values)


def same_in(run: Run, split: str = "val") -> dict[str, Any]:
    """What two runs of one recipe must share: weights, optimizer state, predictions, learning record, history without
    the clock.
    """
    with run.history_path.open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if key not in TIMES}
            for row in csv.DictReader(file)
        ]
    newest = max(run.checkpoints_path.iterdir())
    # The last checkpoint's tensors; its header holds the history, and with it the clock.
    content = newest.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return {
        "weights": hashlib.sha256(run.weights_path.read_bytes()).hexdigest(),
        "state": hashlib.sha256(content[8 + length :]).hexdigest(),
        "predictions": run.predictions(split).probabilities.tobytes(),
        "history": rows,
        "learning": run.learning_path.read_bytes(),
    }


@pytest.fixture(scope="session", autouse=True)
def small_networks(one_thread: None) -> None:
    """All networks here are small."""


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    return tiny_recipe


@pytest.fixture
def same() -> Callable[[Run], dict[str, Any]]:
    return same_in


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_pack: Pack) -> Run:
    """The tiny recipe trained without a break. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return run_experiment(tiny_recipe(), tiny_pack, folder, device="cpu")
