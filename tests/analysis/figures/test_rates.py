from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.figures.rates import draw_rates
from lilliput.analysis.style import figure_style, to_png
from lilliput.results.rate_sweep import RateSweep

RATES = np.geomspace(1e-4, 10, 60)


@pytest.mark.parametrize(
    "losses",
    [
        5 - 2 / (1 + (0.01 / RATES) ** 3),
        np.full(60, 5.0),
        np.array([5.0]),
        np.array([]),
        RATES * 1e9,
    ],
    ids=["falling", "flat", "one point", "nothing", "huge"],
)
def test_any_sweep_draws(losses: np.ndarray) -> None:
    found = RateSweep(RATES[: len(losses)], losses, diverged=len(losses) < 60)
    with figure_style():
        figure = draw_rates(found)
        assert to_png(figure).startswith(b"\x89PNG")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert any(text.startswith("suggestion 0.0") for text in texts) == (
        found.suggestion is not None
    )
