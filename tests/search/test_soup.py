"""Soups: what is averaged, what is kept, what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.delivery.classifier import Classifier
from lilliput.errors import RunError
from lilliput.evaluation import load_model
from lilliput.experiment import run_experiment
from lilliput.models.shared import BatchNorm
from lilliput.recipe import Recipe
from lilliput.results.run import Run
from lilliput.search.soup import greedy_soup, measure_statistics
from lilliput.training.weights import read_network

pytestmark = pytest.mark.usefixtures("one_thread")


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "soup",
        "data": {"holdout": 0.25, "holdout_seed": 1},
        "model": {"plan": "ConvBNReLU(F3-6) -> MaxPool -> GlobalPool -> FC(4)"},
        "optimizer": {"learning_rate": 0.05},
        "training": {"epochs": 2, "batch_images": 12, "precision": "fp32", "threads": 1},
    }
    for section, content in changes.items():
        values[section] = {**values[section], **content} if isinstance(content, dict) else content
    return Recipe.model_validate(values)


@pytest.fixture(scope="module")
def runs(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A run, and three that went on from it."""
    folder = tmp_path_factory.mktemp("soup")
    first = run_experiment(recipe(), tiny_pack, folder / "first", device="cpu")
    made = [first]
    for seed in (2, 3, 4):
        one = recipe(seed=seed, model={"start": str(first.path)})
        made.append(run_experiment(one, tiny_pack, folder / str(seed), device="cpu"))
    return made


def test_the_soup_is_the_mean_of_those_it_keeps(
    runs: list[Run], tiny_pack: Pack, tmp_path: Path
) -> None:
    tried = list(greedy_soup(runs[1:], tiny_pack, tmp_path / "soup.safetensors"))
    assert [one.alone for one in tried] == sorted((one.alone for one in tried), reverse=True)
    assert tried[0].is_kept and tried[0].with_it == tried[0].alone
    best = 0.0
    for one in tried:
        assert one.is_kept == (one.with_it >= best)
        best = max(best, one.with_it)
    states = [load_model(one.run).state_dict() for one in tried if one.is_kept]
    found = read_network(tmp_path / "soup.safetensors").model
    for name, weight in found.named_parameters():
        mean = torch.stack([state[name] for state in states]).mean(0)
        torch.testing.assert_close(weight.detach(), mean)
    classifier = Classifier.load(tmp_path / "soup.safetensors")
    assert len(classifier.classes) == 4


def test_statistics_are_those_of_the_images(runs: list[Run]) -> None:
    model = load_model(runs[0])
    images = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    measure_statistics(model, images.split(10))
    place = next(n for n, part in enumerate(model) if isinstance(part, BatchNorm))
    norm = model[place]
    assert isinstance(norm, BatchNorm) and not norm.training and norm.momentum == 0.1
    seen = torch.stack([model[:place](part).mean((0, 2, 3)) for part in images.split(10)])
    torch.testing.assert_close(norm.running_mean, seen.mean(0).detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model": {"plan": "ConvBNReLU(F3-8) -> GlobalPool -> FC(4)"}}, "differ in plan"),
        ({"data": {"holdout_seed": 5}}, "held out different images"),
        ({"data": {"holdout": 0.0}}, "held no images out"),
    ],
)
def test_what_cannot_be_mixed_is_refused(
    changes: dict, match: str, runs: list[Run], tiny_pack: Pack, tmp_path: Path
) -> None:
    other = run_experiment(recipe(**changes), tiny_pack, tmp_path / "other", device="cpu")
    with pytest.raises(RunError, match=match):
        list(greedy_soup([runs[0], other], tiny_pack, tmp_path / "soup.safetensors"))
    assert not (tmp_path / "soup.safetensors").exists()


def test_as_it_is_typed(
    runs: list[Run],
    tiny_pack: Pack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["soup", *(str(run.path) for run in runs[1:3]), "--data", str(tiny_pack.path)]
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["file"] == "soup.safetensors" and len(facts["tried"]) == 2
    assert main(words) == 2 and "is there already" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0 and "of 2 runs" in capsys.readouterr().out
    assert main([*words, "--out", "soup.pt"]) == 2
    assert main(["soup", str(runs[0].path), "--data", "x"]) == 2
    assert "two runs or more" in capsys.readouterr().err
