"""The section ``teacher``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lilliput.recipe.section import Positive, Section


class TeacherRecipe(Section):
    """Trained networks, from whose answers another one learns (distillation, Hinton et al. 2015, arXiv:1503.02531)."""

    path: str = ""
    """The folder of a finished run or of an ensemble, or a file of weights. Empty: the labels alone teach."""
    answers: Literal["live", "stored"] = "live"
    """live: asked about every batch, as it was varied, at the cost of their time; stored: what the folder holds of the
    training images as they are."""
    share: float = Field(0.5, ge=0, le=1)
    """How much of every target is their answer; the rest is the label's."""
    temperature: Positive = 1.0
    """Above 1 their answers are softened: every probability to the power of 1 / temperature."""
