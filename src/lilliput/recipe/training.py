"""The section ``training``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from lilliput.recipe.section import NotNegative, Section, Share


class TrainingRecipe(Section):
    """How long, in what portions, on what arithmetic."""

    epochs: int = Field(ge=1)
    """How often every training image is seen."""
    batch_images: int = Field(ge=1)
    """Images per optimizer step."""
    accumulate: int = Field(1, ge=1)
    """The images of a step go through the network in this many equal parts, one after the other, whose gradients are
    added up (gradient accumulation): less memory, and each part is normalised by itself."""
    image_pixels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((), strict=False)
    """How large the images are that a network with Resize trains on: the epochs are shared out among these sizes, in
    this order, and the last is the plan's. Empty: as the plan says from the start."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto times a few steps of each at the start and takes the faster; bf16 keeps the weights in fp32."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """How pixels lie in memory; auto decides by the same timing."""
    threads: int = Field(0, ge=0)
    """How many of the processor's threads share a step; 0 takes what PyTorch does, or fewer where steps are so short
    that fewer are faster."""
    step: Literal["auto", "plain", "captured", "compiled"] = "auto"
    """plain: one operation after the other; captured: a CUDA graph, replayed; compiled: by PyTorch's compiler, which
    takes half a minute, and captured. Other devices than CUDA capture nothing. auto takes captured on CUDA, compiled
    where that is worth its time there, and plain elsewhere."""
    average_decay: Share = 0.0
    """Judge and keep an exponential average of the weights and batch statistics, of which a step leaves this much, less
    at the beginning; 0 keeps those of the last step."""
    checkpoint_seconds: NotNegative = 120.0
    """Within an epoch, save a checkpoint this often; one is always saved at its end. Whichever the clock chooses, a
    resumed run ends with the same weights."""

    @field_validator("accumulate")
    @classmethod
    def _equal_parts(cls, parts: int, info: ValidationInfo) -> int:
        images = info.data.get("batch_images", parts)  # absent when it is wrong itself
        if images % parts:
            raise ValueError(f"batch_images = {images} cannot be cut into so many equal parts")
        return parts

    def pixels_in(self, epoch: int) -> int | None:
        """How large the images of an epoch (from 1) are; None for as the plan says."""
        if not self.image_pixels:
            return None
        return self.image_pixels[-(-epoch * len(self.image_pixels) // self.epochs) - 1]
