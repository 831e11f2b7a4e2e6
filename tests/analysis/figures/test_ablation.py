"""The figure of an ablation: its numbers, and drawing to the end in every odd case."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path

import pytest

from lilliput.analysis.figures.ablation import ablation_numbers, draw_ablation, save_ablation_figure
from lilliput.analysis.style import figure_style, to_inline_svg
from lilliput.results.ablation import Ablation, Value


def made(folder: Path, **accuracies: tuple[float, ...]) -> Ablation:
    seeds = tuple(range(1, 1 + max(map(len, accuracies.values()))))
    values = tuple(
        Value(name=name, changes=(), runs=tuple(f"runs/{name}-{s}" for s in seeds), accuracy=one)
        for name, one in accuracies.items()
    )
    return Ablation(
        path=folder,
        name="a name that goes on, and on, and further on than any title should",
        claim="",
        recipe="m1",
        base={},
        fingerprint="f00d",
        seeds=seeds,
        split="heldout",
        values=values,
    )


def test_numbers_are_the_ablations(tmp_path: Path) -> None:
    numbers = ablation_numbers(made(tmp_path, a=(0.1, 0.3), b=(0.2, nan)))
    assert numbers is not None
    assert numbers.accuracies == ((0.1, 0.3), (0.2,))
    assert numbers.spreads[0].mean == pytest.approx(0.2)
    assert numbers.differences[1].mean == pytest.approx(0.1)
    assert isnan(numbers.spreads[1].deviation)


def test_there_is_none_before_the_first_run_is_done(tmp_path: Path) -> None:
    assert ablation_numbers(made(tmp_path, a=(nan, nan), b=(nan, nan))) is None
    save_ablation_figure(made(tmp_path, a=(nan,)))
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    "accuracies",
    [
        {"one": (0.3,)},
        {"same": (0.3, 0.3, 0.3), "too": (0.3, 0.3, 0.3)},
        {"wide": (0.0, 1.0), "none yet": (nan, nan)},
        {"first is missing": (nan, nan), "second": (0.2, 0.3)},
        {f"value {n}, <b>$x$</b>": (0.2 + n / 100, 0.21) for n in range(12)},
    ],
    ids=["one run", "no spread", "half", "no reference", "many"],
)
def test_it_is_drawn_to_the_end(tmp_path: Path, accuracies: dict[str, tuple[float, ...]]) -> None:
    numbers = ablation_numbers(made(tmp_path, **accuracies))
    assert numbers is not None
    with figure_style():
        svg = to_inline_svg(draw_ablation(numbers), "ablation", "ablation")
    assert "<b>" not in svg
    assert ("no spread known" in svg) == (max(map(len, numbers.accuracies)) == 1)


def test_it_is_saved_into_the_folder(tmp_path: Path) -> None:
    save_ablation_figure(made(tmp_path, a=(0.1, 0.3), b=(0.2, 0.25)))
    assert (tmp_path / "figures/ablation.png").read_bytes().startswith(b"\x89PNG")
