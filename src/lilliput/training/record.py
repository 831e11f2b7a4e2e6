"""Training that is recorded while it runs: the history, the learning record, the log, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lilliput.data.batches import Batches
from lilliput.errors import Interrupted, LilliputError, StorageError
from lilliput.recipe import Recipe
from lilliput.results.history import Epoch
from lilliput.results.run import Run
from lilliput.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from lilliput.training.loop import Step, TrainingState, check_finite, fit
from lilliput.training.processes import GO_ON, LEAVE, SAVE
from lilliput.training.validation import Validation


class Record:
    """What a training leaves behind. This is that of the processes beside the first: nothing."""

    def epochs(self, state: TrainingState) -> None:
        """All epochs so far: the history, and what was learned when."""

    def save(self, state: TrainingState) -> None:
        """Something to go on from."""

    def log(self, line: str) -> None:
        """A line for people."""


class RunRecord(Record):
    """The record of a training in its run folder. ``names`` are those of the training images."""

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self.run = run
        self.names = names

    def epochs(self, state: TrainingState) -> None:
        """All epochs so far: the history, and what was learned when."""
        self.run.record(state.history)
        if state.learning:
            self.run.record_learning(state.learning, self.names)

    def save(self, state: TrainingState) -> None:
        """Something to go on from."""
        save_checkpoint(self.run.checkpoints_path, state)

    def log(self, line: str) -> None:
        """A line for people."""
        self.run.log(line)


@dataclass(frozen=True)
class Beginning:
    """What the first of several processes tells the others before the first step.

    The ``fingerprint`` of its data, its ``runtime`` as JSON, name and content of the ``checkpoint`` it goes on from.
    """

    fingerprint: str
    runtime: dict[str, Any]
    checkpoint: tuple[str, bytes] | None

    @classmethod
    def of(cls, fingerprint: str, runtime: dict[str, Any], checkpoints: Path) -> Beginning:
        """Of a training that goes on from the newest of its checkpoints, if there are any."""
        path = newest_checkpoint(checkpoints)
        return cls(fingerprint, runtime, (path.name, path.read_bytes()) if path else None)

    def restore(self, state: TrainingState) -> None:
        """Bring ``state`` to where the first process's is; what was counted so far stays with that one."""
        if self.checkpoint:
            name, content = self.checkpoint
            with TemporaryDirectory() as folder:
                (Path(folder) / name).write_bytes(content)
                load_checkpoint(Path(folder), state)
            state.sums.zero_()
            state.right.zero_()


def fit_recorded(
    record: Record, state: TrainingState, batches: Batches, validation: Validation, recipe: Recipe
) -> Iterator[Step | Epoch]:
    """Hand out what happens; record every epoch, save a checkpoint after it, now and then within it, and on leaving.

    When one of several processes is left by its caller, all others save and end too, with Interrupted.
    """
    try:
        with validation.runtime.world.together():
            yield from _fit_saved(record, state, batches, validation, recipe)
            validation.latest(state.judged)  # of which each process knows a part
    except LilliputError as error:
        with suppress(StorageError):  # a full disk is what the error may be about
            record.log(f"stopped: {error}")
        raise


def _fit_saved(
    record: Record, state: TrainingState, batches: Batches, validation: Validation, recipe: Recipe
) -> Iterator[Step | Epoch]:
    runtime, world = validation.runtime, validation.runtime.world
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        world.collect(state)
        check_finite(state, recipe)
        record.save(state)
        saved = time.monotonic()

    try:
        for event in fit(state, batches, validation, recipe, runtime):
            if isinstance(event, Epoch):
                record.epochs(state)
                record.log(repr(event))
                save()
            yield event
            is_due = time.monotonic() - saved > recipe.training.checkpoint_seconds
            agreed = world.agree(SAVE if is_due and world.is_first else GO_ON)
            if agreed != GO_ON:
                save()
            if agreed == LEAVE:
                raise Interrupted("another process was asked to stop; everything so far is saved")
    except GeneratorExit:
        world.agree(LEAVE)
        save()
        raise
