"""What a search may change: a TOML file of ranges and choices over the fields of a recipe.

optimizer.l2 = { low = 1e-5, high = 1e-2, log = true }        # a range; whole numbers by the field's type
augment.crop_pixels = { low = 0, high = 8, step = 2 }
schedule.name = { choices = ["step", "one-cycle"] }
model.plan.template = "Conv{nonlinearity}(F5-{filters}) -> {middle} -> FC(200)"
model.plan.filters = { choices = [16, 32] }                   # every {name} of a template is a parameter of its own
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from itertools import islice, product
from math import isfinite, prod
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lilliput.errors import NotationError, UsageError, did_you_mean
from lilliput.notation import trace
from lilliput.recipe import Recipe, Section, recipe_keys

MAX_CORNERS = 20_000
_HINT = "see docs/search.md for what a space looks like"
# Trials are compared by what they say to the same held-out images, so nothing that decides which these are may vary.
_FIXED = {
    "name",
    "seed",
    "data.classes",
    "data.holdout",
    "data.holdout_seed",
    "data.folds",
    "data.fold",
}
_RANGE, _PLACEHOLDER = {"low", "high", "log", "step"}, re.compile(r"\{(\w*)\}")

Scalar = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One dimension of a space: ``choices``, or the range ``low`` to ``high``, both included.

    ``name`` is the recipe's key, followed by the placeholder's name if it belongs to a template. ``step`` 0 means none.
    """

    name: str
    choices: tuple[Scalar, ...] = ()
    low: float = 0
    high: float = 0
    step: float = 0
    log: bool = False
    is_whole: bool = False

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """Every choice, or both ends of the range."""
        return self.choices or (self.low, self.high)

    @property
    def grid(self) -> tuple[Scalar, ...]:
        """Every choice, or every step of the range. Raises: UsageError for a range without steps."""
        step = self.step or (1 if self.is_whole and not self.log else 0)
        if self.choices or self.low == self.high:
            return self.choices or (self.low,)
        if not step:
            raise UsageError(
                f"a grid needs choices, or a range with a step: {self.name}",
                "give it choices = [...], or search with --sampler tpe or random",
            )
        count = int((Decimal(repr(self.high)) - Decimal(repr(self.low))) / Decimal(repr(step))) + 1
        kind = int if self.is_whole else float
        return tuple(kind(Decimal(repr(self.low)) + i * Decimal(repr(step))) for i in range(count))


@dataclass(frozen=True)
class Space:
    """Parameters, and the templates (recipe key -> text) that some of them fill in. ``table`` is the file's content."""

    name: str
    parameters: tuple[Parameter, ...]
    templates: Mapping[str, str]
    table: Mapping[str, Any]

    def values(self, point: Mapping[str, Scalar]) -> dict[str, Any]:
        """What a point (parameter name -> value) makes of the recipe: key -> value."""
        plain = {name: _from_label(v) for name, v in point.items() if name in recipe_keys()}
        return plain | {key: _fill(text, key, point) for key, text in self.templates.items()}

    def changes(self, point: Mapping[str, Scalar]) -> list[str]:
        """The same as ``lilliput train`` takes it: ``["optimizer.l2=0.001"]``."""
        return [f"{key}={_as_override(value)}" for key, value in self.values(point).items()]

    def grid(self) -> list[dict[str, Scalar]]:
        """Every point of the grid. Raises: UsageError when the space is no grid."""
        names = [parameter.name for parameter in self.parameters]
        points = product(*(parameter.grid for parameter in self.parameters))
        return [dict(zip(names, point, strict=True)) for point in points]

    def check(self, recipe: Recipe, image_pixels: tuple[int, int], classes: int) -> None:
        """Try the ends of every range, every choice and every corner of a template, before anything is trained.

        Raises: UsageError naming every value that the recipe, or an image of this size, cannot take.
        """
        problems: dict[str, None] = {}
        for values in self._corners():
            try:
                trial = with_values(recipe, values)
                trace(trial.model.network(classes), (3, *image_pixels))
            except (UsageError, NotationError) as error:
                problems[str(error)] = None
        if problems:
            listing = "".join(f"\n  {problem}" for problem in islice(problems, 10))
            more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
            raise UsageError(f"space {self.name} leaves what can be trained:{listing}{more}", _HINT)

    def _corners(self) -> Iterator[dict[str, Any]]:
        for parameter in self.parameters:
            if parameter.name in recipe_keys():
                yield from ({parameter.name: _from_label(end)} for end in parameter.ends)
        for key, text in self.templates.items():
            own = [p for p in self.parameters if p.name.startswith(f"{key}.")]
            if prod(len(p.ends) for p in own) > MAX_CORNERS:
                raise UsageError(
                    f"space {self.name}: the template of {key} has more than {MAX_CORNERS:,} corners",
                    "give it fewer placeholders or choices, so that all can be checked",
                )
            for ends in product(*(p.ends for p in own)):
                point = dict(zip((p.name for p in own), ends, strict=True))
                yield {key: _fill(text, key, point)}


