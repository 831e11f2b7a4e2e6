"""Everything tunable, on one page: TOML in, frozen typed objects out.

Precedence: the defaults below < the recipe file < ``key=value`` on the command line. A key that is not here is refused,
and the nearest one that is here is named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from lilliput.errors import NotationError, RecipeError, did_you_mean
from lilliput.notation import ZOO, Dropout, Plan, Resize, parse
from lilliput.overrides import apply_override

Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A frozen group of settings; unknown keys and values of another type are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class DataRecipe(Section):
    """Which part of the pack is used."""

    limit: int = Field(0, ge=0)
    """At most this many training images, the same share of every class; 0 takes all."""
    classes: int = Field(0, ge=0)
    """This many of the classes, evenly spread over their sorted ids; 0 takes all."""
    holdout: Share = 0.0
    """This share of the training images is held out and validated on instead of the official val split."""
    folds: int = Field(0, ge=0)
    """Cut the training images into this many stratified folds and hold one of them out; 0 cuts nothing. Paper: §6.1."""
    fold: int = Field(1, ge=1)
    """Which fold is held out, counted from 1."""
    holdout_seed: int = Field(0, ge=0, lt=2**63)
    """Draws what is held out, so that runs of several seeds can share it; 0 leaves it to ``seed``."""
    drop: str = ""
    """A text file that names training images to leave out, one per line; what is held out stays. Paper: §7."""

    @property
    def holds_out(self) -> bool:
        """Whether images of train are validated on, rather than the official val split."""
        return self.holdout > 0 or self.folds > 0

    @field_validator("folds")
    @classmethod
    def _folds_alone(cls, folds: int, info: ValidationInfo) -> int:
        if folds == 1:
            raise ValueError("one fold would leave nothing to train on; 2 or more, or 0 for none")
        if folds and info.data.get("holdout"):
            raise ValueError(f"not together with data.holdout = {info.data['holdout']}")
        return folds

    @field_validator("fold")
    @classmethod
    def _fold_exists(cls, fold: int, info: ValidationInfo) -> int:
        folds = info.data.get("folds", fold)  # absent when it is wrong itself
        if fold > max(folds, 1):
            raise ValueError(f"data.folds is {folds}, so there is no such fold")
        return fold


class ModelRecipe(Section):
    """The network."""

    plan: str
    """A name of the zoo (m1) or a notation; the last layer takes as many neurons as there are classes."""
    standardize: bool = True
    """Subtract the mean image and divide by the deviation of the training images first; else pixels stay 0 to 1.
    Paper: §4.3."""
    dropout: Share = 0.0
    """Probability of dropping a neuron of every fully connected layer but the last, and of GlobalPool. Paper: §4.4,
    0.4 to 0.6."""

    @field_validator("plan")
    @classmethod
    def _readable(cls, plan: str) -> str:
        if plan not in ZOO:
            try:
                parse(plan)
            except NotationError as error:
                hint = error.hint if "(" in plan or "->" in plan else did_you_mean(plan, ZOO)
                raise ValueError(f"{error} ({hint})") from error
        return plan

    @field_validator("dropout")
    @classmethod
    def _dropout_once(cls, dropout: float, info: ValidationInfo) -> float:
        plan = info.data.get("plan")  # absent when it cannot be read
        own = plan and any(isinstance(layer, Dropout) for layer in _parsed(plan).layers)
        if dropout and own:
            raise ValueError("the plan has Dropout of its own; use one of the two")
        return dropout

    def network(self, classes: int) -> Plan:
        """The plan for this many classes, with its dropout in place."""
        return _parsed(self.plan).with_classes(classes).with_dropout(self.dropout)


class AugmentRecipe(Section):
    """How training images are varied, each image by its own draw, in the order of these keys."""

    box_crop: float = Field(0.0, ge=0, le=1)
    """Probability of cutting an image down to the surroundings of its bounding box. Paper: §7."""
    crop_pixels: int = Field(0, ge=0, le=32)
    """Mirror this many pixels outward at every edge, then cut the old size out at a random place."""
    flip: Literal[False, True, "alternate"] = False
    """Mirror left and right, every second image (paper: §4.3); alternate: every image, in every second epoch."""
    brightness: Share = 0.0
    """Multiply the pixels by 1 - b to 1 + b."""
    contrast: Share = 0.0
    """Move the pixels away from or towards the image's mean grey by a factor of 1 - c to 1 + c."""
    saturation: Share = 0.0
    """Move the pixels away from or towards their grey by a factor of 1 - s to 1 + s."""
    hue: float = Field(0.0, ge=0, le=0.5)
    """Turn the colour wheel by up to this share of a full turn, either way."""
    label_smoothing: Share = 0.0
    """This share of every target is spread evenly over the classes (Szegedy et al. 2015, arXiv:1512.00567, §7)."""


