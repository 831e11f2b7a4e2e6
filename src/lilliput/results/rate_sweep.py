"""A learning-rate sweep: the loss while the rate rises step by step, and the rate it suggests. No torch.

The suggestion is the smallest rate at which the loss is already as low as anywhere in the sweep, but for its wavering:
larger ones gain nothing and come nearer to where it runs away. The loss is smoothed over neighbouring steps; its
wavering is how far single losses lie from that on the way to the lowest. Where the loss did not clearly fall, nothing
is suggested. After Smith (2017, arXiv:1506.01186), who reads the curve by eye.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lilliput.results.atomic import write_text

SMOOTHING_STEPS = 3.0
"""The deviation of the bell curve that a loss is averaged with its neighbours by."""

_WAVERING_STEPS = 20
# Shares of the first loss, and of the whole fall.
_LEAST_FALL, _NEAR = 0.005, 0.01


@dataclass(frozen=True, eq=False)
class RateSweep:
    """``losses`` float64[n] at ``rates`` float64[n], which rise by the same factor from each step to the next.

    ``diverged`` says that the sweep ended early because the loss was running away.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    diverged: bool

    @cached_property
    def smoothed(self) -> NDArray[np.float64]:
        """The losses float64[n], each averaged with its neighbours."""
        steps = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / SMOOTHING_STEPS) ** 2)
        return weights @ self.losses / weights.sum(axis=1)

    @property
    def lowest(self) -> int:
        """The step with the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def wavering(self) -> float:
        """The deviation of single losses from the smoothed ones over the steps that lead to the lowest."""
        until = slice(max(0, self.lowest + 1 - _WAVERING_STEPS), self.lowest + 1)
        return float(np.std(self.losses[until] - self.smoothed[until]))

    @property
    def suggestion(self) -> float | None:
        """The rate to train with, to two digits; None when the loss fell by less than it wavers."""
        if not len(self.losses):
            return None
        first, lowest = self.smoothed[0], self.smoothed[self.lowest]
        if not first - lowest > max(2 * self.wavering, _LEAST_FALL * abs(first)):
            return None
        as_low = lowest + max(self.wavering, _NEAR * (first - lowest))
        return float(f"{self.rates[np.argmax(self.smoothed <= as_low)]:.1e}")

    def save(self, folder: Path) -> None:
        """Write ``points.csv`` and ``lr-find.json``. Raises: StorageError."""
        rows = zip(self.rates.tolist(), self.losses.tolist(), self.smoothed.tolist(), strict=True)
        lines = ["learning_rate,loss,smoothed_loss", *(",".join(map(repr, row)) for row in rows)]
        write_text(folder / "points.csv", "\n".join(lines) + "\n")
        write_text(folder / "lr-find.json", json.dumps(self.to_json(), indent=2) + "\n")

    def to_json(self) -> dict[str, object]:
        """What the sweep says, and its points."""
        facts: dict[str, object] = {"suggestion": self.suggestion, "diverged": self.diverged}
        if len(self.losses):
            facts["lowest_rate"] = float(self.rates[self.lowest])
            facts["lowest_loss"] = float(self.smoothed[self.lowest])
        points = zip(self.rates.tolist(), self.losses.tolist(), strict=True)
        return {**facts, "points": [list(point) for point in points]}
