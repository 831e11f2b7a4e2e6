"""Every error a user can meet, in one tree.

    LilliputError                     exit 1: it failed
    ├── UsageError                    exit 2: it was asked for wrongly
    │   ├── RecipeError               an unknown key, a wrong value, a contradiction in a recipe
    │   └── NotationError             an architecture that cannot be read; points at the column
    ├── SourceError                   a data set that cannot be read as it is
    │   └── BrokenImagesError         names every picture that cannot be decoded
    ├── PackError                     a pack that is missing, damaged or of another version
    ├── RunError                      a run folder that is missing, unfinished, damaged or in the way
    ├── TrainingError                 training cannot go on (a loss that is not a number, say)
    ├── ProcessError                  another process of the same training is gone, or does not answer
    ├── StorageError                  a full disk, a read-only place
    ├── MissingExtraError             an optional dependency that is not installed
    └── Interrupted                   exit 130: stopped by the user, all work saved

An error deserves a class here when a caller would handle it differently. Its message says what is wrong and where; its
``hint`` says what to do next. Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.metadata import requires
from pathlib import Path


class LilliputError(Exception):
    """What went wrong, and in ``hint`` what to do next (empty if there is nothing to add)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(LilliputError):
    """The request itself is wrong: an option, a name, a value."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe that cannot be used; the message names the key and its value."""


class NotationError(UsageError):
    """An architecture that cannot be read.

    ``text`` is the notation, ``column`` the 1-based place of the fault in it, ``expected`` what could stand there.
    """

    def __init__(self, text: str, column: int, problem: str, expected: str) -> None:
        pointer = " " * (column - 1) + "^"
        super().__init__(
            f"{problem} at column {column}:\n  {text}\n  {pointer}", f"expected {expected}"
        )
        self.text = text
        self.column = column
        self.expected = expected


class SourceError(LilliputError):
    """A data set that cannot be read as it is."""


class BrokenImagesError(SourceError):
    """Pictures that cannot be decoded: ``files`` holds ``(name, reason)`` for every one of them."""

    def __init__(self, files: Sequence[tuple[str, str]], hint: str) -> None:
        listing = "".join(f"\n  {name}: {reason}" for name, reason in files)
        noun = "picture" if len(files) == 1 else "pictures"
        super().__init__(f"{len(files)} {noun} cannot be decoded:{listing}", hint)
        self.files = tuple(files)


class PackError(LilliputError):
    """A pack that is missing, damaged or of another version."""


class RunError(LilliputError):
    """A run folder that is missing, unfinished, damaged or in the way."""


class TrainingError(LilliputError):
    """Training cannot go on."""


class ProcessError(LilliputError):
    """Another process of the same training is gone, or does not answer. ``gone`` are those known to be, from 0."""

    def __init__(self, message: str, hint: str = "", gone: Sequence[int] = ()) -> None:
        super().__init__(message, hint)
        self.gone = tuple(gone)


class StorageError(LilliputError):
    """A place that cannot be written to: full, read-only, not ours."""


class MissingExtraError(LilliputError):
    """An optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the optional part '{extra}'", _how_to_install(extra))


class Interrupted(LilliputError):
    """Stopped by the user; everything is saved."""

    exit_code = 130


def _how_to_install(extra: str) -> str:
    # In a clone its own script knows best; elsewhere the parts are named, for they are what is missing.
    if (Path(__file__).parents[2] / "scripts" / "setup").is_file():
        return f"scripts/setup {extra}"
    marker = re.compile(rf"""extra *== *['"]{re.escape(extra)}['"]""")
    parts = [
        one.partition(";")[0].strip() for one in requires("lilliput") or () if marker.search(one)
    ]
    return f"pip install {shlex.join(parts)}"


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, or all of them when none is near.

    >>> did_you_mean("epoch", ["epochs", "batch_images"])
    "did you mean 'epochs'?"
    """
    words = list(known)
    near = get_close_matches(wrong, words, n=1)
    return f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(words)
