"""What a training is shown: some of its images as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.data.augment import augmentations
from lilliput.data.augment.values import as_bytes
from lilliput.data.batches import Augmentation, Batches
from lilliput.data.pack import ClassInfo, Pack
from lilliput.data.selection import select
from lilliput.recipe import AugmentRecipe, Recipe


class Shown(NamedTuple):
    """``images`` uint8[n,h,w,3], ``targets`` float32[n,k], the ``classes`` these are of; ``what`` was done to them."""

    what: str
    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    classes: tuple[ClassInfo, ...]


def shown_batch(recipe: Recipe, pack: Pack, images: int, epoch: int = 1) -> Shown:
    """The first images of an epoch (from 1), no more than a step sees, before they are resized and standardised.

    Raises: RecipeError when the pack cannot give what the recipe asks for.
    """
    made = augmentations(recipe.augment, recipe.training.epochs)
    return _shown("as the recipe varies them", recipe, pack, made, (images, epoch))


def shown_one_by_one(recipe: Recipe, pack: Pack, images: int, epoch: int = 1) -> list[Shown]:
    """The same images as they are, and then by each part of ``recipe.augment`` alone, in the order they are applied.

    Raises: RecipeError as :func:`shown_batch`.
    """
    found = [_shown("as they are", recipe, pack, (), (images, epoch))]
    for keys in _GROUPS:
        alone = recipe.augment.model_dump(include=set(keys))
        made = augmentations(AugmentRecipe.model_validate(alone), recipe.training.epochs)
        said = " ".join(f"{key}={value}" for key, value in alone.items() if value != _default(key))
        if made:
            found.append(_shown(said, recipe, pack, made, (images, epoch)))
    return found


def _shown(
    what: str, recipe: Recipe, pack: Pack, made: Sequence[Augmentation], first: tuple[int, int]
) -> Shown:
    images, epoch = first
    dataset = select(pack, recipe.data, recipe.seed)
    batches = Batches(
        dataset.training,
        len(dataset.classes),
        batch_images=recipe.training.batch_images,
        seed=recipe.seed,
        augmentations=made,
    )
    batch = next(batches.epoch(epoch))
    pixels = as_bytes(batch.images[:images]).permute(0, 2, 3, 1)
    return Shown(what, pixels.numpy(), batch.targets[:images].numpy(), dataset.classes)


def _default(key: str) -> object:
    return AugmentRecipe.model_fields[key].default


# Keys that are one augmentation together.
_GROUPS = (
    ("box_crop",),
    ("resized_crop",),
    ("crop_pixels",),
    ("flip",),
    ("rotate_degrees", "translate", "scale", "shear_degrees"),
    ("policy", "rand_operations", "rand_magnitude"),
    ("brightness", "contrast", "saturation", "hue"),
    ("erase",),
    ("mixup", "cutmix", "mixing", "mixing_off_epochs"),
)
