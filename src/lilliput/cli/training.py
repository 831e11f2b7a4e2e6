"""Commands that train: ``train``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lilliput.cli.console import Flag, Json, answer, bold, note, percent, program
from lilliput.cli.data import open_pack
from lilliput.cli.processes import (
    command_line,
    is_restarted,
    membership,
    refuse_processes,
    run_processes,
)
from lilliput.cli.results import save_figures_of
from lilliput.cli.watch import watch
from lilliput.errors import Interrupted, ProcessError
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.cli.signals import StopRequest


def train(
    recipe: str,
    /,
    *overrides: str,
    data: str,
    run: Path | None = None,
    resume: Flag = False,
    device: str = "auto",
    processes: int = 1,
    follow: Annotated[list[str] | None, Parameter(name="--watch", negative=())] = None,
    json: Json = False,
) -> None:
    """Train one network and leave everything about it in a run folder.

    The run folder holds the recipe, the history, checkpoints, weights and predictions. Ctrl-C stops after the current
    step with everything saved; the same command with --resume goes on where it stopped.

    Parameters
    ----------
    recipe
        A shipped recipe (m1, m2, m3, m4 ...) or a TOML file.
    overrides
        Changes to the recipe, such as training.epochs=3 data.limit=20000.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    run
        The run folder; runs/RECIPE-NUMBER if none is named.
    resume
        Go on with an unfinished run; without --run, with the newest one of this recipe.
    device
        auto, cpu, cuda, cuda:1, mps.
    processes
        Share every batch among so many processes on this machine, each with a GPU of its own where there are GPUs.
        torchrun does it on several machines: docs/distributed.md.
    follow
        Also follow the training in tensorboard, wandb or mlflow; can be given several times.
    """
    from lilliput.api import run_folder
    from lilliput.recipe import load_recipe
    from lilliput.watching import Watchers

    loaded = load_recipe(recipe, overrides)
    refuse_processes(processes, loaded.training.batch_images)
    resume = resume or is_restarted(run)
    words = ["train", recipe, *overrides, "--data", data]
    words += [] if device == "auto" else ["--device", device]
    words += [word for name in follow or () for word in ("--watch", name)]
    with membership(device) as group:
        if group and not group.is_first:
            from lilliput.cli.member import follow_first

            follow_first(loaded, data, group)
            return
        with (
            run_folder(loaded.name, run, resume=resume) as folder,
            Watchers(follow or (), folder) as watchers,
        ):
            words += ["--run", str(folder)]
            again = command_line([*words, "--resume"], processes)
            if processes > 1:
                open_pack(data)  # here, that not all of them have to show it
                words += ["--resume"] * resume + ["--json"] * json
                run_processes(words, processes, again)
                return
            with group.in_turn() if group else nullcontext():
                pack = open_pack(data)
            from lilliput.experiment import run_steps  # last: PyTorch takes seconds to load

            note(f"training {loaded.name} into {folder}")
            command = command_line(words, processes)
            events = run_steps(
                loaded, pack, folder, device=group or device, resume=resume, command=command
            )
            with _going_on(again):
                stop = watch(
                    events, epochs=loaded.training.epochs, title=loaded.name, watchers=watchers
                )
                if stop:
                    raise _interrupted(stop)
            finished = Run.open(folder)
            save_figures_of(finished, pack)
            watchers.finish()
    answer(_summary(finished), _facts(finished), as_json=json)


@contextmanager
def _going_on(again: str) -> Iterator[None]:
    """Whoever stops in the block, or is stopped, learns the command that goes on."""
    try:
        yield
    except (Interrupted, ProcessError) as error:
        error.hint = f"to go on: {again}"
        raise


def _interrupted(stop: StopRequest) -> Interrupted:
    error = Interrupted("everything so far is saved")
    error.exit_code = stop.exit_code
    return error


def _summary(run: Run) -> str:
    last = run.history[-1]
    split = "heldout" if "heldout" in run.splits_predicted else "val"
    return "\n".join(
        [
            bold(
                f"{run.name}: {percent(last.val_accuracy)} right on {split} after {last.epoch} epochs"
            ),
            f"run     {run.path}  (figures/ in it)",
            f"next    {program()} evaluate {shlex.quote(str(run.path))}",
            f"        {program()} report {shlex.quote(str(run.path))}",
        ]
    )


def _facts(run: Run) -> dict[str, object]:
    last = run.history[-1]
    return {
        "run": str(run.path),
        "epochs": last.epoch,
        "train_loss": last.train_loss,
        "train_accuracy": last.train_accuracy,
        "val_loss": last.val_loss,
        "val_accuracy": last.val_accuracy,
        "seconds": sum(epoch.seconds for epoch in run.history),
        "images_per_second": last.images_per_second,
        "runtime": run.environment.get("runtime"),
    }
