"""Watching a training: a bar with rate and time left on a terminal, one plain line per epoch elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from lilliput.cli.console import duration, is_terminal, note, percent
from lilliput.cli.signals import StopRequest, stop_requests
from lilliput.results.history import Epoch

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import Progress

    from lilliput.experiment import Runtime, Step
    from lilliput.watching import Watchers

    Event = Runtime | Step | Epoch


def watch(
    events: Generator[Event], *, epochs: int, title: str, watchers: Watchers | None = None
) -> StopRequest:
    """Run a training to its end, or to the first stop signal; says which of the two it was.

    Leaving the events early makes the training save a checkpoint.
    """
    with stop_requests() as stop, closing(events), Screen(epochs, title) as screen:
        for event in events:
            screen.show(event)
            if watchers:
                watchers.show(event)
            if stop:
                break
    return stop


class Screen:
    """Shows the events of one training of ``epochs`` epochs."""

    def __init__(self, epochs: int, title: str) -> None:
        self.epochs = epochs
        self.title = title
        self._bar: Progress | None = None
        self._first_epoch = 0
        self._started = time.monotonic()

    def __enter__(self) -> Screen:
        if is_terminal():
            self._bar = _make_bar()
            self._bar.start()
            self._bar.add_task(self.title, total=None, rate="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, event: Event) -> None:
        """Show whatever happened."""
        from lilliput.experiment import Step

        if isinstance(event, Epoch):
            self._epoch(event)
        elif isinstance(event, Step):
            self._step(event)
        else:
            self._say(describe_runtime(event))

    def _step(self, step: Step) -> None:
        done, total = (step.epoch - 1) * step.steps + step.step, self.epochs * step.steps
        if not self._first_epoch:
            self._first_epoch = step.epoch
            self._started = time.monotonic()
            if done > 1:
                self._say(f"going on at epoch {step.epoch}, step {step.step} of {step.steps}")
            if self._bar:
                # The bar's own clock starts here, so a resumed training does not look faster than it is.
                self._bar.reset(self._bar.task_ids[0], total=total, completed=done, rate="")
        if self._bar:
            speed = self._bar.tasks[0].speed
            rate = f"{speed * step.images:,.0f} img/s" if speed else ""
            title = f"{self.title}, epoch {step.epoch}/{self.epochs}"
            self._bar.update(
                self._bar.task_ids[0], completed=done, total=total, rate=rate, description=title
            )

    def _epoch(self, epoch: Epoch) -> None:
        done = epoch.epoch - (self._first_epoch or epoch.epoch) + 1
        left = (time.monotonic() - self._started) / done * (self.epochs - epoch.epoch)
        self._say(describe_epoch(epoch, self.epochs) + (f"  {duration(left)} left" if left else ""))

    def _say(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            note(line)


def describe_runtime(runtime: Runtime) -> str:
    """What the training runs on, and the timings that decided it."""
    processes = f"{runtime.world.size} processes of " if runtime.world.size > 1 else ""
    threads = f"{processes}{runtime.threads} threads"
    chosen = f"{runtime.device}, {threads}, {runtime.precision}, {runtime.memory_format}"
    if runtime.step != "plain":
        chosen += f", {runtime.step}"
    chosen += "".join(f"; {way} does not work: {why}" for way, why in runtime.failures.items())
    timings = ", ".join(f"{name} {ms:.1f} ms" for name, ms in runtime.timings.items())
    return f"running on {chosen}" + (f"  (a step took: {timings})" if timings else "")


def describe_epoch(epoch: Epoch, epochs: int) -> str:
    """One epoch in one line."""
    parts = [
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}",
        f"train {epoch.train_loss:.3f} {percent(epoch.train_accuracy):>6}",
        *_validation(epoch),
        f"{epoch.images_per_second:,.0f} img/s",
        duration(epoch.seconds),
    ]
    return "  ".join(parts)


def _validation(epoch: Epoch) -> Iterable[str]:
    # An epoch without validation says so by nan.
    if math.isnan(epoch.val_loss):
        return []
    return [f"val {epoch.val_loss:.3f} {percent(epoch.val_accuracy):>6}"]


def _make_bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
