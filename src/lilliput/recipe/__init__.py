"""Everything tunable: TOML in, frozen typed objects out. One file per section of it.

Precedence: the defaults there < the recipe file < ``key=value`` on the command line. A key that is not there is
refused, and the nearest one that is there is named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from lilliput.errors import RecipeError, did_you_mean
from lilliput.notation import GlobalPool, Resize
from lilliput.overrides import apply_override
from lilliput.recipe.augment import AugmentRecipe
from lilliput.recipe.data import DataRecipe
from lilliput.recipe.model import EvaluationRecipe, ModelRecipe, plan_of
from lilliput.recipe.optimizer import OptimizerRecipe, ScheduleRecipe
from lilliput.recipe.section import Section
from lilliput.recipe.teacher import TeacherRecipe
from lilliput.recipe.training import TrainingRecipe

__all__ = [
    "AugmentRecipe",
    "DataRecipe",
    "EvaluationRecipe",
    "ModelRecipe",
    "OptimizerRecipe",
    "Recipe",
    "ScheduleRecipe",
    "Section",
    "TeacherRecipe",
    "TrainingRecipe",
    "load_recipe",
    "recipe_keys",
    "shipped_recipes",
]


class Recipe(Section):
    """One training, completely described."""

    name: str = Field(min_length=1, max_length=100)
    """What the run is called."""
    seed: int = Field(1, ge=0, lt=2**63)
    """Everything random follows from it."""
    data: DataRecipe = DataRecipe()
    model: ModelRecipe
    augment: AugmentRecipe = AugmentRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    training: TrainingRecipe
    teacher: TeacherRecipe = TeacherRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()

    @field_validator("training")
    @classmethod
    def _sizes_fit_the_plan(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        model = info.data.get("model")  # absent when it is wrong itself
        if training.image_pixels and model:
            first = plan_of(model.plan).layers[0]
            if first != Resize(training.image_pixels[-1]):
                raise ValueError(
                    f"image_pixels ends with {training.image_pixels[-1]}, but the plan begins with {first}"
                )
        return training

    @field_validator("evaluation")
    @classmethod
    def _plan_takes_the_size(
        cls, evaluation: EvaluationRecipe, info: ValidationInfo
    ) -> EvaluationRecipe:
        model = info.data.get("model")  # absent when it is wrong itself
        if evaluation.image_pixels and model:
            plan = plan_of(model.plan)
            if not isinstance(plan.layers[0], Resize):
                raise ValueError(
                    f"image_pixels is for plans that begin with Resize, this one with {plan.layers[0]}"
                )
            if not any(isinstance(layer, GlobalPool) for layer in plan.layers):
                raise ValueError("image_pixels is for plans with GlobalPool, which take any size")
        return evaluation

    @property
    def peak_rate(self) -> float:
        """The highest learning rate of the schedule, for a step of this many images (Goyal et al. 2017,
        arXiv:1706.02677, section 2.1)."""
        images = self.optimizer.rate_images or self.training.batch_images
        return self.optimizer.learning_rate * self.training.batch_images / images

    def changed(self, overrides: Sequence[str]) -> Recipe:
        """This recipe with ``"section.key=value"`` overrides. Raises: RecipeError."""
        values = self.model_dump(mode="json")
        for override in overrides:
            apply_override(values, override)
        return _check(values, self.name)

    def to_toml(self) -> str:
        """The whole recipe, defaults included, as TOML that :func:`load_recipe` reads back."""
        return tomli_w.dumps(self.model_dump(mode="json"))


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come along: name to file, sorted by name."""
    folder = Path(str(files("lilliput") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or one from a TOML file, changed by ``"section.key=value"`` overrides.

    Raises: RecipeError naming the key, its value and the nearest right one.
    """
    values = _read(name_or_path)
    for override in overrides:
        apply_override(values, override)
    return _check(values, str(name_or_path))


def recipe_keys() -> tuple[str, ...]:
    """Every key by its dotted name, such as ``training.epochs``, in the order of this page."""
    return tuple(_keys(Recipe))


def _read(name_or_path: str | Path) -> dict[str, Any]:
    shipped = shipped_recipes()
    path = shipped.get(str(name_or_path), Path(name_or_path))
    try:
        found = path.is_file()
    except OSError:  # a name that is too long to be one, a folder that may not be looked into
        found = False
    if not found:
        hint = did_you_mean(str(name_or_path), shipped)
        raise RecipeError(
            f"there is no recipe '{name_or_path}'", f"{hint} or give the path of a TOML file"
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"{path} is not TOML: {error}", "see docs/recipes.md for what a recipe looks like"
        ) from error
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror}") from error


def _check(values: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = [_explain(dict(problem)) for problem in error.errors()]
        message = "\n  ".join([f"recipe {where}:", *(text for text, _ in problems)])
        raise RecipeError(message, next((hint for _, hint in problems if hint), "")) from error


def _explain(problem: dict[str, Any]) -> tuple[str, str]:
    """One line for people, and a hint."""
    location = [part for part in problem["loc"] if isinstance(part, str)]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{key}'", _nearest_key(key)
    if problem["type"] == "missing":
        return f"'{key}' is missing", ""
    reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{key} = {problem['input']!r}: {reason}", ""


def _nearest_key(key: str) -> str:
    known = recipe_keys()
    sections = dict.fromkeys(filter(None, (name.rpartition(".")[0] for name in known)))
    # The right word in the wrong section is nearer than any other spelling.
    moved = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    if len(moved) == 1:
        return f"did you mean '{moved[0]}'?"
    return did_you_mean(key, [*known, *sections])


def _keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
