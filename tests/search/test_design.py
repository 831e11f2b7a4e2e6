from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lilliput.errors import UsageError
from lilliput.notation import BN, FC, NONLINEARITIES, ZOO, Conv, parse
from lilliput.recipe import load_recipe
from lilliput.search.design import (
    load_design,
    recipe_of,
    shipped_ablations,
    vary,
    with_nonlinearity,
)

PROMISED = {
    "nonlinearity",
    "colour-jitter",
    "random-crop",
    "box-crop",
    "drop-hard",
    "residual",
    "larger-ensembles",
}


@pytest.fixture
def drop(tmp_path: Path) -> str:
    (tmp_path / "drop.txt").write_text("one.JPEG\n", encoding="utf-8")
    return f"data.drop={tmp_path / 'drop.txt'}"


def test_what_the_paper_proposes_comes_along() -> None:
    assert set(shipped_ablations()) >= PROMISED


@pytest.mark.parametrize("name", shipped_ablations())
def test_every_shipped_design_makes_recipes_that_load(name: str, drop: str) -> None:
    design = load_design(name, [drop] if name == "drop-hard" else [])
    recipes = [recipe_of(design, value, 3) for value in design.values]
    assert design.name == name
    assert {recipe.seed for recipe in recipes} == {3}
    assert len({str(recipe) for recipe in recipes}) == len(design.values), "two values are alike"
    assert {recipe.data.holdout for recipe in recipes} == {design.holdout}


@pytest.mark.parametrize("path", shipped_ablations().values(), ids=lambda path: Path(path).stem)
def test_every_shipped_design_opens_with_the_papers_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Paper §")
    assert tomllib.loads(text)["claim"]


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_any_network_takes_any_nonlinearity(name: str, nonlinearity: str) -> None:
    changed = with_nonlinearity(name, nonlinearity)
    parse(changed)
    said = {
        layer.nonlinearity for layer in parse(changed).layers if isinstance(layer, (BN, Conv, FC))
    }
    assert said - {""} == {nonlinearity}


def test_a_nonlinearity_replaces_another_and_back() -> None:
    once = with_nonlinearity("m4", "LeakyReLU")
    assert with_nonlinearity(with_nonlinearity(once, "Tanh"), "ReLU") == ZOO["m4"].notation


def test_the_nonlinearity_follows_a_plan_of_the_users() -> None:
    design = load_design("nonlinearity", ["model.plan=ConvReLU(F3-4) -> FC(9)"])
    plans = [recipe_of(design, value, 1).model.plan for value in design.values]
    assert plans == [f"Conv{word}(F3-4) -> FC(9)" for word in ("ReLU", "LeakyReLU", "Tanh")]


def test_an_unknown_nonlinearity_is_refused() -> None:
    design = vary("m1", ["model.nonlinearity=ReLU,Relu"])
    with pytest.raises(UsageError, match="'Relu'") as caught:
        recipe_of(design, design.values[1], 1)
    assert "ReLU" in caught.value.hint


def test_hard_images_cannot_be_dropped_without_a_list_of_them() -> None:
    with pytest.raises(UsageError, match=r"drop-hard needs data\.drop") as caught:
        load_design("drop-hard")
    assert "lilliput audit" in caught.value.hint


def test_the_list_is_dropped_in_one_value_only(drop: str) -> None:
    design = load_design("drop-hard", [drop, "training.epochs=2"])
    whole, less = (recipe_of(design, value, 1) for value in design.values)
    assert (whole.data.drop, whole.training.epochs) == ("", 2)
    assert less.data.drop == drop.partition("=")[2]


def test_vary_tries_every_combination_the_first_one_first() -> None:
    design = vary("m1", ["optimizer.l2=0,0.01", "model.dropout=0.1,0.2"])
    recipes = [recipe_of(design, value, 1) for value in design.values]
    found = [(recipe.optimizer.l2, recipe.model.dropout) for recipe in recipes]
    assert found == [(0, 0.1), (0, 0.2), (0.01, 0.1), (0.01, 0.2)]


def test_commas_inside_brackets_divide_nothing() -> None:
    design = vary("m1", ['evaluation.views=["plain"],["plain", "flip"]'])
    views = [recipe_of(design, value, 1).evaluation.views for value in design.values]
    assert views == [("plain",), ("plain", "flip")]


@pytest.mark.parametrize("text", ["optimizer.l2", "=1,2", "optimizer.l2=1,,2", "optimizer.l2="])
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="does not say what is varied"):
        vary("m1", [text])


def test_one_value_alone_is_refused_but_may_stand_beside_others() -> None:
    with pytest.raises(UsageError, match="one value"):
        vary("m1", ["optimizer.l2=0.1"])
    assert len(vary("m1", ["optimizer.l2=0.1", "model.dropout=0.1,0.2"]).values) == 2


def test_the_users_own_judge_is_left_alone() -> None:
    design = vary("m1", ["optimizer.l2=0,1e-3"], ["data.folds=5"])
    recipe = recipe_of(design, design.values[0], 1)
    assert (recipe.data.folds, recipe.data.holdout) == (5, 0)


@pytest.mark.parametrize(("seeds", "holdout"), [(0, None), (None, 1.0), (None, -0.1)])
def test_impossible_settings_are_refused(seeds: int | None, holdout: float | None) -> None:
    with pytest.raises(UsageError, match="--"):
        vary("m1", ["optimizer.l2=0,1"]).changed(seeds=seeds, holdout=holdout)


def test_a_design_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nrecipe = "m2"\n[[values]]\nname = "a"\nchanges = ["seed=9"]\n', "utf-8"
    )
    design = load_design(path)
    assert recipe_of(design, design.values[0], 4).model == load_recipe("m2").model
    path.write_text('name = "mine"\nreceipt = "m2"\n', "utf-8")
    with pytest.raises(UsageError, match="receipt"):
        load_design(path)


def test_a_misspelt_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no ablation 'colour-jiter'") as caught:
        load_design("colour-jiter")
    assert "'colour-jitter'" in caught.value.hint
