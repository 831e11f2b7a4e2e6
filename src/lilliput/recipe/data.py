"""The section ``data``."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from lilliput.recipe.section import Section, Share


class DataRecipe(Section):
    """Which part of the pack is used."""

    limit: int = Field(0, ge=0)
    """At most this many training images, the same share of every class; 0 takes all."""
    classes: int = Field(0, ge=0)
    """This many of the classes, evenly spread over their sorted ids; 0 takes all."""
    holdout: Share = 0.0
    """This share of the training images is held out and validated on instead of the official val split."""
    folds: int = Field(0, ge=0)
    """Cut the training images into this many stratified folds and hold one of them out; 0 cuts nothing. Paper: §6.1."""
    fold: int = Field(1, ge=1)
    """Which fold is held out, counted from 1."""
    holdout_seed: int = Field(0, ge=0, lt=2**63)
    """Draws what is held out, so that runs of several seeds can share it; 0 leaves it to ``seed``."""
    balance: bool = False
    """Show the training images of rare classes several times an epoch, each time varied anew, so that every class is
    seen as often as the most frequent one."""
    drop: str = ""
    """A text file that names training images to leave out, one per line; what is held out stays. Paper: §7."""

    @property
    def holds_out(self) -> bool:
        """Whether images of train are validated on, rather than the official val split."""
        return self.holdout > 0 or self.folds > 0

    @field_validator("folds")
    @classmethod
    def _folds_alone(cls, folds: int, info: ValidationInfo) -> int:
        if folds == 1:
            raise ValueError("one fold would leave nothing to train on; 2 or more, or 0 for none")
        if folds and info.data.get("holdout"):
            raise ValueError(f"not together with data.holdout = {info.data['holdout']}")
        return folds

    @field_validator("fold")
    @classmethod
    def _fold_exists(cls, fold: int, info: ValidationInfo) -> int:
        folds = info.data.get("folds", fold)  # absent when it is wrong itself
        if fold > max(folds, 1):
            raise ValueError(f"data.folds is {folds}, so there is no such fold")
        return fold
