"""Small trained networks with every kind of layer in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lilliput.data.pack import Pack
from lilliput.experiment import run_experiment
from lilliput.recipe import Recipe
from lilliput.results.ensemble import Ensemble, Part
from lilliput.results.run import Run

PLAIN = "ConvReLU(F3-6) -> MaxPool -> FCReLU(12) -> FC(4)"
# All but the plain layers: its first is not the one that standardises, its maps end as one pixel.
MODERN = (
    "Resize(12) -> Whiten(F4-12,S2) -> ConvBNSiLU(F1-8) -> Conv(F3-8,G2) -> MaxPool -> BNSiLU -> "
    "Residual(F3-12) -> ConvTanh(F1-8) -> GlobalPool -> FC(4)"
)

# The residual words and what goes with them; the shortcut that averages takes an odd number of pixels.
RESIDUAL = (
    "ConvBN(F3-8,S3) -> BlurPool -> Residual(F3-8,S2,D,SE4) -> Bottleneck(F3-16,G2,W4) -> PreAct(F3-16) -> "
    "PreAct(F3-8,SE2) -> BNReLU -> SE(2) -> AvgPool -> GlobalPool -> FC(4)"
)


@pytest.fixture(scope="session", autouse=True)
def small_networks(one_thread: None) -> None:
    """All networks here are small."""


def train_tiny(
    pack: Pack, folder: Path, plan: str, views: tuple[str, ...], seed: int = 0, **model: object
) -> Run:
    """Two epochs on the tiny pack, long enough to be sure of some images."""
    values = {
        "name": "tiny",
        "seed": seed,
        "model": {"plan": plan, **model},
        "optimizer": {"learning_rate": 0.05},
        "training": {
            "epochs": 2,
            "batch_images": 8,
            "precision": "fp32",
            "memory_format": "channels_last",
            "threads": 1,
        },
        "evaluation": {"views": views},
    }
    return run_experiment(Recipe.model_validate(values), pack, folder, device="cpu")


@pytest.fixture(scope="session")
def plain_run(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network of the paper's layers, one view. Not to be changed."""
    return train_tiny(tiny_pack, tmp_path_factory.mktemp("plain") / "plain", PLAIN, ("plain",))


@pytest.fixture(scope="session")
def modern_run(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network of all other layers, three views. Not to be changed."""
    folder = tmp_path_factory.mktemp("modern") / "modern"
    return train_tiny(tiny_pack, folder, MODERN, ("plain", "flip", "shift"), seed=1)


@pytest.fixture(scope="session")
def residual_run(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network of residual words, whose training passed blocks by. Not to be changed."""
    folder = tmp_path_factory.mktemp("residual") / "residual"
    return train_tiny(tiny_pack, folder, RESIDUAL, ("plain",), stochastic_depth=0.5, zero_init=True)


@pytest.fixture
def run_copy(plain_run: Run, tmp_path: Path) -> Run:
    """The plain run as a copy that may be spoiled."""
    shutil.copytree(plain_run.path, tmp_path / "copy")
    return Run.open(tmp_path / "copy")


@pytest.fixture
def make_ensemble(plain_run: Run, modern_run: Run, tmp_path: Path) -> Callable[[str], Ensemble]:
    """``make_ensemble(method)``: both networks, the first counting twice."""

    def make(method: str) -> Ensemble:
        parts = [Part(plain_run, 2 / 3), Part(modern_run, 1 / 3)]
        return Ensemble.create(tmp_path / method, parts, {"method": method}, {})

    return make


@pytest.fixture
def pictures(tiny_pack: Pack) -> np.ndarray:
    """The validation images, uint8[16,16,16,3]."""
    return np.array(tiny_pack["val"].images)


@pytest.fixture
def rename_classes() -> Callable[[Run, list[tuple[str, str]]], None]:
    """Gives the classes of a run other ids and names."""

    def rename(run: Run, classes: list[tuple[str, str]]) -> None:
        run.save_environment({**run.environment, "classes": [list(one) for one in classes]})
        from lilliput.training.weights import read_tensors, write_tensors

        tensors, metadata = read_tensors(run.weights_path)
        names = json.dumps([list(one) for one in classes])
        write_tensors(run.weights_path, tensors, {**metadata, "classes": names})

    return rename
