"""The words of the notation as they are written: what may stand in their brackets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from lilliput.errors import NotationError
from lilliput.notation.layers import (
    BN,
    FC,
    NONLINEARITIES,
    SE,
    AvgPool,
    BlurPool,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    Resize,
    Whiten,
)
from lilliput.notation.residual import Bottleneck, PreAct, Residual

MAX_FILTER_PIXELS = 63
MAX_WIDTH = 65_536
MAX_IMAGE_PIXELS = 4096


class Word(NamedTuple):
    """One word of the text, where it stands, what stands in its brackets (None: no brackets), and how often it is said
    (None: nothing is said of that)."""

    name: str
    column: int
    argument: str | None
    argument_column: int
    times: str | None = None
    times_column: int = 0


Rule = Callable[[str, Word], Layer]
"""Reads a word of a text. Raises: NotationError."""


def _conv(nonlinearity: str, *, batch_norm: bool = False) -> Rule:
    def rule(text: str, word: Word) -> Layer:
        expected = (
            "(F5-32): filter size, then number of filters; (F5-32,S2,G4) with stride 2, in 4 groups"
        )
        match = _match(_FILTERS + _STRIDE + _GROUPS, text, word, expected)
        size, filters = _odd_filters(text, word, match)
        stride = _stride(text, word, match)
        groups = _groups(text, word, match, filters)
        return Conv(size, filters, nonlinearity, batch_norm, groups, stride)

    return rule


def _norm(nonlinearity: str) -> Rule:
    def rule(text: str, word: Word) -> Layer:
        if word.argument is not None:
            raise _argument_error(text, word, f"no brackets: BN{nonlinearity} keeps its shape")
        return BN(nonlinearity)

    return rule


def _block(kind: type[Residual] | type[PreAct]) -> Rule:
    def rule(text: str, word: Word) -> Layer:
        expected = (
            "(F3-64): filter size, then number of filters; all it may have: (F3-64,S2,D,SE16)"
        )
        match = _match(_FILTERS + _STRIDE + _AVERAGES + _EXCITES, text, word, expected)
        size, filters = _odd_filters(text, word, match)
        return kind(size, filters, *_around(text, word, match))

    return rule


def _bottleneck(text: str, word: Word) -> Layer:
    expected = "(F3-256): filter size, then number of filters; all it may have: (F3-256,S2,G32,W128,D,SE16)"
    pattern = _FILTERS + _STRIDE + _GROUPS + _WIDTH + _AVERAGES + _EXCITES
    match = _match(pattern, text, word, expected)
    size, filters = _odd_filters(text, word, match)
    width = number(match["width"] or "0")
    if match["width"]:
        _check_width(text, word.argument_column + match.start("width"), width)
    plain = Bottleneck(size, filters, *_around(text, word, match), width=width)
    groups = _groups(text, word, match, plain.inner)
    return replace(plain, groups=groups)


def _around(text: str, word: Word, match: re.Match[str]) -> tuple[int, bool, int]:
    """Stride, whether the shortcut averages, and the reduction of squeeze and excite."""
    stride = _stride(text, word, match)
    if match["averages"] and stride != 2:
        column = word.argument_column + match.start("averages")
        problem = "D averages 2x2 pixels, and nothing here is halved"
        raise NotationError(text, column, problem, "S2 before it")
    reduction = number(match["reduction"] or "0")
    if match["reduction"]:
        _check_width(text, word.argument_column + match.start("reduction"), reduction)
    return stride, bool(match["averages"]), reduction


def _stride(text: str, word: Word, match: re.Match[str]) -> int:
    stride = number(match["stride"] or "1")
    if not 1 <= stride <= MAX_FILTER_PIXELS:
        column = word.argument_column + match.start("stride")
        raise NotationError(
            text, column, f"stride {stride} is out of range", f"1 to {MAX_FILTER_PIXELS}"
        )
    return stride


def _groups(text: str, word: Word, match: re.Match[str], filters: int) -> int:
    groups = number(match["groups"] or "1")
    if groups == 0 or filters % groups:
        column = word.argument_column + match.start("groups")
        problem = f"{filters} filters cannot be cut into {groups} groups"
        raise NotationError(text, column, problem, "a number that divides them")
    return groups


def _excite(text: str, word: Word) -> Layer:
    match = _match(
        r"\s*([0-9]+)\s*", text, word, "(16): its first layer has a sixteenth of the maps"
    )
    reduction = number(match[1])
    _check_width(text, word.argument_column + match.start(1), reduction)
    return SE(reduction)


def _whiten(text: str, word: Word) -> Layer:
    expected = "(F6-96,S4): filter size, number of filters, and how many pixels apart"
    match = _match(rf"{_FILTERS},\s*S([0-9]+)\s*", text, word, expected)
    size, filters, stride = (number(match[n]) for n in (1, 2, 3))
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
_STRIDE = r"(?:,\s*S(?P<stride>[0-9]+)\s*)?"
_GROUPS = r"(?:,\s*G(?P<groups>[0-9]+)\s*)?"
_WIDTH = r"(?:,\s*W(?P<width>[0-9]+)\s*)?"
_AVERAGES = r"(?:,\s*(?P<averages>D)\s*)?"
_EXCITES = r"(?:,\s*SE(?P<reduction>[0-9]+)\s*)?"


def _match(pattern: str, text: str, word: Word, expected: str) -> re.Match[str]:
    """What stands in the brackets. Raises: NotationError with what was expected there."""
    argument = word.argument or ""
    match = re.fullmatch(pattern, argument)
    if match:
        return match
    # Whatever follows a comma may be left out: the fault is in the first piece that cannot be read behind the others.
    ends = [comma.start() for comma in re.finditer(",|$", argument)]
    read = [end for end in ends if re.fullmatch(pattern, argument[:end])]
    if not read:
        raise _argument_error(text, word, expected)
    rest = argument[max(read) + 1 :]
    column = word.argument_column + len(argument) - len(rest.lstrip())
    piece = rest.partition(",")[0].strip()
    problem = f"'{piece}' cannot stand here in {word.name}" if piece else "something is missing"
    raise NotationError(text, column, problem, expected)


def _odd_filters(text: str, word: Word, match: re.Match[str]) -> tuple[int, int]:
    """Filter size and number of filters, from brackets such as ``(F5-32)``."""
    size, filters = number(match[1]), number(match[2])
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


def _resize(text: str, word: Word) -> Layer:
    match = _match(r"\s*([0-9]+)\s*", text, word, "(32): the new height and width in pixels")
    pixels = number(match[1])
    if not 1 <= pixels <= MAX_IMAGE_PIXELS:
        column = word.argument_column + match.start(1)
        raise NotationError(text, column, f"{pixels} is out of range", f"1 to {MAX_IMAGE_PIXELS}")
    return Resize(pixels)


def _fc(nonlinearity: str) -> Rule:
    def rule(text: str, word: Word) -> Layer:
        match = _match(r"\s*([0-9]+)\s*", text, word, "(256): the number of neurons")
        neurons = number(match[1])
        _check_width(text, word.argument_column + match.start(1), neurons)
        return FC(neurons, nonlinearity)

    return rule


def _pool(layer: Layer, what: str) -> Rule:
    def rule(text: str, word: Word) -> Layer:
        if word.argument is not None:
            raise _argument_error(text, word, f"no brackets: {layer} {what}")
        return layer

    return rule


def _dropout(text: str, word: Word) -> Layer:
    match = re.fullmatch(r"\s*(0?\.[0-9]+|0)\s*", word.argument or "")
    if not match or float(match[1]) >= 1:  # enough nines are rounded to 1
        raise _argument_error(
            text, word, "(0.5): the probability of being dropped, from 0 to below 1"
        )
    return Dropout(float(match[1]))


def _argument_error(text: str, word: Word, expected: str) -> NotationError:
    if word.argument is None:
        return NotationError(
            text, word.argument_column, f"{word.name} says nothing in brackets", expected
        )
    return NotationError(
        text, word.argument_column, f"{word.name} cannot be '({word.argument})'", expected
    )


def number(digits: str) -> int:
    """A number as it is written; of thousands of digits, one that is too large for anything."""
    return int(digits[:20])  # too large anyway; Python refuses thousands of digits


def _check_width(text: str, column: int, width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise NotationError(text, column, f"{width} is out of range", f"1 to {MAX_WIDTH:,}")


WORDS: dict[str, Rule] = {
    **{f"Conv{nonlinearity}": _conv(nonlinearity) for nonlinearity in NONLINEARITIES},
    **{f"ConvBN{name}": _conv(name, batch_norm=True) for name in NONLINEARITIES},
    "Conv": _conv(""),
    "ConvBN": _conv("", batch_norm=True),
    **{f"BN{name}": _norm(name) for name in NONLINEARITIES},
    "Residual": _block(Residual),
    "Bottleneck": _bottleneck,
    "PreAct": _block(PreAct),
    "SE": _excite,
    "Resize": _resize,
    "Whiten": _whiten,
    "MaxPool": _pool(MaxPool(), "is always 2x2, stride 2"),
    "AvgPool": _pool(AvgPool(), "is always 2x2, stride 2"),
    "BlurPool": _pool(BlurPool(), "is always 3x3, stride 2"),
    "GlobalPool": _pool(GlobalPool(), "takes the whole map"),
    **{f"FC{nonlinearity}": _fc(nonlinearity) for nonlinearity in NONLINEARITIES},
    "FC": _fc(""),
    "Dropout": _dropout,
}
"""Every word of the notation and what reads it."""
