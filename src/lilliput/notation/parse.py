"""Text to :class:`Plan`. Every error points at the column and says what could stand there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from lilliput.errors import NotationError
from lilliput.notation.plan import (
    BN,
    FC,
    NONLINEARITIES,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    Plan,
    Residual,
    Resize,
    Whiten,
)

MAX_FILTER_PIXELS = 63
MAX_WIDTH = 65_536
MAX_IMAGE_PIXELS = 4096


class _Word(NamedTuple):
    """One word of the text, where it stands, and what stands in its brackets (None: no brackets)."""

    name: str
    column: int
    argument: str | None
    argument_column: int


def parse(text: str) -> Plan:
    """Read a network such as ``IMG -> ConvReLU(F5-16) -> MaxPool -> FC(200)``.

    ``IMG ->`` may be left out. ``parse(str(plan)) == plan`` for every plan.

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
            and not layers
            and word.column == _first_column(text)
        ):
            continue
        layer = _layer(text, word)
        _check_order(text, word, layers, layer)
        layers.append(layer)
    if not layers or not (isinstance(layers[-1], FC) and not layers[-1].nonlinearity):
        column = word.column if word and layers else len(text.rstrip()) + 1
        problem = "a network ends with FC(classes)" if layers else "there is no layer"
        raise NotationError(text, column, problem, "FC(200) as the last word")
    return Plan(tuple(layers))


def _first_column(text: str) -> int:
    return len(text) - len(text.lstrip()) + 1


