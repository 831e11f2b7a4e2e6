"""The network that comes along, so that pictures can be labelled straight after the installation.

What it is, on what it was trained and how far it can be trusted: docs/ready-made.md.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from lilliput.delivery.pictures import ENDINGS
from lilliput.errors import UsageError
from lilliput.results.open import is_ours

READY = "tiny-imagenet-200"


def ready_made() -> Path:
    """The file of weights that the name ``READY`` stands for."""
    return Path(str(files("lilliput") / "delivery" / f"{READY}.safetensors"))


def named(path: str | Path) -> Path:
    """What a path stands for: the file of ``READY``, where nothing else is called so, else the path itself."""
    return ready_made() if str(path) == READY and not Path(path).exists() else Path(path)


def with_classifier(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """A classifier and the pictures it is to label: the words as they are, or ``READY`` before them.

    The first word is a picture when it is ``-``, a file that is no classifier by its ending, a folder that none of
    Lilliput's commands has written, or names no file but ends like a picture or is a pattern.
    Raises: UsageError when it stands alone and nothing is there.
    """
    first, *others = words
    if _is_picture(first):
        return READY, tuple(words)
    if not others and first != READY and not os.path.lexists(first):
        raise UsageError(
            f"there is neither a picture nor a folder at {first!r}",
            "name files, folders or patterns; before them a classifier, if another is to answer",
        )
    return first, tuple(others)


def _is_picture(word: str) -> bool:
    # Here, for it asks this module what the name READY stands for.
    from lilliput.delivery.classifier import OPENERS

    if os.path.isdir(word):
        return not is_ours(word)
    if os.path.lexists(word):
        return Path(word).suffix.casefold() not in OPENERS
    return word == "-" or word.casefold().endswith(ENDINGS) or glob.has_magic(word)
