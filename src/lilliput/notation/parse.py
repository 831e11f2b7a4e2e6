"""Text to :class:`Plan`. Every error points at the column and says what could stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from lilliput.errors import NotationError
from lilliput.notation.layers import FC, Dropout, GlobalPool, Layer, Resize
from lilliput.notation.plan import Plan
from lilliput.notation.words import WORDS, Word, number

MAX_LAYERS = 1000
"""To so many layers a word may be repeated; a longer network has to be written out."""
_KNOWN = "one of " + ", ".join(WORDS)


def parse(text: str) -> Plan:
    """Read a network such as ``IMG -> ConvReLU(F5-16) -> MaxPool -> FC(200)``.

    ``IMG ->`` may be left out. ``Residual(F3-64) x3`` is three of them, which the plan's own text writes out; repeating
    may go on to 1000 layers.
    ``parse(str(plan)) == plan`` for every plan.

    Raises: NotationError with the column (from 1) and what was expected there.

    >>> str(parse("IMG->ConvReLU(F5-16)->MaxPool->FC(200)"))
    'ConvReLU(F5-16) -> MaxPool -> FC(200)'
    """
    text = re.sub(r"\s", " ", text)  # a pointer below several lines would point at nothing
    layers: list[Layer] = []
    word = None
    for word in _words(text):
        if (
            word.name == "IMG"
            and word.argument is None
            and word.times is None
            and not layers
            and word.column == _first_column(text)
        ):
            continue
        layer = _layer(text, word)
        for _ in range(_times(text, word, len(layers))):
            _check_order(text, word, layers, layer)
            layers.append(layer)
    if not layers or not (isinstance(layers[-1], FC) and not layers[-1].nonlinearity):
        column = word.column if word and layers else len(text.rstrip()) + 1
        problem = "a network ends with FC(classes)" if layers else "there is no layer"
        raise NotationError(text, column, problem, "FC(200) as the last word")
    return Plan(tuple(layers))


def _first_column(text: str) -> int:
    return len(text) - len(text.lstrip()) + 1


def _words(text: str) -> Iterator[Word]:
    position = 0
    for piece in text.split("->"):
        column = position + _first_column(piece)
        position += len(piece) + 2
        match = re.fullmatch(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*(?:x\s*([0-9]+)\s*)?", piece)
        if match:
            before = column - (_first_column(piece) - 1)
            start = match.start(2) if match[2] is not None else match.end(1)
            yield Word(
                match[1], column, match[2], before + start, match[3], before + match.start(3)
            )
            continue
        if not piece.strip():
            raise NotationError(text, min(column, len(text) + 1), "a layer is missing", _KNOWN)
        raise _unreadable(text, piece, column)


def _unreadable(text: str, piece: str, column: int) -> NotationError:
    word = re.match(r"\s*[A-Za-z]+\s*(?:\([^()]*\))?", piece)
    if word is None:
        return NotationError(text, column, "this is not a layer", _KNOWN)
    start = column - _first_column(piece) + 1
    rest = len(piece[word.end() :]) - len(piece[word.end() :].lstrip())
    fault = start + word.end() + rest
    unread = piece[word.end() :].strip()
    if unread.startswith("(") and ")" not in unread:
        return NotationError(text, fault, "this bracket is never closed", "')'")
    return NotationError(text, fault, f"'{unread}' is not understood", "'->' and the next layer")


def _layer(text: str, word: Word) -> Layer:
    rule = WORDS.get(word.name)
    if rule is None:
        near = get_close_matches(word.name, WORDS, n=1)
        expected = f"{near[0]}, perhaps" if near else _KNOWN
        raise NotationError(text, word.column, f"'{word.name}' is not a layer", expected)
    return rule(text, word)


def _times(text: str, word: Word, before: int) -> int:
    """How often a word is said, ``before`` layers having come before it."""
    if word.times is None:
        return 1
    times = number(word.times)
    most = max(1, MAX_LAYERS - before)
    if not 1 <= times <= most:
        problem = f"{times} times is out of range"
        expected = f"x1 to x{most}: repeating may go on to {MAX_LAYERS} layers"
        raise NotationError(text, word.times_column, problem, expected)
    return times


def _check_order(text: str, word: Word, before: list[Layer], layer: Layer) -> None:
    flat = next((earlier for earlier in before if isinstance(earlier, (FC, GlobalPool))), None)
    if flat and not isinstance(layer, (FC, Dropout)):
        earlier = "a fully connected layer" if isinstance(flat, FC) else str(flat)
        raise NotationError(
            text,
            word.column,
            f"{layer} cannot follow {earlier}",
            "FCReLU, Dropout or FC",
        )
    if before and isinstance(layer, Resize):
        raise NotationError(text, word.column, "Resize stands first", "another layer")
    if before and isinstance(before[-1], FC) and not before[-1].nonlinearity:
        raise NotationError(
            text,
            word.column,
            f"{layer} comes after {before[-1]}, which ends a network",
            "nothing more",
        )
