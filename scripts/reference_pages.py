"""Writes docs/reference anew from the code: every key of a recipe, every word of the notation, every public name.

And the examples as a notebook.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lilliput
from lilliput import errors
from lilliput.errors import NotationError
from lilliput.notation import ZOO, Layer, parse, trace
from lilliput.notation.parse import WORDS
from lilliput.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = "Written by `scripts/reference_pages.py` from the code; do not edit by hand."
# What the verbs hand back, beside what has a public name of its own.
RETURNED = {
    "Evaluation": "results.metrics",
    "Comparison": "analysis.compare",
    "Findings": "analysis.audit.findings",
    "Answer": "delivery.classifier",
    "Guess": "delivery.classifier",
    "Submission": "delivery.submit",
    "Exported": "delivery.export",
    "Saliency": "results.saliency",
    "Conclusion": "reproduce.conclusion",
    "Runtime": "training.runtime",
    "Step": "training.loop",
}
# What may stand in the brackets of a word, one for every kind of them.
BRACKETS = ("", "(F3-32)", "(F4-32,S4)", "(0.5)", "(32)")
MAPS = (16, 32, 32)


def render_recipe() -> str:
    """``docs/reference/recipe.md``."""
    schema = Recipe.model_json_schema()
    sections = {name: one for name, one in Recipe.model_fields.items() if _is_section(one)}
    parts = [
        "# Every key of a recipe",
        WRITTEN,
        "A recipe is one TOML file; `section.key=value` on the command line is stronger than it. "
        "[Recipes](../recipes.md) shows one, and says how augmentations and sizes play together. "
        "A key without a default must be given.",
        "## At the top",
        _keys(schema, [name for name in schema["properties"] if name not in sections], ""),
    ]
    for name, field in sections.items():
        section = schema["$defs"][field.annotation.__name__]
        parts += [f"## {name}", text(field.annotation.__doc__)]
        parts.append(_keys(section, list(section["properties"]), f"{name}."))
    return _document(parts)


def render_notation() -> str:
    """``docs/reference/notation.md``."""
    channels, height, width = MAPS
    parts = [
        "# Every word of the notation",
        WRITTEN,
        "A network is words joined by `->`; `IMG ->` may open it, and `FC(classes)` ends it; `MaxPool x3` is three of "
        "them. Spaces count nothing. [Recipes](../recipes.md#the-notation) has it on one page. The columns say what "
        "the word makes of "
        f"{channels} maps of {height}x{width} pixels (`Resize`: of an image), and what that costs: numbers to learn, "
        "and multiplications with an addition per image.",
    ]
    for kind, words in _words_by_kind().items():
        rows = [_word_row(word) for word in words]
        header = ("in full", "what comes out", "parameters", "multiply-adds")
        parts += [f"## {kind.__name__}", text(kind.__doc__), _table(header, rows)]
        if expected := _expected(words[0]):
            parts.append(f"In brackets: {expected}.")
    parts += [
        "## Networks by name",
        "For 200 classes and images of 64x64 pixels; `lilliput models` lists them too.",
    ]
    for entry in ZOO.values():
        layers = trace(parse(entry.notation))
        costs = [
            sum(layer.parameters for layer in layers),
            sum(layer.multiply_adds for layer in layers),
        ]
        parts.append(
            f"### {entry.name}\n\n{entry.source}. {costs[0]:,} parameters, {costs[1]:,} multiply-adds."
        )
        parts.append("```text\n" + "\n  -> ".join(entry.notation.split(" -> ")) + "\n```")
    return _document(parts)


def render_python() -> str:
    """``docs/reference/python.md``."""
    public = {name: getattr(lilliput, name) for name in lilliput.__all__}
    verbs = {name: value for name, value in public.items() if inspect.isfunction(value)}
    types = {name: value for name, value in public.items() if inspect.isclass(value)}
    parts = [
        "# Python",
        WRITTEN,
        text(lilliput.__doc__),
        "[Verbs](#verbs) do what the commands do, [types](#types) are what they take and give, and "
        "[what else they hand back](#what-else-they-hand-back) has no public name. `ZOO` is the dict of the networks "
        "by name ([notation](notation.md#networks-by-name)), `__version__` the version.",
        "## Verbs",
    ]
    for name, verb in verbs.items():
        parts += [f"### {name}()", _code(name, verb), text(verb.__doc__)]
        if any(
            "Wishes" in str(one.annotation) for one in inspect.signature(verb).parameters.values()
        ):
            parts += _wishes()
    parts.append("## Types")
    for name, value in types.items():
        parts += list(_type(name, value))
    parts.append("## What else they hand back")
    for name, home in RETURNED.items():
        parts += list(_type(name, getattr(importlib.import_module(f"lilliput.{home}"), name)))
    parts += ["## Errors", text(errors.__doc__)]
    return _document(parts)


def render_notebook() -> str:
    """``examples/lilliput.ipynb``: every script with its docstring as a heading, a cell per paragraph, no outputs."""
    cells = [_cell_of("# Lilliput by example", "These are the scripts beside this notebook.")]
    for script in sorted((ROOT / "examples").glob("*.py")):
        _, told, code = script.read_text(encoding="utf-8").split('"""', 2)
        title, _, rest = told.partition(": ")
        cells.append(_cell_of(f"## {title}", f"{rest[:1].upper()}{rest[1:]} (`{script.name}`)"))
        cells += [_cell_of(block, kind="code") for block in re.split(r"\n\n+(?=\S)", code.strip())]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/recipe.md": render_recipe,
    "docs/reference/notation.md": render_notation,
    "docs/reference/python.md": render_python,
    "examples/lilliput.ipynb": render_notebook,
}


