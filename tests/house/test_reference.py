"""The pages of docs/reference and the notebook say what the code says."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import lilliput
from lilliput.notation.parse import WORDS
from lilliput.recipe import Recipe, recipe_keys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "reference_pages.py"))["PAGES"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *(f"docs/reference/{page}.md" for page in ("recipe", "notation", "python")),
        "examples/lilliput.ipynb",
    ],
)
def test_it_is_fresh(name: str, pages: dict[str, Any]) -> None:
    assert read(name) == pages[name](), "the code has changed: run scripts/check --fix"


def test_every_key_has_a_row() -> None:
    row = re.compile(r"^\| `([\w.]+)` \| [^|]+ \|[^|]*\| .+ \|$", re.MULTILINE)
    assert row.findall(read("docs/reference/recipe.md")) == [*recipe_keys()]


def test_every_word_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)", read("docs/reference/notation.md"), re.MULTILINE)
    assert rows == list(WORDS)


def test_every_public_name_is_told() -> None:
    page = read("docs/reference/python.md")
    told = {name.removesuffix("()") for name in re.findall(r"^### (\S+)", page, re.MULTILINE)}
    assert set(lilliput.__all__) - told == {"ZOO", "__version__"}


def test_no_page_holds_what_changes_from_run_to_run() -> None:
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        assert not re.search(
            r"0x[0-9a-f]{6}|<function|ForwardRef|Ellipsis", page.read_text("utf-8")
        )


def test_the_defaults_in_recipes_are_the_code_s() -> None:
    """docs/recipes.md is written by hand, several keys to a row where they belong together."""
    named = {
        "name": "-",
        "model": {"plan": "m1"},
        "training": {"epochs": 1, "batch_images": 1},
    }
    values = Recipe.model_validate(named).model_dump(mode="json")
    table = read("docs/recipes.md").partition("## Keys")[2].partition("## The notation")[0]
    told = 0
    for keys, default in re.findall(r"^\| (`[^|]+) \|([^|]*)\|", table, re.MULTILINE):
        names = re.findall(r"`([\w.]+)`", keys)
        written = json.loads(f"[{default}]")
        if not default.strip():
            continue
        for name, value in zip(names, written * (len(names) // len(written)), strict=True):
            section, _, key = name.rpartition(".")
            assert (values[section] if section else values)[key] == value, name
            told += 1
    assert told == len(recipe_keys()) - 4
