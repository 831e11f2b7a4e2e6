"""The sections ``optimizer`` and ``schedule``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lilliput.recipe.section import NotNegative, Positive, Section, Share


class OptimizerRecipe(Section):
    """How weights follow gradients."""

    name: Literal["sgd", "muon"] = "sgd"
    """sgd: stochastic gradient descent, paper §3.2; muon: steps of equal length in every direction for the weights of
    convolutions and hidden layers, sgd for the rest."""
    learning_rate: Positive = 0.01
    """The highest learning rate of the schedule, per step on the mean loss of a batch."""
    last_layer_rate: NotNegative = 0.0
    """muon: the rate of the last layer's weights; 0 takes learning_rate."""
    bias_rate: NotNegative = 0.0
    """muon: the rate of biases and of the factors and offsets of normalisations; 0 takes learning_rate."""
    momentum: Share = 0.9
    """How much of the last step goes on."""
    nesterov: bool = True
    """Nesterov's form of momentum. Paper: §3.2."""
    l2: NotNegative = 0.0
    """The paper's lambda: lambda * ||W||^2 is added to the loss for every weight (not bias), so 2 * lambda * W to its
    gradient. Other programs' weight decay is twice this. Paper: §4.4."""


class ScheduleRecipe(Section):
    """How the learning rate moves."""

    name: Literal["step", "cosine", "one-cycle", "constant"] = "step"
    """step: the paper's; cosine: half a cosine to 0; one-cycle: a straight rise, then a straight fall to 0."""
    factor: float = Field(0.85, gt=0, le=1)
    """step: what the rate is multiplied by. Paper: §5.1."""
    every_epochs: int = Field(10, ge=1)
    """step: after how many epochs each time. Paper: §5.1."""
    warmup: Share = 0.2
    """one-cycle: the share of the training in which the rate rises."""
