from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lilliput.errors import UsageError
from lilliput.recipe import load_recipe
from lilliput.search.space import load_space, read_space, shipped_spaces, with_values

PLAN = {
    "template": "Conv{kind}(F5-{filters}) -> {middle}MaxPool -> FC(200)",
    "kind": {"choices": ["ReLU", "Tanh"]},
    "filters": {"low": 16, "high": 48, "step": 16},
    "middle": {"choices": ["", "Conv{kind}(F3-{filters}) -> "]},
}


def read(**sections: Any):
    return read_space("mine", sections)


def check(space: Any, overrides: tuple[str, ...] = ()) -> None:
    space.check(load_recipe("m3", overrides), (64, 64), 200)


def test_ranges_take_the_type_of_the_field() -> None:
    space = read(
        augment={"crop_pixels": {"low": 0, "high": 8, "step": 2}, "hue": {"low": 0, "high": 0.1}}
    )
    crop, hue = space.parameters
    assert crop.is_whole and crop.grid == (0, 2, 4, 6, 8)
    assert not hue.is_whole and hue.ends == (0.0, 0.1)


def test_a_template_is_filled_in_fragments_too() -> None:
    space = read(model={"plan": PLAN})
    point = {
        "model.plan.kind": "Tanh",
        "model.plan.filters": 32,
        "model.plan.middle": PLAN["middle"]["choices"][1],
    }
    text = "ConvTanh(F5-32) -> ConvTanh(F3-32) -> MaxPool -> FC(200)"
    assert space.values(point) == {"model.plan": text}
    assert space.changes(point) == [f"model.plan={text}"]
    check(space)


def test_changes_are_what_train_takes() -> None:
    space = read(
        optimizer={"l2": {"low": 1e-5, "high": 1e-2, "log": True}},
        augment={"flip": {"choices": [True, False]}},
        evaluation={"views": {"choices": [["plain"], ["plain", "flip"]]}},
        schedule={"name": {"choices": ["step", "cosine"]}},
    )
    check(space)
    point = {
        "optimizer.l2": 1.2345678912345e-05,
        "augment.flip": False,
        "evaluation.views": space.parameters[2].choices[1],
        "schedule.name": "cosine",
    }
    assert load_recipe("m3", space.changes(point)) == with_values(
        load_recipe("m3"), space.values(point)
    )


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"optimizer": {"learning_rat": {"low": 1, "high": 2}}}, "did you mean 'optimizer.learning_rate'"),
        ({"optimiser": {"l2": {"low": 1, "high": 2}}}, "unknown key 'optimiser'"),
        ({"optimizer": {"l2": {"low": 2, "high": 1}}}, "low = 2.0 is not below high = 1.0"),
        ({"optimizer": {"l2": {"low": 0, "high": 1, "log": True}}}, "begins above 0"),
        ({"optimizer": {"l2": {"low": 0.1, "high": 1, "log": True, "step": 0.1}}}, "do not go together"),
        ({"optimizer": {"l2": {"low": 0, "high": 1, "step": 0.3}}}, "do not lead from"),
        ({"optimizer": {"l2": {"low": 0, "height": 1}}}, "unknown word 'height'"),
        ({"optimizer": {"l2": {"low": 0}}}, "no high"),
        ({"optimizer": {"l2": 0.1}}, "neither"),
        ({"optimizer": {"l2": {"choices": []}}}, "choices are a list"),
        ({"optimizer": {"l2": {"choices": [0.1, 0.1]}}}, "twice"),
        ({"optimizer": {"l2": {"choices": [0.1], "low": 0.1}}}, "stand alone"),
        ({"optimizer": {"l2": {"low": 0, "high": float("inf")}}}, "not a number"),
        ({"augment": {"flip": {"low": 0, "high": 1}}}, "augment.flip is not a number"),
        ({"augment": {"crop_pixels": {"low": 0.5, "high": 4}}}, "whole numbers"),
        ({"seed": {"low": 1, "high": 4}}, "same for all trials"),
        ({"data": {"folds": {"low": 2, "high": 4}}}, "same for all trials"),
        ({"model": {"plan": {**PLAN, "kin": {"choices": ["x"]}}}}, "{kin} is not in the template"),
        ({"model": {"plan": {"template": "Conv{kind}(F5-8)", "knid": {"choices": ["x"]}}}}, "did you mean 'knid'"),
        ({"optimizer": {"l2": {"template": "{a}", "a": {"choices": ["1"]}}}}, "for a text"),
        ({}, "no parameter"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(**sections)
    assert said in str(caught.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"(?s)l2.*crop_pixel"):
        read(optimizer={"l2": {"low": 2, "high": 1}}, augment={"crop_pixel": {"choices": [1]}})


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {"dropout": {"low": 0.5, "high": 1.5}}}, "model.dropout = 1.5"),
        ({"schedule": {"name": {"choices": ["step", "steps"]}}}, "schedule.name = 'steps'"),
        ({"model": {"plan": {**PLAN, "kind": {"choices": ["ReLU", "Relu"]}}}}, "ConvRelu"),
        ({"model": {"plan": {"choices": ["m1", "m99"]}}}, "m99"),
        ({"model": {"plan": {"template": "{deep}FC(200)", "deep": {"choices": ["", "MaxPool -> " * 7]}}}}, "MaxPool"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_found_before_training(
    sections: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check(read(**sections))
    assert said in str(caught.value)


def test_a_grid_needs_steps() -> None:
    space = read(
        optimizer={"l2": {"choices": [0.1, 0.2]}},
        model={"dropout": {"low": 0.4, "high": 0.6, "step": 0.1}},
    )
    assert len(space.grid()) == 6
    assert {"optimizer.l2": 0.1, "model.dropout": 0.5} in space.grid()
    with pytest.raises(UsageError, match=r"model\.dropout"):
        read(model={"dropout": {"low": 0.4, "high": 0.6}}).grid()


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_can_be_trained_and_says_what_it_is_for(name: str) -> None:
    assert shipped_spaces()[name].read_text(encoding="utf-8").startswith("#")
    check(load_space(name))


def test_the_papers_space() -> None:
    ends = {parameter.name: parameter.ends for parameter in load_space("m3").parameters}
    assert ends["optimizer.l2"] == (1e-5, 1e-2)
    assert ends["model.dropout"] == (0.4, 0.6)


def test_a_space_is_found_by_name_or_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no space 'm4'") as caught:
        load_space("m4")
    assert "m3" in caught.value.hint
    file = tmp_path / "mine.toml"
    file.write_text("optimizer.l2 = { low = 0.1, high = ", encoding="utf-8")
    with pytest.raises(UsageError, match="is not TOML"):
        load_space(file)
    file.write_text("optimizer.l2 = { low = 0.1, high = 0.2 }", encoding="utf-8")
    assert load_space(file).name == "mine"


@pytest.mark.parametrize("date", ["2015-01-01", "[2015-01-01]", "07:32:00", "{ a = 2015-01-01 }"])
def test_a_date_is_no_choice(tmp_path: Path, date: str) -> None:
    file = tmp_path / "dates.toml"
    file.write_text(f"optimizer.l2 = {{ choices = [{date}] }}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"optimizer\.l2: .* is neither a number") as caught:
        load_space(file)
    assert "in quotes" in str(caught.value)
