"""Augmentations: whole batches at once, every image by its own draw, on the device.

Each takes a batch and the step's draws and gives a new batch of the same shape. Paper: §4.3 mirroring; §7 colour
jitter, random cropping and the use of bounding boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lilliput.data.augment.affine import affine
from lilliput.data.augment.colour import jitter
from lilliput.data.augment.erasing import erase
from lilliput.data.augment.mixing import mix, smooth_labels
from lilliput.data.augment.places import box_crop, crop, flip, resized_crop
from lilliput.data.augment.policy import rand_augment, trivial_augment
from lilliput.data.batches import Augmentation
from lilliput.recipe import AugmentRecipe


def _box_crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(box_crop, probability=recipe.box_crop) if recipe.box_crop else None


def _crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(crop, pixels=recipe.crop_pixels) if recipe.crop_pixels else None


def _flip(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(flip, alternate=recipe.flip == "alternate") if recipe.flip else None


def _jitter(recipe: AugmentRecipe) -> Augmentation | None:
    amounts = recipe.model_dump(include={"brightness", "contrast", "saturation", "hue"})
    return partial(jitter, **amounts) if any(amounts.values()) else None


def _smooth_labels(recipe: AugmentRecipe) -> Augmentation | None:
    share = recipe.label_smoothing
    return partial(smooth_labels, share=share) if share else None


def _resized_crop(recipe: AugmentRecipe) -> Augmentation | None:
    least = recipe.resized_crop
    return partial(resized_crop, least_area=least) if least < 1 else None


def _affine(recipe: AugmentRecipe) -> Augmentation | None:
    keys = {"rotate_degrees", "translate", "scale", "shear_degrees"}
    amounts = recipe.model_dump(include=keys)
    return partial(affine, **amounts) if any(amounts.values()) else None


def _policy(recipe: AugmentRecipe) -> Augmentation | None:
    if recipe.policy == "trivial":
        return trivial_augment
    asked = {"operations": recipe.rand_operations, "magnitude": recipe.rand_magnitude}
    return partial(rand_augment, **asked) if recipe.policy == "rand" else None


def _erase(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(erase, probability=recipe.erase) if recipe.erase else None


AUGMENTATIONS: dict[str, Callable[[AugmentRecipe], Augmentation | None]] = {
    "box_crop": _box_crop,
    "resized_crop": _resized_crop,
    "crop": _crop,
    "flip": _flip,
    "affine": _affine,
    "policy": _policy,
    "jitter": _jitter,
    "erase": _erase,
    "smooth_labels": _smooth_labels,
}
"""Every augmentation in the order it is applied: from the recipe to what it does, or None where it is off."""


def augmentations(recipe: AugmentRecipe, epochs: int = 0) -> tuple[Augmentation, ...]:
    """What a recipe switches on, in order; mixing comes last, and not in the last of the ``epochs``."""
    made = [make(recipe) for make in AUGMENTATIONS.values()]
    if mixes(recipe):
        asked = recipe.model_dump(include={"mixup", "cutmix"})
        until = epochs - recipe.mixing_off_epochs
        made.append(partial(mix, **asked, probability=recipe.mixing, until_epoch=until))
    return tuple(augmentation for augmentation in made if augmentation)


def mixes(recipe: AugmentRecipe) -> bool:
    """Whether images are mixed with others of their batch, as :meth:`Batches.shared` wants to know."""
    return bool(recipe.mixup or recipe.cutmix)
