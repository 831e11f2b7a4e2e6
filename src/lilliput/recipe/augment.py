"""The section ``augment``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lilliput.recipe.section import Section, Share


class AugmentRecipe(Section):
    """How training images are varied, each image by its own draw, in the order of these keys."""

    box_crop: float = Field(0.0, ge=0, le=1)
    """Probability of cutting an image down to the surroundings of its bounding box. Paper: §7."""
    resized_crop: float = Field(1.0, gt=0, le=1)
    """Cut out this share of the area to all of it, a little wider or higher, and enlarge it; 1 cuts nothing."""
    crop_pixels: int = Field(0, ge=0, le=32)
    """Mirror this many pixels outward at every edge, then cut the old size out at a random place."""
    flip: Literal[False, True, "alternate"] = False
    """Mirror left and right, every second image (paper: §4.3); alternate: every image, in every second epoch."""
    rotate_degrees: float = Field(0.0, ge=0, le=180)
    """Turn about the middle by up to this, either way; black comes in from outside, here and in the next three."""
    translate: Share = 0.0
    """Move by up to this share of the width, and of the height."""
    scale: Share = 0.0
    """Enlarge or shrink by a factor of 1 - s to 1 + s."""
    shear_degrees: float = Field(0.0, ge=0, le=60)
    """Shear aside, and downward, each by up to this."""
    policy: Literal["none", "trivial", "rand"] = "none"
    """One random change of shape, colour or sharpness per image, of any strength (trivial: TrivialAugment Wide, Müller
    and Hutter 2021, arXiv:2103.10158), or several of one strength (rand: RandAugment, Cubuk et al. 2019,
    arXiv:1909.13719)."""
    rand_operations: int = Field(2, ge=1, le=8)
    """policy rand: how many changes, one after the other."""
    rand_magnitude: int = Field(9, ge=0, le=30)
    """policy rand: how strong each is."""
    brightness: Share = 0.0
    """Multiply the pixels by 1 - b to 1 + b."""
    contrast: Share = 0.0
    """Move the pixels away from or towards the image's mean grey by a factor of 1 - c to 1 + c."""
    saturation: Share = 0.0
    """Move the pixels away from or towards their grey by a factor of 1 - s to 1 + s."""
    hue: float = Field(0.0, ge=0, le=0.5)
    """Turn the colour wheel by up to this share of a full turn, either way."""
    erase: float = Field(0.0, ge=0, le=1)
    """Probability of covering a rectangle of an image with grey (Zhong et al. 2017, arXiv:1708.04896)."""
    label_smoothing: Share = 0.0
    """This share of every target is spread evenly over the classes (Szegedy et al. 2015, arXiv:1512.00567, §7)."""
    mixup: float = Field(0.0, ge=0, le=100, allow_inf_nan=False)
    """Blend images with others of their batch, by shares of Beta(mixup, mixup) (Zhang et al. 2017,
    arXiv:1710.09412)."""
    cutmix: float = Field(0.0, ge=0, le=100, allow_inf_nan=False)
    """Paste rectangles of others of the batch, of areas of Beta(cutmix, cutmix) (Yun et al. 2019, arXiv:1905.04899);
    with mixup too each has half of the images."""
    mixing: float = Field(1.0, ge=0, le=1)
    """mixup, cutmix: the share of the images that are mixed."""
    mixing_off_epochs: int = Field(0, ge=0)
    """mixup, cutmix: the last epochs in which nothing is mixed."""
