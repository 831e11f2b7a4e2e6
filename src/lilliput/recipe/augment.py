"""The section ``augment``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lilliput.recipe.section import Section, Share


class AugmentRecipe(Section):
    """How training images are varied, each image by its own draw, in the order of these keys."""

    box_crop: float = Field(0.0, ge=0, le=1)
    """Probability of cutting an image down to the surroundings of its bounding box. Paper: §7."""
    crop_pixels: int = Field(0, ge=0, le=32)
    """Mirror this many pixels outward at every edge, then cut the old size out at a random place."""
    flip: Literal[False, True, "alternate"] = False
    """Mirror left and right, every second image (paper: §4.3); alternate: every image, in every second epoch."""
    brightness: Share = 0.0
    """Multiply the pixels by 1 - b to 1 + b."""
    contrast: Share = 0.0
    """Move the pixels away from or towards the image's mean grey by a factor of 1 - c to 1 + c."""
    saturation: Share = 0.0
    """Move the pixels away from or towards their grey by a factor of 1 - s to 1 + s."""
    hue: float = Field(0.0, ge=0, le=0.5)
    """Turn the colour wheel by up to this share of a full turn, either way."""
    label_smoothing: Share = 0.0
    """This share of every target is spread evenly over the classes (Szegedy et al. 2015, arXiv:1512.00567, §7)."""
