"""The sections ``model`` and ``evaluation``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lilliput.errors import NotationError, did_you_mean
from lilliput.notation import ZOO, Dropout, Plan, parse
from lilliput.recipe.section import Section, Share


class ModelRecipe(Section):
    """The network."""

    plan: str
    """A name of the zoo (m1) or a notation; the last layer takes as many neurons as there are classes."""
    standardize: bool = True
    """Subtract the mean image and divide by the deviation of the training images first; else pixels stay 0 to 1.
    Paper: §4.3."""
    dropout: Share = 0.0
    """Probability of dropping a neuron of every fully connected layer but the last, and of GlobalPool. Paper: §4.4,
    0.4 to 0.6."""

    stochastic_depth: Share = 0.0
    """How often training passes the last residual block by, image by image; the first never, those between in
    proportion (Huang et al. 2016, arXiv:1603.09382)."""
    zero_init: bool = False
    """Let every residual block begin by handing on what comes in (Goyal et al. 2017, arXiv:1706.02677, section 5.1)."""
    start: str = ""
    """A run's folder, or a file of weights, whose network this one begins with: all but the last layer, and that too
    where the classes are the same. Empty: drawn anew."""

    @field_validator("plan")
    @classmethod
    def _readable(cls, plan: str) -> str:
        if plan not in ZOO:
            try:
                parse(plan)
            except NotationError as error:
                hint = error.hint if "(" in plan or "->" in plan else did_you_mean(plan, ZOO)
                raise ValueError(f"{error} ({hint})") from error
        return plan

    @field_validator("dropout")
    @classmethod
    def _dropout_once(cls, dropout: float, info: ValidationInfo) -> float:
        plan = info.data.get("plan")  # absent when it cannot be read
        own = plan and any(isinstance(layer, Dropout) for layer in plan_of(plan).layers)
        if dropout and own:
            raise ValueError("the plan has Dropout of its own; use one of the two")
        return dropout

    def network(self, classes: int) -> Plan:
        """The plan for this many classes, with its dropout in place."""
        return plan_of(self.plan).with_classes(classes).with_dropout(self.dropout)


class EvaluationRecipe(Section):
    """How a trained network is asked."""

    views: tuple[Literal["plain", "flip", "shift"], ...] = Field(
        ("plain",), min_length=1, strict=False
    )
    """The versions of an image whose probabilities are averaged."""
    image_pixels: int = Field(0, ge=0, le=4096)
    """How large the images are that a trained network with Resize is shown: often more than in training serves it
    (Touvron et al. 2019, arXiv:1906.06423). 0: as its plan says."""


def plan_of(plan: str) -> Plan:
    """What a name of the zoo or a notation stands for. Raises: NotationError."""
    return parse(ZOO[plan].notation if plan in ZOO else plan)
