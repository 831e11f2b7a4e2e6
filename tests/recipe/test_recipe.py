from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import RecipeError
from lilliput.overrides import differences
from lilliput.recipe import Recipe, load_recipe, shipped_recipes

SMALLEST = 'name = "mine"\n[model]\nplan = "m1"\n[training]\nepochs = 2\nbatch_images = 8\n'


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SMALLEST, encoding="utf-8")
    return path


def value_of(recipe: Recipe, key: str) -> object:
    value: object = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_by_name_and_by_path(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe == load_recipe(shipped_recipes()[name])
    assert recipe.name == name


def test_the_papers_four_networks_are_shipped() -> None:
    assert set(shipped_recipes()) >= {"m1", "m2", "m3", "m4"}
    m4 = load_recipe("m4")
    assert (m4.optimizer.learning_rate, m4.optimizer.momentum, m4.optimizer.l2) == (0.01, 0.9, 1e-3)
    assert (m4.schedule.factor, m4.schedule.every_epochs, m4.training.epochs) == (0.85, 10, 150)
    assert (m4.model.plan, m4.model.dropout, m4.optimizer.nesterov) == ("m4", 0.5, True)


def test_defaults_then_file_then_overrides_then_later_overrides(mine: Path) -> None:
    assert load_recipe(mine).seed == 1
    mine.write_text("seed = 5\n" + SMALLEST, encoding="utf-8")
    assert load_recipe(mine).seed == 5
    assert load_recipe(mine, ["seed=6"]).seed == 6
    assert load_recipe(mine, ["seed=6", "seed=7"]).seed == 7


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.epochs=3", 3),
        (" training.epochs = 3 ", 3),
        ("optimizer.l2=1e-4", 1e-4),
        ("optimizer.l2=1", 1.0),
        ("augment.flip=true", True),
        ("augment.flip=alternate", "alternate"),
        ("model.plan=m2", "m2"),
        ('model.plan="m2"', "m2"),
        ("model.plan=ConvReLU(F3-8) -> FC(9)", "ConvReLU(F3-8) -> FC(9)"),
        ("schedule.name=one-cycle", "one-cycle"),
        ("name=a=b", "a=b"),
        ('evaluation.views=["plain", "flip"]', ("plain", "flip")),
        ("data={limit=40}", None),
    ],
)
def test_overrides_of_every_type(mine: Path, override: str, value: object) -> None:
    recipe = load_recipe(mine, [override])
    key = override.partition("=")[0].strip()
    found = value_of(recipe, key)
    if value is None:
        assert recipe.data.limit == 40
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("training.epoch=3", "training.epochs"),
        ("optimiser.l2=3", "optimizer"),
        ("optimizer.learningrate=3", "optimizer.learning_rate"),
        ("training.learning_rate=3", "optimizer.learning_rate"),
        ("epochs=3", "training.epochs"),
        ("flip=true", "augment.flip"),
    ],
)
def test_an_unknown_key_names_the_nearest(mine: Path, override: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match="unknown key") as caught:
        load_recipe(mine, [override])
    assert caught.value.hint == f"did you mean '{nearest}'?"
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=0",
        "training.epochs=3.5",
        "training.epochs=three",
        "training.epochs=true",
        "optimizer.learning_rate=0",
        "optimizer.learning_rate=inf",
        "optimizer.learning_rate=nan",
        "optimizer.l2=-1",
        "optimizer.l2='0.1'",
        "optimizer.nesterov=1",
        "optimizer.nesterov=True",
        "optimizer.name=adam",
        "optimizer.rest=muon",
        "optimizer.clip_norm=-1",
        "training.accumulate=0",
        "training.accumulate=7",
        "model.dropout=1",
        "augment.hue=0.6",
        "data.holdout=1.0",
        "data=3",
        "evaluation.views=[]",
        "evaluation.views=flip",
        "augment.flip=sometimes",
        'evaluation.views=["turn"]',
        "name=",
        "seed=-1",
        f"seed={2**63}",
        f"seed={'9' * 5000}",
    ],
)
def test_a_wrong_value_is_refused_by_name(mine: Path, override: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(RecipeError) as caught:
        load_recipe(mine, [override])
    assert f"  {key}" in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_every_problem_is_told_at_once(mine: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(mine, ["training.epochs=0", "optimizer.l2=-1", "sede=1"])
    assert len(str(caught.value).splitlines()) == 4
    assert caught.value.hint == "did you mean 'seed'?"


def test_a_wrong_plan_is_pointed_at(mine: Path) -> None:
    with pytest.raises(RecipeError, match="column 12"):
        load_recipe(mine, ["model.plan=MaxPool -> Wrong"])
    with pytest.raises(RecipeError, match="did you mean 'm4'"):
        load_recipe(mine, ["model.plan=mm4"])


@pytest.mark.parametrize("override", ["training", "=3", ".epochs=3", "training.=3", "a..b=3"])
def test_an_override_that_is_none(mine: Path, override: str) -> None:
    with pytest.raises(RecipeError, match="not a change"):
        load_recipe(mine, [override])


def test_an_override_below_a_value_contradicts_it(mine: Path) -> None:
    with pytest.raises(RecipeError, match="'name' holds a value"):
        load_recipe(mine, ["name.first=3"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("[training]\nepochs = 2\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    for key in ("name", "model", "training.batch_images"):
        assert f"'{key}' is missing" in str(caught.value)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe 'm44'") as caught:
        load_recipe("m44")
    assert "did you mean" in caught.value.hint
    for name in (str(tmp_path), "x" * 5000):
        with pytest.raises(RecipeError, match="no recipe"):
            load_recipe(name)
    path = tmp_path / "broken.toml"
    for content in (b"name = ", b"\xff\xfe", b"seed = " + b"9" * 5000, b"x = " + b"[" * 5000):
        path.write_bytes(content)
        with pytest.raises(RecipeError, match="is not TOML"):
            load_recipe(path)


def test_a_byte_order_mark_is_no_fault(mine: Path) -> None:
    mine.write_text(SMALLEST, encoding="utf-8-sig")
    assert load_recipe(mine).name == "mine"


RECIPES = st.fixed_dictionaries(
    {
        "name": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
        "seed": st.integers(0, 2**63 - 1),
        "model": st.fixed_dictionaries(
            {"plan": st.just("m1"), "dropout": st.floats(0, 1, exclude_max=True)}
        ),
        "optimizer": st.fixed_dictionaries({"l2": st.floats(0, 1e300), "nesterov": st.booleans()}),
        "training": st.just({"epochs": 1, "batch_images": 1}),
        "evaluation": st.just({"views": ("plain", "flip")}),
    }
)


@settings(deadline=None, max_examples=50)
@given(RECIPES)
def test_a_recipe_reads_back_from_its_own_text(tmp_path_factory, values: dict) -> None:
    recipe = Recipe.model_validate(values)
    path = tmp_path_factory.getbasetemp() / "again.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8", newline="")
    assert load_recipe(path) == recipe


def test_the_network_takes_the_classes_and_the_dropout(mine: Path) -> None:
    recipe = load_recipe(mine, ["model.dropout=0.4"])
    assert str(recipe.model.network(7)).endswith("FCReLU(256) -> Dropout(0.4) -> FC(7)")


def test_differences_name_the_keys_and_both_values() -> None:
    old = {"name": "a", "training": {"epochs": 2, "batch_images": 8}, "gone": 1}
    new = {"name": "a", "training": {"epochs": 3, "batch_images": 8}, "views": ["flip"]}
    assert differences(old, new) == [
        "training.epochs: 2, now 3",
        "gone: 1, now absent",
        "views: absent, now ['flip']",
    ]
    assert differences(new, new) == []


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["data.folds=1"], "data.folds = 1: one fold would leave nothing to train on"),
        (["data.folds=5", "data.holdout=0.1"], "data.folds = 5: not together with data.holdout"),
        (["data.folds=5", "data.fold=6"], "data.fold = 6: data.folds is 5"),
        (["data.fold=2"], "data.fold = 2: data.folds is 0"),
        (["data.fold=0"], "data.fold = 0"),
        (["model.plan=Dropout(0.5) -> FC(2)", "model.dropout=0.5"], "Dropout of its own"),
    ],
)
def test_contradictions_are_refused(mine: Path, overrides: list[str], problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(mine, overrides)
    assert problem in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_folds_and_a_plans_own_dropout_are_fine(mine: Path) -> None:
    recipe = load_recipe(mine, ["data.folds=5", "data.fold=5"])
    assert recipe.data.holds_out
    assert not load_recipe(mine).data.holds_out
    load_recipe(mine, ["model.plan=Dropout(0.5) -> FC(2)"])
    load_recipe(mine, ["model.plan=resnet", "model.dropout=0.5"])


RESIZED = "Resize(48) -> ConvReLU(F3-8) -> FC(200)"


@pytest.mark.parametrize(
    ("sizes", "epochs", "expected"),
    [
        ([32, 48], 4, [32, 32, 48, 48]),
        ([32, 48], 1, [48]),
        ([24, 32, 48], 5, [24, 32, 32, 48, 48]),
        ([24, 24, 32, 48], 4, [24, 24, 32, 48]),
        ([], 2, [None, None]),
    ],
)
def test_epochs_are_shared_out_among_image_sizes(
    sizes: list[int], epochs: int, expected: list[int | None]
) -> None:
    training = load_recipe(
        "m1",
        [f"model.plan={RESIZED}", f"training.image_pixels={sizes}", f"training.epochs={epochs}"],
    ).training
    assert [training.pixels_in(epoch) for epoch in range(1, epochs + 1)] == expected
    assert expected[-1] in (48, None)


@pytest.mark.parametrize("plan", ["m1", RESIZED.replace("48", "32")])
def test_image_sizes_end_with_the_plans(plan: str) -> None:
    with pytest.raises(RecipeError, match="image_pixels ends with 48, but the plan begins"):
        load_recipe("m1", [f"model.plan={plan}", "training.image_pixels=[32, 48]"])


def test_rates_for_so_many_images_follow_the_size_of_the_batch(mine: Path) -> None:
    asked = ["optimizer.learning_rate=0.1", "training.batch_images=512"]
    assert load_recipe(mine, asked).peak_rate == 0.1
    assert load_recipe(mine, [*asked, "optimizer.rate_images=128"]).peak_rate == 0.4
