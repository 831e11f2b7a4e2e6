"""The command ``lr-find``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, note, progress
from lilliput.cli.data import open_pack
from lilliput.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lilliput.experiment import RatePoint, Runtime
    from lilliput.results.rate_sweep import RateSweep


def lr_find(
    recipe: str,
    /,
    *overrides: str,
    data: str,
    to: Path = Path("lr-find"),
    low: float = 1e-4,
    high: float = 10.0,
    steps: int = 100,
    device: str = "auto",
    json: Json = False,
) -> None:
    """Find a learning rate: loss against rate while the rate rises in a short training.

    Suggested is the smallest rate at which the loss is already as low as anywhere in the sweep, but for its wavering;
    nothing, where the loss did not clearly fall. Leaves points.csv, lr-find.json and lr-find.png.

    Parameters
    ----------
    recipe
        A shipped recipe (m1, m2, m3, m4 ...) or a TOML file.
    overrides
        Changes to the recipe, such as data.limit=20000.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    to
        The folder for points and figure; what an earlier sweep left there is replaced.
    low
        The rate of the first step.
    high
        The rate of the last step, unless the loss runs away before.
    steps
        How many steps, at least 20.
    device
        auto, cpu, cuda, cuda:1, mps.
    """
    from lilliput.recipe import load_recipe

    if not 0 < low < high < float("inf"):
        raise UsageError(f"a sweep from {low:g} to {high:g} does not rise", "--low 1e-4 --high 10")
    if steps < 20:
        raise UsageError(f"--steps {steps} are too few to see a curve", "20 or more")
    loaded = load_recipe(recipe, overrides)
    pack = open_pack(data)
    from lilliput.experiment import Sweep, rate_steps  # last: PyTorch takes seconds to load

    note(f"sweeping the learning rate of {loaded.name} from {low:g} to {high:g}")
    found = _watch(rate_steps(loaded, pack, Sweep(low, high, steps), device=device), steps)
    found.save(to)
    _save_figure(found, to)
    words = ["lilliput", "train", recipe, *overrides, "--data", data]
    facts = {"folder": str(to), **found.to_json()}
    answer(_summary(found, to, shlex.join(words)), facts, as_json=json)


def _watch(events: Iterator[Runtime | RatePoint], steps: int) -> RateSweep:
    import numpy as np

    from lilliput.cli.watch import describe_runtime
    from lilliput.experiment import RatePoint
    from lilliput.results.rate_sweep import RateSweep

    points: list[RatePoint] = []
    with progress("sweeping", "steps") as show:
        for event in events:
            if isinstance(event, RatePoint):
                points.append(event)
                show(event.step, event.steps)
            else:
                note(describe_runtime(event))
    rates = np.array([point.learning_rate for point in points])
    losses = np.array([point.loss for point in points])
    return RateSweep(rates, losses, diverged=len(points) < steps)


def _save_figure(found: RateSweep, to: Path) -> None:
    from lilliput.analysis.figures.rates import draw_rates
    from lilliput.analysis.style import figure_style, to_png
    from lilliput.results.atomic import write_bytes

    with figure_style():
        write_bytes(to / "lr-find.png", to_png(draw_rates(found)))


def _summary(found: RateSweep, to: Path, train: str) -> str:
    if found.suggestion is None:
        return "\n".join(
            [
                bold("no suggestion: the loss did not clearly fall at any rate of the sweep"),
                f"figure  {to / 'lr-find.png'}",
                "next    a lower --low, more --steps, or a larger training.batch_images",
            ]
        )
    lowest = found.lowest
    ended = f"; it ran away above {found.rates[-1]:.2g}" if found.diverged else ""
    return "\n".join(
        [
            bold(f"suggestion: optimizer.learning_rate={found.suggestion:g}"),
            f"loss    {found.smoothed[0]:.3f} at first, lowest {found.smoothed[lowest]:.3f} "
            f"at rate {found.rates[lowest]:.2g}{ended}",
            f"figure  {to / 'lr-find.png'}",
            f"next    {train} optimizer.learning_rate={found.suggestion:g}",
        ]
    )
