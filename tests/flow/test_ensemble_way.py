"""Trained networks become an ensemble, and the ensemble answers for images nobody has predicted yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import lilliput
from lilliput import api
from lilliput.data.pack import Pack
from lilliput.data.toy import write_toy_zip
from lilliput.errors import RunError
from lilliput.predicting import predictions_of
from lilliput.recipe import Recipe
from lilliput.results.combine import combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run

CHANGES = {"precision": "fp32", "memory_format": "contiguous", "batch_images": 32, "epochs": 1}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    write_toy_zip(folder / "toy.zip", train_images=6, val_images=3, test_images=15)
    return lilliput.prepare(folder / "toy.zip", folder / "pack", size=16)


@pytest.fixture(scope="module")
def trained(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    runs = []
    for seed in (1, 2, 3):
        values = {"name": "tiny", "seed": seed, "model": {"plan": "FCReLU(8) -> FC(4)"}}
        recipe = Recipe.model_validate(values | {"training": CHANGES})
        runs.append(lilliput.train(recipe, pack, run=folder / f"tiny-{seed}", device="cpu"))
    return runs


@pytest.fixture
def made(trained: list[Run], tmp_path: Path) -> Ensemble:
    copies = [Run(shutil.copytree(run.path, tmp_path / run.name)) for run in trained]
    made = api.ensemble(copies, to=tmp_path / "all")
    for copy in copies:
        shutil.rmtree(copy.path)
    return made


def test_it_answers_for_a_split_through_its_members(made: Ensemble, pack: Pack):
    predicted = predictions_of(made, split="test")
    assert predicted.names == pack["test"].names
    members = [member.predictions("test") for member in made.members]
    again = combine(members)
    np.testing.assert_array_equal(predicted.probabilities, again.probabilities)
    assert made.splits_predicted == ("test", "val")


def test_asking_the_networks_again_gives_what_is_stored(made: Ensemble, pack: Pack):
    stored = made.predictions("val")
    asked = predictions_of(made, split="val", data=pack)
    np.testing.assert_allclose(asked.probabilities, stored.probabilities, atol=1e-5)
    assert api.evaluate(made.path).top1 == api.evaluate(made, data=pack).top1


def test_views_are_not_stored(made: Ensemble):
    before = made.predictions("val").probabilities
    flipped = predictions_of(made, split="val", views=["flip"])
    assert not np.array_equal(flipped.probabilities, before)
    np.testing.assert_array_equal(made.predictions("val").probabilities, before)


def test_predictions_by_halves_are_not_replaced(trained: list[Run], tmp_path: Path, pack: Pack):
    made = api.ensemble(trained, to=tmp_path / "grown", method="greedy")
    assert made.chosen_on == "val halves"
    before = made.predictions("val").probabilities
    predictions_of(made, split="val", data=pack)
    np.testing.assert_array_equal(made.predictions("val").probabilities, before)


def test_runs_and_ensembles_submit(made: Ensemble, trained: list[Run], pack: Pack, tmp_path: Path):
    written = api.submit(made, pack, tmp_path / "all.txt")
    lines = written.path.read_text().splitlines()
    predicted = made.predictions("test")
    assert [line.split()[0] for line in lines] == list(predicted.names)
    ids = [one.id for one in pack.classes]
    chosen = predicted.probabilities.argmax(axis=1)
    assert [line.split()[1] for line in lines] == [ids[number] for number in chosen]
    run = Run(shutil.copytree(trained[0].path, tmp_path / "alone"))
    api.submit(run, pack, tmp_path / "alone.csv", csv=True)
    assert run.splits_predicted == ("test", "val")


def test_a_part_of_the_classes_is_refused_before_any_work(pack: Pack, tmp_path: Path):
    values = {"name": "part", "model": {"plan": "FC(4)"}, "data": {"classes": 3}}
    recipe = Recipe.model_validate(values | {"training": CHANGES})
    run = lilliput.train(recipe, pack, run=tmp_path / "part", device="cpu")
    with pytest.raises(RunError, match="tells only 3 of the"):
        api.submit(run, pack, tmp_path / "out.txt")
    assert run.splits_predicted == ("val",)
    assert not (tmp_path / "out.txt").exists()
