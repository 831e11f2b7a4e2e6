"""What an ablation varies: a design, from one of the files that come along, or from ``--vary`` on the command line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path

from pydantic import Field, ValidationError

from lilliput.errors import RecipeError, UsageError, did_you_mean
from lilliput.notation import NONLINEARITIES, ZOO
from lilliput.recipe import Recipe, Section, load_recipe, shipped_recipes
from lilliput.results import atomic

# Not a key of a recipe: it rewrites the nonlinearity of every layer of the plan, whatever the plan is.
NONLINEARITY = "model.nonlinearity"
_NONLINEAR = re.compile(r"(?:LeakyReLU|ReLU|Tanh|SiLU)\b")
_COMMA = re.compile(r""",(?![^\[]*\])(?=(?:[^"]*"[^"]*")*[^"]*$)""")
_HINTS = {
    "data.drop": "add data.drop=FILE, a list of image names to leave out; lilliput audit RUN --data DATA writes one"
}
SEEDS, HOLDOUT = 3, 0.1


class Variant(Section):
    """One value of a design: its name, and the changes that make it.

    A change without a value (``data.drop``) takes the value the user gives for that key.
    """

    name: str = Field(min_length=1, max_length=100)
    changes: tuple[str, ...] = Field((), strict=False)


class Design(Section):
    """What an ablation varies; ``claim`` is what the paper says about it. All values are compared with the first."""

    name: str = Field(min_length=1, max_length=100)
    claim: str = ""
    recipe: str
    changes: tuple[str, ...] = Field((), strict=False)
    values: tuple[Variant, ...] = Field(min_length=1, strict=False)
    seeds: int = Field(SEEDS, ge=1)
    """Seeds 1 to this; --seeds overrules it."""
    holdout: float = Field(HOLDOUT, ge=0, lt=1)
    """The share of train that judges; 0 judges on the official val split."""
    subsets: bool = False
    """Whether the seeds of the first value are also averaged, in every subset of them."""

    def changed(self, *, seeds: int | None = None, holdout: float | None = None) -> Design:
        """The design with other seeds or another judge; None leaves them. Raises: UsageError."""
        wanted = {"seeds": seeds, "holdout": holdout}
        given = {key: value for key, value in wanted.items() if value is not None}
        try:
            return Design.model_validate(self.model_dump() | given)
        except ValidationError as error:
            raise UsageError(f"--{_reason(error)}") from error


def shipped_ablations() -> dict[str, Path]:
    """The designs that come along: name to file, sorted by name."""
    folder = Path(str(files("lilliput") / "ablations"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_design(name_or_path: str | Path, changes: Sequence[str] = ()) -> Design:
    """A shipped design by name, or one from a TOML file, with the user's ``key=value`` changes on top of its recipe's.

    Raises: UsageError when it cannot be read, or a value needs a change that is not given.
    """
    path = shipped_ablations().get(str(name_or_path), Path(name_or_path))
    try:
        design = Design.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        hint = did_you_mean(str(name_or_path), shipped_ablations())
        raise UsageError(f"there is no ablation '{name_or_path}'", hint) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not an ablation: {_reason(error)}") from error
    return _filled(design, changes)


def read_design(
    what: str | Path, varied: Sequence[str] = (), changes: Sequence[str] = ()
) -> Design:
    """The design that the words ask for: a recipe with ``varied`` texts, or an ablation by name or file.

    Raises: UsageError.
    """
    if varied:
        return vary(what, varied, changes)
    if str(what) in shipped_recipes():
        raise UsageError(
            f"say what of {what} is varied", "such as --vary optimizer.l2=0.0001,0.001"
        )
    return load_design(what, changes)


def folder_name(name: str) -> str:
    """The name as a folder may be called."""
    return atomic.folder_name(name, "ablation")


def vary(recipe: str | Path, varied: Sequence[str], changes: Sequence[str] = ()) -> Design:
    """A design from ``"key=a,b,c"`` texts: every combination of their values, the first one first.

    Raises: UsageError for a text that is no such thing.
    """
    axes = [_axis(text) for text in varied]
    if all(len(axis) == 1 for axis in axes):
        raise UsageError(
            f"--vary {varied[0]} has one value: nothing to compare it with",
            "name two at least, such as --vary optimizer.l2=0.0001,0.001",
        )
    variants = [Variant(name=", ".join(chosen), changes=chosen) for chosen in product(*axes)]
    keys = " x ".join(text.partition("=")[0] for text in varied)
    name = f"{Path(recipe).stem} {keys}"
    return Design(name=name, recipe=str(recipe), changes=tuple(changes), values=tuple(variants))


def recipe_of(design: Design, value: Variant, seed: int) -> Recipe:
    """The recipe one run of the ablation is trained with. Raises: RecipeError."""
    changes = [*design.changes, *value.changes]
    if design.holdout and not any(_key(c) in ("data.holdout", "data.folds") for c in changes):
        changes.append(f"data.holdout={design.holdout}")
    changes.append(f"seed={seed}")
    plain = [change for change in changes if _key(change) != NONLINEARITY]
    recipe = load_recipe(design.recipe, plain)
    for change in changes:
        if _key(change) == NONLINEARITY:
            notation = with_nonlinearity(recipe.model.plan, change.partition("=")[2].strip())
            plain = [one for one in plain if _key(one) != "model.plan"]
            recipe = load_recipe(design.recipe, [*plain, f"model.plan={notation}"])
    return recipe


def with_nonlinearity(plan: str, nonlinearity: str) -> str:
    """The notation of ``plan`` (a name of the zoo or a notation) with every nonlinearity replaced.

    >>> with_nonlinearity("ConvReLU(F3-8) -> FCReLU(16) -> FC(10)", "Tanh")
    'ConvTanh(F3-8) -> FCTanh(16) -> FC(10)'

    Raises: RecipeError for a nonlinearity the notation does not have.
    """
    known = NONLINEARITIES
    if nonlinearity not in known:
        raise RecipeError(
            f"there is no nonlinearity '{nonlinearity}'", did_you_mean(nonlinearity, known)
        )
    return _NONLINEAR.sub(nonlinearity, ZOO[plan].notation if plan in ZOO else plan)


def _filled(design: Design, changes: Sequence[str]) -> Design:
    """The user's changes, each where it belongs: in the values that ask for its key, else in the recipe of all."""
    given = {_key(change): change for change in changes}
    asked: set[str] = set()
    values = []
    for value in design.values:
        wanted = [change for change in value.changes if "=" not in change]
        if missing := [key for key in wanted if key not in given]:
            raise UsageError(
                f"ablation {design.name} needs {missing[0]}=...", _HINTS.get(missing[0], "")
            )
        asked.update(wanted)
        filled = tuple(given.get(change, change) for change in value.changes)
        values.append(value.model_copy(update={"changes": filled}))
    rest = [change for change in changes if _key(change) not in asked]
    return design.model_copy(update={"values": tuple(values), "changes": (*design.changes, *rest)})


def _axis(text: str) -> list[str]:
    """``"key=a,b"`` as ``["key=a", "key=b"]``; commas inside brackets and quotes divide nothing."""
    key, _, values = text.partition("=")
    parts = [part.strip() for part in _COMMA.split(values)]
    if not key.strip() or not all(parts):
        raise UsageError(
            f"'{text}' does not say what is varied",
            "write it as key=a,b,c, such as optimizer.l2=0.0001,0.001",
        )
    return [f"{key.strip()}={part}" for part in parts]


def _key(change: str) -> str:
    return change.partition("=")[0].strip()


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return str(error)
