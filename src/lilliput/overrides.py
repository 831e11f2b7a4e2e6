"""Nested tables by dotted keys: ``section.key=value``, and what two tables do not share."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from lilliput.errors import RecipeError


def apply_override(values: dict[str, Any], override: str) -> None:
    """Set a key of nested tables: ``"training.epochs=3"``. Raises: RecipeError when it is not written so."""
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise RecipeError(
            f"'{override}' is not a change to a recipe",
            "write it as section.key=value, such as training.epochs=3",
        )
    table = values
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise RecipeError(f"'{key}' is not a key: '{part}' holds a value")
    table[path[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    """What the text is in TOML; what is not TOML is a string, so that ``model.plan=m1`` needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (ValueError, RecursionError):
        return text


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What two recipes (as nested tables) do not share: ``"training.epochs: 2, now 3"``."""
    before, after = dict(_flat(old)), dict(_flat(new))
    keys = list(dict.fromkeys([*before, *after]))
    return [
        f"{key}: {before.get(key, 'absent')}, now {after.get(key, 'absent')}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
