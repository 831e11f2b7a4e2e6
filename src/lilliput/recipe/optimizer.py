"""The sections ``optimizer`` and ``schedule``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lilliput.recipe.section import NotNegative, Positive, Section, Share


class OptimizerRecipe(Section):
    """How weights follow gradients."""

    name: Literal["sgd", "adamw", "muon"] = "sgd"
    """sgd: stochastic gradient descent, paper §3.2; adamw: steps of the same size for weights of small and of large
    gradients (Loshchilov and Hutter 2019, arXiv:1711.05101); muon: steps of equal length in every direction for the
    weights of convolutions and hidden layers."""
    rest: Literal["sgd", "adamw"] = "sgd"
    """muon: what moves the last layer's weights, biases, and the factors and offsets of normalisations."""
    learning_rate: Positive = 0.01
    """The highest learning rate of the schedule, per step on the mean loss of a batch."""
    last_layer_rate: NotNegative = 0.0
    """The rate of the last layer's weights; 0 takes learning_rate."""
    bias_rate: NotNegative = 0.0
    """The rate of biases and of the factors and offsets of normalisations; 0 takes learning_rate."""
    rate_images: int = Field(0, ge=0)
    """The rates are for steps of this many images, and in proportion for others (linear scaling, Goyal et al. 2017,
    arXiv:1706.02677, section 2.1); 0 takes them as they stand."""
    momentum: Share = 0.9
    """How much of the last step goes on; adamw: of the mean gradient, its beta1."""
    nesterov: bool = True
    """sgd: Nesterov's form of momentum. Paper: §3.2."""
    square_momentum: Share = 0.999
    """adamw: how much of the mean squared gradient goes on, its beta2."""
    l2: NotNegative = 0.0
    """The paper's lambda: lambda * ||W||^2 is added to the loss for every weight (not bias), so 2 * lambda * W to its
    gradient. Other programs' weight decay is twice this. Paper: §4.4."""
    weight_decay: NotNegative = 0.0
    """A step takes this share of every weight (not bias) away, times its learning rate (decoupled weight decay,
    Loshchilov and Hutter 2019)."""
    last_layer_decay: NotNegative = 0.0
    """The same of the last layer's weights; 0 takes weight_decay."""
    bias_decay: NotNegative = 0.0
    """The same of biases and of the factors and offsets of normalisations."""
    clip_norm: NotNegative = 0.0
    """A gradient longer than this, all weights taken together, is shortened to it; 0 shortens none."""
    sam: NotNegative = 0.0
    """Take the gradient this far up the slope, where the loss is highest nearby; a step costs two (sharpness-aware
    minimisation, Foret et al. 2020, arXiv:2010.01412: 0.05). 0: where the weights are."""

    @field_validator("l2")
    @classmethod
    def _decays_once(cls, l2: float, info: ValidationInfo) -> float:
        if l2 and info.data.get("name") == "adamw":
            raise ValueError(
                "adamw would divide it by the size of the gradients; use optimizer.weight_decay"
            )
        return l2


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