def text(docstring: str | None) -> str:
    """A docstring as Markdown: code in single quotes, examples and drawings in fences, `Raises:` on its own line."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(docstring or ""))
    return "\n\n".join(map(_block, blocks))


def _block(block: str) -> str:
    if block.startswith(">>>"):
        return f"```python\n{re.sub(r'  # doctest: .*', '', block)}\n```"
    if block.startswith("    "):
        return f"```text\n{inspect.cleandoc(chr(10) + block)}\n```"
    block = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", block).replace("``", "`")
    block = re.sub(r"\s*\bRaises: ", "\n\nRaises: ", block).strip()
    return re.sub(r"\*(?=\s)", r"\\*", block)


def _cell_of(*blocks: str, kind: str = "markdown") -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": "\n\n".join(blocks).splitlines(keepends=True)}


def _document(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in (header, *rows)]
    lines.insert(1, "|---" * len(header) + "|")
    return "\n".join(lines)


def _cell(docstring: str | None) -> str:
    return " ".join(text(docstring).split()).replace("|", r"\|")


def _is_section(field: Any) -> bool:
    return inspect.isclass(field.annotation) and hasattr(field.annotation, "model_fields")


def _keys(section: dict[str, Any], names: list[str], prefix: str) -> str:
    rows = []
    for name in names:
        key = section["properties"][name]
        default = f"`{json.dumps(key['default'])}`" if "default" in key else ""
        rows.append((f"`{prefix}{name}`", _takes(key), default, _cell(key["description"])))
    return _table(("key", "takes", "default", "meaning"), rows)


def _takes(key: dict[str, Any]) -> str:
    if "enum" in key:
        return ", ".join(f"`{json.dumps(one)}`" for one in key["enum"])
    if key["type"] == "array":
        least = "at least one of" if key.get("minItems") else "each"
        return f"a list, {least} {_takes(key['items'])}"
    nouns = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "`true`, `false`",
    }
    return " ".join([nouns[key["type"]], *_limits(key)])


def _limits(key: dict[str, Any]) -> Iterator[str]:
    if "exclusiveMinimum" in key:
        yield f"above {key['exclusiveMinimum']:g}"
    if "minimum" in key:
        yield f"from {key['minimum']:g}"
    if "maximum" in key:
        yield f"to {key['maximum']:g}"
    if "exclusiveMaximum" in key:
        most = key["exclusiveMaximum"]
        yield f"below {most:g}" if most < 2**53 else f"below 2^{most.bit_length() - 1}"
    if "maxLength" in key:
        yield f"of {key.get('minLength', 0)} to {key['maxLength']} characters"


def _words_by_kind() -> dict[type[Layer], list[str]]:
    kinds: defaultdict[type[Layer], list[str]] = defaultdict(list)
    for word in WORDS:
        kinds[type(_example(word))].append(word)
    return dict(kinds)


def _example(word: str) -> Layer:
    """The word as a layer, with the first brackets that it takes."""
    for brackets in BRACKETS:
        for rest in ("", " -> FC(2)"):
            try:
                return parse(word + brackets + rest).layers[0]
            except NotationError:
                continue
    raise ValueError(f"{word} takes none of {BRACKETS}: add what it takes")


def _word_row(word: str) -> tuple[str, ...]:
    layer = _example(word)
    taken = (3, 64, 64) if word == "Resize" else MAPS
    shape = "x".join(map(str, layer.output(taken)))
    return f"`{layer}`", shape, f"{layer.parameters(taken):,}", f"{layer.multiply_adds(taken):,}"


def _expected(word: str) -> str:
    """What the parser says may stand in the brackets; nothing where there are none."""
    try:
        parse(f"{word}(?)")
    except NotationError as error:
        expected = error.expected
        return (
            ""
            if expected.startswith("no brackets")
            else re.sub(r"\(([^)]*)\)", r"`(\1)`", expected)
        )
    return ""


def _type(name: str, value: type) -> Iterator[str]:
    yield f"### {name}"
    is_recipe = hasattr(value, "model_fields")
    yield "" if is_recipe else _code(name, value)
    yield text(value.__doc__)
    yield "Its fields are [the keys of a recipe](recipe.md)." if is_recipe else ""
    rows = [
        (f"`{member}`" if is_value else f"`{_line(member, made)}`", _cell(made.__doc__))
        for member, made, is_value in _members(value)
    ]
    if rows:
        yield _table(("member", "what it is"), rows)


def _members(value: type) -> Iterator[tuple[str, Any, bool]]:
    """Public methods and properties with a docstring, those of our own base classes included."""
    seen: dict[str, Any] = {}
    for base in reversed(value.__mro__):
        if base.__module__.startswith("lilliput"):
            seen |= {k: v for k, v in vars(base).items() if not k.startswith("_")}
    for member, made in seen.items():
        made = getattr(made, "__func__", made)
        is_value = not inspect.isfunction(made)
        if made.__doc__ if not is_value else type(made).__name__.endswith("property"):
            yield member, made, is_value


def _line(name: str, function: Any) -> str:
    return name + _signature(function).replace("|", r"\|")


def _code(name: str, value: Any) -> str:
    line = name + _signature(value)
    if len(line) > 96:
        inside = [str(one) for one in _parameters(value)]
        stars = _with_stars(_parameters(value), inside)
        answer = _answer(value)
        line = f"{name}(\n" + "".join(f"    {one},\n" for one in stars) + f"){answer}"
    return f"```python\n{line}\n```"


def _signature(value: Any) -> str:
    parameters = _parameters(value)
    return (
        f"({', '.join(_with_stars(parameters, [str(one) for one in parameters]))}){_answer(value)}"
    )


def _parameters(value: Any) -> list[inspect.Parameter]:
    """As they are written; a default that is a function is three dots."""
    told = []
    for one in inspect.signature(value).parameters.values():
        if one.name in {"self", "cls"}:
            continue
        is_function = callable(one.default) and one.default is not one.empty
        default = ... if is_function else one.default
        told.append(one.replace(default=default, annotation=_annotation(one.annotation)))
    return told


class _Written:
    """An annotation that shows itself as it was written."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words


def _annotation(annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    return _Written(
        annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    )


def _with_stars(parameters: list[inspect.Parameter], written: list[str]) -> Iterator[str]:
    had = False
    for one, words in zip(parameters, written, strict=True):
        if one.kind is one.KEYWORD_ONLY and not had:
            had = True
            yield "*"
        had = had or one.kind is one.VAR_POSITIONAL
        yield words.replace("Ellipsis", "...").replace("<factory>", "...")


def _answer(value: Any) -> str:
    returned = inspect.signature(value).return_annotation
    if inspect.isclass(value) or returned is inspect.Signature.empty:
        return ""
    return f" -> {_annotation(returned)!r}"


def _wishes() -> Iterator[str]:
    from lilliput.search.settings import Wishes

    fields = [f"    {name}: {_annotation(kind)!r}" for name, kind in Wishes.__annotations__.items()]
    yield "```python\nclass Wishes:\n" + "\n".join(fields) + "\n```"
    yield text(Wishes.__doc__)


def main() -> int:
    """Write every page."""
    for name, render in PAGES.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