def shipped_spaces() -> dict[str, Path]:
    """The spaces that come along: name to file, sorted by name."""
    folder = Path(str(files("lilliput") / "spaces"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_space(name_or_path: str | Path) -> Space:
    """A shipped space by name, or one from a TOML file. Raises: UsageError naming every mistake in it."""
    shipped = shipped_spaces()
    path = shipped.get(str(name_or_path), Path(name_or_path))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        hint = did_you_mean(str(name_or_path), shipped)
        raise UsageError(
            f"there is no space '{name_or_path}'", f"{hint} or give the path of a TOML file"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}", _HINT) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return read_space(path.stem, table)


def read_space(name: str, table: Mapping[str, Any]) -> Space:
    """A space from its table. Raises: UsageError naming every mistake in it."""
    parameters: list[Parameter] = []
    templates: dict[str, str] = {}
    problems: list[str] = []
    for key, entry in _entries(table):
        try:
            if isinstance(entry, Mapping) and "template" in entry:
                templates[key] = _template(key, entry)
                rest = {k: v for k, v in entry.items() if k != "template"}
                parameters += [_parameter(f"{key}.{k}", v, object) for k, v in rest.items()]
            else:
                parameters.append(_parameter(key, entry, _field_type(key)))
        except UsageError as error:
            problems.append(f"{error} ({error.hint})" if error.hint else str(error))
    if problems:
        raise UsageError("\n  ".join([f"space {name}:", *problems]), _HINT)
    if not parameters:
        raise UsageError(f"space {name} has no parameter", _HINT)
    return Space(name, tuple(parameters), templates, table)


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values (dotted key -> value). Raises: UsageError saying which one it cannot take."""
    table: dict[str, Any] = recipe.model_dump(mode="json")
    for key, value in values.items():
        *sections, last = key.split(".")
        place = table
        for section in sections:
            place = place[section]
        place[last] = value
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise UsageError(f"{where} = {problem['input']!r}: {reason}") from error


def _entries(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Down the sections of a recipe, to its keys and to whatever is not in a recipe."""
    sections = {key.rpartition(".")[0] for key in recipe_keys()}
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if key in sections and isinstance(entry, Mapping):
            yield from _entries(entry, f"{key}.")
        else:
            yield key, entry


def _field_type(key: str) -> object:
    if key not in recipe_keys():
        raise UsageError(f"unknown key '{key}'", did_you_mean(key, recipe_keys()))
    if key in _FIXED:
        raise UsageError(f"'{key}' is the same for all trials, so that they can be compared")
    section: type[Section] = Recipe
    *sections, last = key.split(".")
    for name in sections:
        inner = section.model_fields[name].annotation
        assert isinstance(inner, type) and issubclass(inner, Section)
        section = inner
    return section.model_fields[last].annotation


def _template(key: str, entry: Mapping[str, Any]) -> str:
    text = entry["template"]
    if _field_type(key) is not str or not isinstance(text, str):
        raise UsageError(f"{key}: a template is for a text, such as model.plan")
    given = set(entry) - {"template"}
    fragments = [c for v in entry.values() if isinstance(v, Mapping) for c in v.get("choices", ())]
    used = {name for part in [text, *fragments] for name in _PLACEHOLDER.findall(str(part))}
    for name in sorted(used - given):
        hint = did_you_mean(name, given) if given else ""
        raise UsageError(f"{key}: nothing is said about {{{name}}}", hint)
    for name in sorted(given - used):
        raise UsageError(f"{key}: {{{name}}} is not in the template", did_you_mean(name, used))
    return text


def _parameter(name: str, entry: Any, kind: object) -> Parameter:
    """``kind`` is the field's type; object when the entry alone decides."""
    if not isinstance(entry, Mapping) or not entry:
        raise UsageError(f"{name} is neither {{low, high}} nor {{choices}}")
    for word in entry:
        if word not in _RANGE | {"choices"}:
            known = ["low", "high", "log", "step", "choices", "template"]
            raise UsageError(f"{name}: unknown word '{word}'", did_you_mean(str(word), known))
    if "choices" in entry:
        return _choice(name, entry)
    if missing := {"low", "high"} - set(entry):
        raise UsageError(f"{name}: no {' and no '.join(sorted(missing))}")
    if kind not in (int, float, object):
        raise UsageError(f"{name} is not a number", "give it choices = [...]")
    return _range(name, entry, kind)


def _choice(name: str, entry: Mapping[str, Any]) -> Parameter:
    choices = entry["choices"]
    if len(entry) > 1:
        raise UsageError(f"{name}: choices stand alone, without low, high, log or step")
    if not isinstance(choices, list) or not choices:
        raise UsageError(f"{name}: choices are a list, such as [16, 32]")
    labels = tuple(_label(name, choice) for choice in choices)
    if len(set(map(repr, labels))) < len(labels):
        raise UsageError(f"{name}: a choice stands there twice")
    return Parameter(name=name, choices=labels)


def _range(name: str, entry: Mapping[str, Any], kind: object) -> Parameter:
    numbers = {word: entry[word] for word in ("low", "high", "step") if word in entry}
    for word, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
            raise UsageError(f"{name}: {word} = {number!r} is not a number")
    all_whole = all(isinstance(number, int) for number in numbers.values())
    if kind is int and not all_whole:
        raise UsageError(f"{name} takes whole numbers only")
    is_whole = kind is int or (kind is object and all_whole)
    low, high, step = (
        number if is_whole else float(number)
        for number in (entry["low"], entry["high"], entry.get("step", 0))
    )
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise UsageError(f"{name}: log is true or false")
    if problem := _range_problem(low, high, step, log, has_step="step" in entry):
        raise UsageError(f"{name}: {problem}")
    return Parameter(name=name, low=low, high=high, step=step, log=log, is_whole=is_whole)


def _range_problem(low: float, high: float, step: float, log: bool, *, has_step: bool) -> str:
    if low >= high:
        return f"low = {low} is not below high = {high}"
    if log and low <= 0:
        return f"a logarithmic range begins above 0, not at {low}"
    if log and has_step:
        return "log and step do not go together"
    if has_step and step <= 0:
        return f"step = {step} is not above 0"
    if has_step and (Decimal(repr(high)) - Decimal(repr(low))) % Decimal(repr(step)):
        return f"steps of {step} do not lead from {low} to {high}"
    return ""


def _fill(template: str, key: str, point: Mapping[str, Scalar]) -> str:
    """The template with its placeholders replaced, those inside a chosen fragment included."""
    for _ in range(1 + len(point)):  # a fragment that holds itself must not go on for ever
        filled = _PLACEHOLDER.sub(lambda match: str(point[f"{key}.{match[1]}"]), template)
        if filled == template:
            break
        template = filled
    return template


def _label(name: str, choice: Any) -> Scalar:
    """Choices are compared and stored as single values; a list goes as its text."""
    if isinstance(choice, Scalar):
        return choice
    try:
        return json.dumps(choice)
    except TypeError as error:  # TOML has dates and times, a recipe has none
        raise UsageError(
            f"{name}: {choice} is neither a number, nor a text, nor true or false",
            'a text stands in quotes: choices = ["..."]',
        ) from error


def _from_label(value: Scalar) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def _as_override(value: Any) -> str:
    """The value as it may stand behind ``key=``; text goes bare unless it would be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        tomllib.loads(f"value = {value}")
    except ValueError:
        return value
    return json.dumps(value)