class OptimizerRecipe(Section):
    """How weights follow gradients."""

    name: Literal["sgd", "muon"] = "sgd"
    """sgd: stochastic gradient descent, paper §3.2; muon: steps of equal length in every direction for the weights of
    convolutions and hidden layers, sgd for the rest."""
    learning_rate: Positive = 0.01
    """The highest learning rate of the schedule, per step on the mean loss of a batch."""
    last_layer_rate: NotNegative = 0.0
    """muon: the rate of the last layer's weights; 0 takes learning_rate."""
    bias_rate: NotNegative = 0.0
    """muon: the rate of biases and of the factors and offsets of normalisations; 0 takes learning_rate."""
    momentum: Share = 0.9
    """How much of the last step goes on."""
    nesterov: bool = True
    """Nesterov's form of momentum. Paper: §3.2."""
    l2: NotNegative = 0.0
    """The paper's lambda: lambda * ||W||^2 is added to the loss for every weight (not bias), so 2 * lambda * W to its
    gradient. Other programs' weight decay is twice this. Paper: §4.4."""


class ScheduleRecipe(Section):
    """How the learning rate moves."""

    name: Literal["step", "cosine", "one-cycle", "constant"] = "step"
    """step: the paper's; cosine: half a cosine to 0; one-cycle: a straight rise, then a straight fall to 0."""
    factor: float = Field(0.85, gt=0, le=1)
    """step: what the rate is multiplied by. Paper: §5.1."""
    every_epochs: int = Field(10, ge=1)
    """step: after how many epochs each time. Paper: §5.1."""
    warmup: Share = 0.2
    """one-cycle: the share of the training in which the rate rises."""


class TrainingRecipe(Section):
    """How long, in what portions, on what arithmetic."""

    epochs: int = Field(ge=1)
    """How often every training image is seen."""
    batch_images: int = Field(ge=1)
    """Images per optimizer step."""
    image_pixels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((), strict=False)
    """How large the images are that a network with Resize trains on: the epochs are shared out among these sizes, in
    this order, and the last is the plan's. Empty: as the plan says from the start."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto times a few steps of each at the start and takes the faster; bf16 keeps the weights in fp32."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """How pixels lie in memory; auto decides by the same timing."""
    threads: int = Field(0, ge=0)
    """How many of the processor's threads share a step; 0 takes what PyTorch does, or fewer where steps are so short
    that fewer are faster."""
    step: Literal["auto", "plain", "captured", "compiled"] = "auto"
    """plain: one operation after the other; captured: a CUDA graph, replayed; compiled: by PyTorch's compiler, which
    takes half a minute, and captured. Other devices than CUDA capture nothing. auto takes captured on CUDA, compiled
    where that is worth its time there, and plain elsewhere."""
    checkpoint_seconds: NotNegative = 120.0
    """Within an epoch, save a checkpoint this often; one is always saved at its end. Whichever the clock chooses, a
    resumed run ends with the same weights."""

    def pixels_in(self, epoch: int) -> int | None:
        """How large the images of an epoch (from 1) are; None for as the plan says."""
        if not self.image_pixels:
            return None
        return self.image_pixels[-(-epoch * len(self.image_pixels) // self.epochs) - 1]


class EvaluationRecipe(Section):
    """How a trained network is asked."""

    views: tuple[Literal["plain", "flip", "shift"], ...] = Field(
        ("plain",), min_length=1, strict=False
    )
    """The versions of an image whose probabilities are averaged."""


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
    evaluation: EvaluationRecipe = EvaluationRecipe()

    @field_validator("training")
    @classmethod
    def _sizes_fit_the_plan(cls, training: TrainingRecipe, info: ValidationInfo) -> TrainingRecipe:
        model = info.data.get("model")  # absent when it is wrong itself
        if training.image_pixels and model:
            first = _parsed(model.plan).layers[0]
            if first != Resize(training.image_pixels[-1]):
                raise ValueError(
                    f"image_pixels ends with {training.image_pixels[-1]}, but the plan begins with {first}"
                )
        return training

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


def _parsed(plan: str) -> Plan:
    return parse(ZOO[plan].notation if plan in ZOO else plan)


def _keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