def _words(text: str) -> Iterator[_Word]:
    position = 0
    for piece in text.split("->"):
        column = position + _first_column(piece)
        position += len(piece) + 2
        match = re.fullmatch(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*", piece)
        if match:
            start = match.start(2) if match[2] is not None else match.end(1)
            yield _Word(match[1], column, match[2], column + start - (_first_column(piece) - 1))
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


def _layer(text: str, word: _Word) -> Layer:
    rule = WORDS.get(word.name)
    if rule is None:
        near = get_close_matches(word.name, WORDS, n=1)
        expected = f"{near[0]}, perhaps" if near else _KNOWN
        raise NotationError(text, word.column, f"'{word.name}' is not a layer", expected)
    return rule(text, word)


def _check_order(text: str, word: _Word, before: list[Layer], layer: Layer) -> None:
    flat = next((earlier for earlier in before if isinstance(earlier, (FC, GlobalPool))), None)
    if flat and isinstance(layer, (BN, Conv, MaxPool, Residual, GlobalPool, Resize, Whiten)):
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


def _conv(nonlinearity: str, *, batch_norm: bool = False) -> Callable[[str, _Word], Layer]:
    def rule(text: str, word: _Word) -> Layer:
        expected = "(F5-32): filter size, then number of filters; (F5-32,G4) in 4 groups"
        match = _match(rf"{_FILTERS}(?:,\s*G([0-9]+)\s*)?", text, word, expected)
        size, filters = _odd_filters(text, word, match)
        groups = _number(match[3] or "1")
        if groups == 0 or filters % groups:
            column = word.argument_column + match.start(3)
            problem = f"{filters} filters cannot be cut into {groups} groups"
            raise NotationError(text, column, problem, "a number that divides them")
        return Conv(size, filters, nonlinearity, batch_norm, groups)

    return rule


def _norm(nonlinearity: str) -> Callable[[str, _Word], Layer]:
    def rule(text: str, word: _Word) -> Layer:
        if word.argument is not None:
            raise _argument_error(text, word, f"no brackets: BN{nonlinearity} keeps its shape")
        return BN(nonlinearity)

    return rule


def _residual(text: str, word: _Word) -> Layer:
    match = _match(_FILTERS, text, word, "(F5-32): filter size, then number of filters")
    return Residual(*_odd_filters(text, word, match))


def _whiten(text: str, word: _Word) -> Layer:
    expected = "(F6-96,S4): filter size, number of filters, and how many pixels apart"
    match = _match(rf"{_FILTERS},\s*S([0-9]+)\s*", text, word, expected)
    size, filters, stride = (_number(match[n]) for n in (1, 2, 3))
    if not 1 <= size <= MAX_FILTER_PIXELS:
        column, expected = word.argument_column + match.start(1), f"1 to {MAX_FILTER_PIXELS}"
        raise NotationError(text, column, f"filters cannot be {size}x{size}", expected)
    _check_width(text, word.argument_column + match.start(2), filters)
    if not 1 <= stride <= size or (size - stride) % 2:
        column = word.argument_column + match.start(3)
        problem = f"patches of {size}x{size} cannot be {stride} apart"
        expected = f"1 to {size}, and {'odd' if size % 2 else 'even'}, so that they lie evenly"
        raise NotationError(text, column, problem, expected)
    return Whiten(size, filters, stride)


_FILTERS = r"\s*F([0-9]+)\s*-\s*([0-9]+)\s*"


def _match(pattern: str, text: str, word: _Word, expected: str) -> re.Match[str]:
    """What stands in the brackets. Raises: NotationError with what was expected there."""
    match = re.fullmatch(pattern, word.argument or "")
    if not match:
        raise _argument_error(text, word, expected)
    return match


def _odd_filters(text: str, word: _Word, match: re.Match[str]) -> tuple[int, int]:
    """Filter size and number of filters, from brackets such as ``(F5-32)``."""
    size, filters = _number(match[1]), _number(match[2])
    if size % 2 == 0 or size > MAX_FILTER_PIXELS:
        column = word.argument_column + match.start(1)
        raise NotationError(
            text,
            column,
            f"filters cannot be {size}x{size}",
            f"an odd size up to {MAX_FILTER_PIXELS}, so that padding keeps the image's size",
        )
    _check_width(text, word.argument_column + match.start(2), filters)
    return size, filters


def _resize(text: str, word: _Word) -> Layer:
    match = _match(r"\s*([0-9]+)\s*", text, word, "(32): the new height and width in pixels")
    pixels = _number(match[1])
    if not 1 <= pixels <= MAX_IMAGE_PIXELS:
        column = word.argument_column + match.start(1)
        raise NotationError(text, column, f"{pixels} is out of range", f"1 to {MAX_IMAGE_PIXELS}")
    return Resize(pixels)


def _fc(nonlinearity: str) -> Callable[[str, _Word], Layer]:
    def rule(text: str, word: _Word) -> Layer:
        match = _match(r"\s*([0-9]+)\s*", text, word, "(256): the number of neurons")
        neurons = _number(match[1])
        _check_width(text, word.argument_column + match.start(1), neurons)
        return FC(neurons, nonlinearity)

    return rule


def _max_pool(text: str, word: _Word) -> Layer:
    if word.argument is not None:
        raise _argument_error(text, word, "no brackets: MaxPool is always 2x2, stride 2")
    return MaxPool()


def _global_pool(text: str, word: _Word) -> Layer:
    if word.argument is not None:
        raise _argument_error(text, word, "no brackets: GlobalPool takes the whole map")
    return GlobalPool()


def _dropout(text: str, word: _Word) -> Layer:
    match = re.fullmatch(r"\s*(0?\.[0-9]+|0)\s*", word.argument or "")
    if not match or float(match[1]) >= 1:  # enough nines are rounded to 1
        raise _argument_error(
            text, word, "(0.5): the probability of being dropped, from 0 to below 1"
        )
    return Dropout(float(match[1]))


def _argument_error(text: str, word: _Word, expected: str) -> NotationError:
    if word.argument is None:
        return NotationError(
            text, word.argument_column, f"{word.name} says nothing in brackets", expected
        )
    return NotationError(
        text, word.argument_column, f"{word.name} cannot be '({word.argument})'", expected
    )


def _number(digits: str) -> int:
    return int(digits[:20])  # too large anyway; Python refuses thousands of digits


def _check_width(text: str, column: int, width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise NotationError(text, column, f"{width} is out of range", f"1 to {MAX_WIDTH:,}")


WORDS: dict[str, Callable[[str, _Word], Layer]] = {
    **{f"Conv{nonlinearity}": _conv(nonlinearity) for nonlinearity in NONLINEARITIES},
    **{f"ConvBN{name}": _conv(name, batch_norm=True) for name in NONLINEARITIES},
    "Conv": _conv(""),
    **{f"BN{name}": _norm(name) for name in NONLINEARITIES},
    "Residual": _residual,
    "Resize": _resize,
    "Whiten": _whiten,
    "MaxPool": _max_pool,
    "GlobalPool": _global_pool,
    **{f"FC{nonlinearity}": _fc(nonlinearity) for nonlinearity in NONLINEARITIES},
    "FC": _fc(""),
    "Dropout": _dropout,
}
"""Every word of the notation and what reads it."""

_KNOWN = "one of " + ", ".join(WORDS)
