"""Trainings followed elsewhere: in TensorBoard, Weights & Biases, MLflow.

Plain consumers of what :func:`lilliput.run_steps` yields; nothing below knows them::

    with Watchers(["tensorboard"], folder) as watchers:
        for event in lilliput.run_steps(recipe, pack, folder):
            watchers.show(event)
        watchers.finish()

A watcher that fails is let go with one warning, and the training goes on: a network that is down must not cost a
night's work.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from lilliput.errors import MissingExtraError, RunError, UsageError, did_you_mean
from lilliput.results.atomic import write_text
from lilliput.results.history import Epoch
from lilliput.results.run import Run

PROJECT = "lilliput"  # where trainings are gathered, if WANDB_PROJECT or MLFLOW_EXPERIMENT_NAME name no other place
SCALARS = (
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "images_per_second",
)
_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """One training in one place. ``id`` is its name there; given again, a resumed training goes on with it."""

    id: str

    def __init__(self, run: Run, id: str, recipe: Mapping[str, Any]) -> None: ...

    def show(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """What an epoch measured."""
        ...

    def picture(self, name: str, path: Path) -> None:
        """A finished figure, a PNG file."""
        ...

    def close(self, *, is_finished: bool) -> None:
        """Nothing more comes."""
        ...


class Watchers:
    """Follow the training in ``folder`` by the watchers named: see WATCHERS.

    They begin with the first event, when the run folder is there. Raises: UsageError for a name that is none;
    MissingExtraError when its package is not installed.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        for name in names:
            if name not in WATCHERS:
                raise UsageError(f"'{name}' cannot watch", did_you_mean(name, WATCHERS))
            # A folder of this name (W&B makes one) looks like a package too, but one without a file.
            spec = find_spec(name)
            if spec is None or spec.origin is None:
                raise MissingExtraError(f"watching by {name}", name)
        self._waiting = list(dict.fromkeys(names))
        self._run = Run(Path(folder))
        self._active: dict[str, Watcher] = {}

    def __enter__(self) -> Watchers:
        return self

    def __exit__(self, *error: object) -> None:
        self._close(is_finished=False)

    def show(self, event: object) -> None:
        """Hand on an event of the training; only epochs are of interest."""
        for name in self._waiting:
            with self._only_a_warning(name):
                self._active[name] = self._begin(name)
        self._waiting = []
        if isinstance(event, Epoch):
            for name, watcher in list(self._active.items()):
                with self._only_a_warning(name):
                    watcher.show(event.epoch, _scalars(event))

    def finish(self) -> None:
        """Hand on the run's figures and say that the training came to its end."""
        for name, watcher in list(self._active.items()):
            with self._only_a_warning(name):
                for picture in sorted(self._run.figures_path.glob("*.png")):
                    watcher.picture(picture.stem, picture)
        self._close(is_finished=True)

    def _begin(self, name: str) -> Watcher:
        ids = _read_ids(self._run)
        watcher = WATCHERS[name](self._run, ids.get(name, ""), dict(_flat(self._run.recipe)))
        if name not in ids:
            # Also what was trained before anybody watched.
            for epoch in self._run.history:
                watcher.show(epoch.epoch, _scalars(epoch))
            write_text(_ids_path(self._run), json.dumps({**ids, name: watcher.id}, indent=2) + "\n")
        return watcher

    def _close(self, *, is_finished: bool) -> None:
        for name, watcher in list(self._active.items()):
            with self._only_a_warning(name):
                watcher.close(is_finished=is_finished)
        self._active = {}

    @contextmanager
    def _only_a_warning(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._active.pop(name, None)
            line = f"{name} no longer follows the training, which goes on: {error or type(error).__name__}"
            _log.warning(line)
            with suppress(Exception):
                self._run.log(line)


class TensorBoard:
    """Event files in ``tensorboard/`` of the run, so that ``tensorboard --logdir runs`` shows all runs."""

    def __init__(self, run: Run, id: str, recipe: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self.id = id or "tensorboard"
        self._writer = SummaryWriter(str(run.path / self.id))
        if not id:
            self._writer.add_text("recipe", "```toml\n" + run.recipe_toml + "\n```")
            values = {
                key: value if isinstance(value, (int, float)) else str(value)
                for key, value in recipe.items()
            }
            file = self._writer._get_file_writer()  # add_hparams would open a second run for them
            assert file is not None
            for summary in hparams(values, {"val_accuracy": math.nan}):
                file.add_summary(summary)

    def show(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """One point of every curve, on the disk at once."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def picture(self, name: str, path: Path) -> None:
        """Into the tab Images."""
        import numpy as np
        from PIL import Image

        with Image.open(path) as picture:
            self._writer.add_image(name, np.asarray(picture.convert("RGB")), dataformats="HWC")

    def close(self, *, is_finished: bool) -> None:
        """Close the file."""
        self._writer.close()


class WeightsAndBiases:
    """A run of the project WANDB_PROJECT or "lilliput"; WANDB_MODE=offline keeps it in ``wandb/`` of the run."""

    def __init__(self, run: Run, id: str, recipe: Mapping[str, Any]) -> None:
        import wandb

        self.id = id or uuid4().hex[:12]
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(run.path),
            id=self.id,
            name=run.name,
            config=dict(recipe),
            resume="allow" if id else None,
            # The terminal stays ours; a server that is not there must not hold the training up for long.
            settings=wandb.Settings(console="off", init_timeout=30),
        )

    def show(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """One point of every curve."""
        self._run.log({"epoch": epoch, **scalars}, step=epoch)

    def picture(self, name: str, path: Path) -> None:
        """Into the media panel."""
        import wandb

        self._run.log({f"figures/{name}": wandb.Image(str(path))})

    def close(self, *, is_finished: bool) -> None:
        """Send what is left; a training that did not come to its end counts as failed there."""
        self._run.finish(exit_code=0 if is_finished else 1)


class MLflow:
    """A run of the experiment MLFLOW_EXPERIMENT_NAME or "lilliput", at MLFLOW_TRACKING_URI or in ``mlflow.db`` here."""

    def __init__(self, run: Run, id: str, recipe: Mapping[str, Any]) -> None:
        # A server that is not there must not hold the training up: two short tries instead of seven long ones.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        if id:
            self.id = id
            self._client.set_terminated(id, "RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        self.id = self._client.create_run(experiment, run_name=run.name).info.run_id
        params = [Param(key, str(value)) for key, value in recipe.items()]
        self._client.log_batch(self.id, params=params)
        self._client.log_artifact(self.id, str(run.recipe_path))

    def show(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """One point of every curve."""
        import time

        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, epoch) for name, value in scalars.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def picture(self, name: str, path: Path) -> None:
        """Into the artifacts."""
        self._client.log_artifact(self.id, str(path), "figures")

    def close(self, *, is_finished: bool) -> None:
        """A training that did not come to its end is KILLED there."""
        self._client.set_terminated(self.id, "FINISHED" if is_finished else "KILLED")


def _scalars(epoch: Epoch) -> dict[str, float]:
    """What was measured; an epoch without validation has nan in its place, which nobody can draw."""
    values = asdict(epoch)
    return {name: values[name] for name in SCALARS if math.isfinite(values[name])}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _ids_path(run: Run) -> Path:
    return run.path / "watching.json"


def _read_ids(run: Run) -> dict[str, str]:
    path = _ids_path(run)
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    return {str(name): str(id) for name, id in ids.items()} if isinstance(ids, dict) else {}


WATCHERS: dict[str, type[Watcher]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
