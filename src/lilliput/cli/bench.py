"""The command ``bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, note, progress, table
from lilliput.cli.data import open_pack
from lilliput.errors import UsageError

if TYPE_CHECKING:
    from lilliput.benchmark.rounds import Effort
    from lilliput.data.pack import Pack
    from lilliput.recipe import Recipe
    from lilliput.results.throughput import Benchmark, TrainingSpeed

RECIPES = ("m1", "m4")


def bench(
    *words: str,
    data: str = "toy",
    rounds: int = 5,
    seconds: float = 2.0,
    to: Path | None = None,
    device: str = "auto",
    json: Json = False,
) -> None:
    """How fast this machine trains and loads, beside plain PyTorch and the machine's own limits. Two minutes.

    Everything takes its turn once a round: training by Lilliput, end to end; the same network in plain PyTorch (fp32,
    contiguous, a DataLoader over decoded pictures in memory that varies one at a time); loading alone; and what the
    machine can do at most, a matrix product and a copy of memory. Told are medians and, in brackets, the spread.

    Parameters
    ----------
    words
        Recipes to train, m1 and m4 if none is named, and changes to all of them, such as training.batch_images=128.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    rounds
        How often everything takes its turn.
    seconds
        How long one training is timed in a round.
    to
        A folder for bench.json and bench.png.
    device
        auto, cpu, cuda, cuda:1, mps.
    """
    from lilliput.recipe import load_recipe

    if rounds < 1 or not 0 <= seconds < float("inf"):
        raise UsageError(
            f"--rounds {rounds} --seconds {seconds:g} measure nothing", "--rounds 5 --seconds 2"
        )
    names = [word for word in words if "=" not in word] or list(RECIPES)
    recipes = [load_recipe(name, [word for word in words if "=" in word]) for name in names]
    pack = open_pack(data)
    from lilliput.benchmark.rounds import Effort  # last: PyTorch takes seconds to load

    found = _watch(recipes, pack, Effort(rounds, seconds, device))
    if to:
        _save(found, to)
    answer(describe(found, to), found.to_json(), as_json=json)


def _watch(recipes: list[Recipe], pack: Pack, effort: Effort) -> Benchmark:
    from lilliput.benchmark.rounds import Round, bench_steps

    found = None
    total = (len(recipes) + 1) * effort.rounds
    note(f"measuring {', '.join(one.name for one in recipes)} and loading alone")
    with progress("measuring", "rounds") as show:
        for done, event in enumerate(bench_steps(recipes, pack, effort), 1):
            if isinstance(event, Round):
                show(done, total)
            else:
                found = event
    assert found is not None
    return found


def _save(found: Benchmark, to: Path) -> None:
    from lilliput.analysis.figures.throughput import draw_throughput
    from lilliput.analysis.style import write_figure

    found.save(to)
    write_figure(to / "bench.png", lambda: draw_throughput(found))


def describe(found: Benchmark, to: Path | None = None) -> str:
    """A benchmark as a page of text."""
    machine, limits, loading = found.machine, found.ceiling, found.loading
    lines = [
        bold(f"{machine['processor']}, {machine['threads']} threads, on {machine['device']}"),
        f"{len(loading.lilliput.rounds)} rounds in turns; medians, in brackets their spread",
        "",
    ]
    for one in found.trainings:
        lines += [*_training(one), ""]
    lines += [
        bold(f"loading alone ({loading.augmentation})"),
        table(
            [
                ["Lilliput", loading.lilliput.describe(), "images/s"],
                ["plain PyTorch", loading.plain.describe(), "images/s"],
                ["ratio", loading.ratio.describe(1), "times as fast"],
                ["of a copy", loading.copy_share.describe(1, percent=True), "of its bytes alone"],
            ],
            indent="  ",
        ),
        "",
        bold("the machine's own limits"),
        table(
            [
                ["fp32 product", limits.fp32.describe(1), "GFLOP/s"],
                ["bf16 product", limits.bf16.describe(1), "GFLOP/s"],
                ["memory copy", limits.copy.describe(1), "GB/s, read and written"],
            ],
            indent="  ",
        ),
    ]
    if to:
        lines += ["", f"saved   {to / 'bench.json'}, {to / 'bench.png'}"]
    return "\n".join(lines)


def _training(one: TrainingSpeed) -> list[str]:
    memory = (
        f"{one.lilliput_memory_bytes / 1e6:,.0f} MB, plain {one.plain_memory_bytes / 1e6:,.0f} MB"
    )
    rows = [
        ["Lilliput", one.lilliput.describe(), f"images/s, {one.precision} {one.memory_format}"],
        ["plain PyTorch", one.plain.describe(), "images/s"],
        ["ratio", one.ratio.describe(2), "times as fast"],
        ["loader", one.loader_share.describe(1, percent=True), "of a step's time"],
        ["arithmetic", one.gflops.describe(1), "GFLOP/s"],
        ["", one.ceiling_share.describe(percent=True), f"of the {one.precision} product"],
        ["peak memory", memory, ""],
    ]
    title = f"training {one.recipe}, {one.batch_images} images a step"
    return [bold(title), table(rows, indent="  ")]
