"""Policies: which changes are made to an image, and how strong they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lilliput.data.augment import operations as op
from lilliput.data.augment.values import as_bytes
from lilliput.data.batches import Batch, Draws
from lilliput.data.residence import send

STRONGEST = 30
"""Strengths are whole numbers from 0 to this."""


class Change(NamedTuple):
    """Something that may be done to an image, and what strength 0 and ``STRONGEST`` mean to it.

    ``change`` gives images, or where it ``moves`` pixels the matrices of :func:`operations.moved`. What is ``signed``
    goes either way: from ``low`` up or down by the strength's share of ``high`` less ``low``.
    """

    change: Callable[[Tensor, Tensor], Tensor] | Callable[[Tensor, tuple[int, int]], Tensor]
    moves: bool = False
    low: float = 0.0
    high: float = 0.0
    signed: bool = False
    is_whole: bool = False


def trivial_augment(batch: Batch, draws: Draws) -> Batch:
    """One change per image, drawn from all, of a strength drawn from all: TrivialAugment Wide. Gives bytes.

    Müller and Hutter 2021, arXiv:2103.10158, Table 1; black where nothing is left, the nearest pixel, as torchvision's.
    """
    strengths = draws.integers_here(0, STRONGEST)
    return _changed(batch, draws, WIDE, strengths)


def rand_augment(batch: Batch, draws: Draws, *, operations: int, magnitude: int) -> Batch:
    """So many changes per image, one after the other, each drawn from all and of this ``magnitude`` 0..30. Gives bytes.

    Cubuk et al. 2019, arXiv:1909.13719, with torchvision's ranges; black where nothing is left.
    """
    width, height = batch.images.shape[3], batch.images.shape[2]
    changes = _narrow(width, height)
    for _ in range(operations):
        strengths = torch.full((len(batch.images),), magnitude)
        batch = _changed(batch, draws, changes, strengths)
    return batch


def _changed(batch: Batch, draws: Draws, changes: dict[str, Change], strengths: Tensor) -> Batch:
    """Each image changed in one of the ways. Which ones is known on the CPU, so that nothing waits for the device."""
    which, signs = draws.integers_here(0, len(changes) - 1), draws.integers_here(0, 1) * 2 - 1
    images = as_bytes(batch.images)
    device, size = images.device, (images.shape[2], images.shape[3])
    result = images.clone(memory_format=torch.channels_last)
    matrices = torch.eye(2, 3, device=device).repeat(len(images), 1, 1)
    moving: list[Tensor] = []
    for number, change in enumerate(changes.values()):
        places = (which == number).nonzero().flatten()
        if not len(places) or change.change is op.unchanged:
            continue
        amount = send(_amount(change, strengths[places], signs[places]), device)
        there = send(places, device)
        if change.moves:
            matrices[there] = change.change(amount, size)  # pyrefly: ignore
            moving.append(there)
        else:
            # In the order of planes, for each colour is looked up in a table of its own.
            chosen = images.index_select(0, there).contiguous()
            result[there] = change.change(chosen, amount)  # pyrefly: ignore
    if moving:
        there = torch.cat(moving)
        result[there] = op.moved(images.index_select(0, there), matrices[there])
    return batch._replace(images=result, boxes=None)


def _amount(change: Change, strengths: Tensor, signs: Tensor) -> Tensor:
    amount = strengths / STRONGEST * (change.high - change.low)
    amount = amount.round() if change.is_whole else amount
    return change.low + (amount * signs if change.signed else amount)


def _tones(most: float, bits: float) -> dict[str, Change]:
    """The changes that leave every pixel where it is: factors up to 1 -+ ``most``, at the least so many ``bits``."""
    return {
        "brightness": Change(op.brightness, low=1, high=1 + most, signed=True),
        "colour": Change(op.colour, low=1, high=1 + most, signed=True),
        "contrast": Change(op.contrast, low=1, high=1 + most, signed=True),
        "sharpness": Change(op.sharpness, low=1, high=1 + most, signed=True),
        "posterize": Change(op.posterize, low=8, high=bits, is_whole=True),
        "solarize": Change(op.solarize, low=255, high=0),
        "autocontrast": Change(op.autocontrast),
        "equalize": Change(op.equalize),
    }


def _moves(shear: float, right: float, down: float, degrees: float) -> dict[str, Change]:
    return {
        "shear_x": Change(op.shear_x, moves=True, high=shear, signed=True),
        "shear_y": Change(op.shear_y, moves=True, high=shear, signed=True),
        "translate_x": Change(op.translate_x, moves=True, high=right, signed=True),
        "translate_y": Change(op.translate_y, moves=True, high=down, signed=True),
        "rotate": Change(op.rotate, moves=True, high=degrees, signed=True),
    }


def _narrow(width: int, height: int) -> dict[str, Change]:
    moves = _moves(0.3, 150 / 331 * width, 150 / 331 * height, 30)
    return {"unchanged": Change(op.unchanged), **moves, **_tones(0.9, 4)}


WIDE: dict[str, Change] = {
    "unchanged": Change(op.unchanged),
    **_moves(0.99, 32, 32, 135),
    **_tones(0.99, 2),
}
"""The changes of TrivialAugment Wide: shears per pixel, pixels, degrees, factors, bits, thresholds."""
