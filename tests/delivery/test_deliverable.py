"""The module that is exported says what the classifier says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lilliput.delivery.deliverable import (
    COMBINATIONS,
    Deliverable,
    Member,
    Scaling,
    deliverable_of,
)
from lilliput.errors import RunError
from lilliput.models.build import build_model
from lilliput.models.predict import VIEWS, predict
from lilliput.models.shared import BatchNorm
from lilliput.notation import parse
from lilliput.results.combine import METHODS
from lilliput.results.ensemble import Ensemble, Part
from lilliput.results.run import Run


def ask(module: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(pictures)).numpy()


@pytest.mark.parametrize("kind", ["plain_run", "modern_run", "residual_run"])
def test_it_says_what_is_stored_in_the_run(
    kind: str, request: pytest.FixtureRequest, pictures: np.ndarray
) -> None:
    run: Run = request.getfixturevalue(kind)
    module, description = deliverable_of(run)
    found = ask(module, pictures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, run.predictions("val").probabilities, atol=2e-6)
    assert (description.size, description.source) == ((16, 16), run.name)
    assert description.views == (tuple(VIEWS) if kind == "modern_run" else ("plain",))
    assert description.classes == run.classes
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_every_method_combines_as_results_do() -> None:
    assert COMBINATIONS.keys() == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_an_ensemble_says_what_its_members_say_together(
    method: str,
    make_ensemble: Callable[[str], Ensemble],
    pictures: np.ndarray,
) -> None:
    from lilliput.predicting import predictions_of

    ensemble = make_ensemble(method)
    module, description = deliverable_of(ensemble)
    expected = predictions_of(ensemble).probabilities
    np.testing.assert_allclose(ask(module, pictures), expected, atol=3e-6)
    assert description.method == method
    assert [one["name"] for one in description.members] == ["plain", "modern"]
    assert [one["views"] for one in description.members] == [["plain"], ["plain", "flip", "shift"]]
    assert description.views == ("plain", "flip", "shift")


@pytest.mark.parametrize("views", [("shift",), ("flip",), ("plain", "shift", "flip")])
@pytest.mark.parametrize("plan", ["ConvBNReLU(F3-4)->FC(5)", "Resize(48)->Conv(F3-4)->FC(5)"])
def test_views_of_images_large_enough_to_be_shifted(plan: str, views: tuple[str, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    mean, scale = torch.rand(2, 3, 64, 64, generator=generator) + 0.2
    model = build_model(parse(plan), mean, scale).eval()
    for norm in (one for one in model.modules() if isinstance(one, BatchNorm)):
        norm.running_mean.uniform_(-1, 1, generator=generator)
        norm.running_var.uniform_(0.1, 2, generator=generator)
        norm.weight.data.uniform_(-2, 2, generator=generator)
        norm.bias.data.uniform_(-1, 1, generator=generator)
    images = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=generator)
    expected = predict(model, [images.permute(0, 3, 1, 2)], views=views)
    found = ask(Deliverable([Member(model, (64, 64), views)]).eval(), images.numpy())
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_normalisations_are_gone_or_a_factor_and_an_offset(modern_run: Run) -> None:
    modules = list(deliverable_of(modern_run)[0].modules())
    assert not any(isinstance(one, BatchNorm) for one in modules)
    assert sum(isinstance(one, Scaling) for one in modules) == 1  # the one behind the pooling


def test_half_precision_begins_behind_the_pixels_and_ends_before_the_softmax(
    modern_run: Run, pictures: np.ndarray
) -> None:
    module, description = deliverable_of(modern_run, "fp16")
    (member,) = module.members
    assert {one.dtype for one in member.network.state_dict().values()} == {torch.float16}
    assert member.pixels[1].mean.dtype == torch.float32
    assert description.precision == "fp16"
    found = ask(module, pictures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, modern_run.predictions("val").probabilities, atol=0.02)


def test_members_of_other_sizes_cannot_be_one_file(plain_run: Run, tmp_path: Path) -> None:
    from lilliput.training.weights import read_tensors, write_tensors

    shutil.copytree(plain_run.path, tmp_path / "large")
    large = Run.open(tmp_path / "large")
    tensors, metadata = read_tensors(large.weights_path)
    write_tensors(large.weights_path, tensors, {**metadata, "image_size": "[32, 32]"})
    parts = [Part(plain_run, 0.5), Part(large, 0.5)]
    ensemble = Ensemble.create(tmp_path / "both", parts, {"method": "mean"}, {})
    with pytest.raises(RunError, match="plain 16x16, large 32x32"):
        deliverable_of(ensemble)
