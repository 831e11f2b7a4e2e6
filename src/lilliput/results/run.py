"""The run folder: everything one training leaves behind, and the only thing handed on.

    recipe.toml            everything tunable, resolved; re-runs the run
    environment.json       versions, machine, command, git state, data, classes
    history.csv            a line per epoch
    learning.npz           which training images were right in which epoch
    log.txt                what was said meanwhile
    weights.safetensors    the trained network; plan, classes and pixel statistics ride in it
    checkpoints/           to resume from
    predictions/           one .npz per split
    figures/  report.html  drawn from all of the above

Nothing in it is a pickle, so nothing in it can run code when it is opened.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from lilliput.errors import RunError
from lilliput.results.atomic import folder_name, storage_errors, write_text
from lilliput.results.folder import ClassName, Predicted
from lilliput.results.history import Epoch, read_history, write_history
from lilliput.results.learning import Learning, read_learning, write_learning

_RECIPE, _ENVIRONMENT = "recipe.toml", "environment.json"


@dataclass(frozen=True)
class Run(Predicted):
    """A run folder. Every property reads the file behind it anew, so a run in progress can be watched.

    Whatever is damaged raises a RunError that names the file.
    """

    @classmethod
    def create(
        cls,
        folder: Path,
        recipe_toml: str,
        environment: Mapping[str, Any],
        classes: Sequence[tuple[str, str]],
    ) -> Run:
        """Start a run in ``folder``, which must not exist or be empty. On failure nothing is left behind.

        Raises: RunError when the folder is in use; StorageError when it cannot be written.
        """
        run = cls(Path(folder))
        with storage_errors(run.path):
            run.path.mkdir(parents=True, exist_ok=True)
        refuse_occupied(run.path)
        try:
            run.save_environment({**environment, "classes": [list(pair) for pair in classes]})
            write_text(run.recipe_path, recipe_toml)
        except BaseException:
            with suppress(OSError):
                run.environment_path.unlink(missing_ok=True)
                run.recipe_path.unlink(missing_ok=True)
                run.path.rmdir()
            raise
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in ``folder``. Raises: RunError saying what is missing."""
        run = cls(Path(folder))
        hint = "a run is the folder that lilliput train writes, by default runs/RECIPE-NUMBER"
        if not run.path.exists():
            raise RunError(f"there is no run at {run.path}", hint)
        if not run.path.is_dir():
            raise RunError(f"{run.path} is a file, not a run folder", hint)
        missing = [name for name in (_RECIPE, _ENVIRONMENT) if not (run.path / name).is_file()]
        if missing:
            raise RunError(f"{run.path} is not a run folder: no {' and no '.join(missing)}", hint)
        return run

    @classmethod
    def next_folder(cls, root: Path, recipe_name: str) -> Path:
        """A new empty folder ``root/RECIPE-NUMBER``, the number one above the highest taken.

        Making the folder is what claims its number, so two trainings started at once never get the same one.
        Raises: StorageError.
        """
        stem = cls.folder_stem(recipe_name)
        with storage_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            matches = (re.fullmatch(re.escape(stem) + r"-(\d+)", p.name) for p in root.iterdir())
            number = max((int(match[1]) for match in matches if match), default=0) + 1
            while True:
                folder = root / f"{stem}-{number}"
                try:
                    folder.mkdir()
                    return folder
                except FileExistsError:
                    number += 1

    @staticmethod
    def folder_stem(recipe_name: str) -> str:
        """What the default folders of a recipe's runs begin with: its name, fit for any file system."""
        return folder_name(recipe_name, "run")

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def recipe_path(self) -> Path:
        """``recipe.toml``."""
        return self.path / _RECIPE

    @property
    def environment_path(self) -> Path:
        """``environment.json``."""
        return self.path / _ENVIRONMENT

    @property
    def history_path(self) -> Path:
        """``history.csv``; absent until the first epoch ends."""
        return self.path / "history.csv"

    @property
    def weights_path(self) -> Path:
        """``weights.safetensors``; absent until training ends."""
        return self.path / "weights.safetensors"

    def finished_weights(self) -> Path:
        """``weights.safetensors``, which is there. Raises: RunError when the training has not ended."""
        if not self.weights_path.is_file():
            raise RunError(
                f"{self.path} has no weights yet",
                "finish the training: lilliput train ... --resume",
            )
        return self.weights_path

    @property
    def checkpoints_path(self) -> Path:
        """The folder ``checkpoints``."""
        return self.path / "checkpoints"

    @property
    def log_path(self) -> Path:
        """``log.txt``."""
        return self.path / "log.txt"

    def _repr_html_(self) -> str:
        from lilliput.results.notebook import run_html

        return run_html(self)

    @property
    def recipe(self) -> dict[str, Any]:
        """The parsed recipe."""
        try:
            return tomllib.loads(self.recipe_toml)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RunError(f"{self.recipe_path} is damaged: {error}") from error

    @property
    def recipe_toml(self) -> str:
        """The recipe as it is written."""
        return _read_text(self.recipe_path)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, runtime, command, git, data, started, classes."""
        try:
            environment = json.loads(_read_text(self.environment_path))
        except (json.JSONDecodeError, RecursionError) as error:
            raise RunError(f"{self.environment_path} is damaged: {error}") from error
        if not isinstance(environment, dict):
            raise RunError(f"{self.environment_path} is damaged: not a JSON object")
        return environment

    @property
    def fingerprint(self) -> str | None:
        """Of the data it was trained on, as its pack has it; None where that is not known."""
        return self.environment.get("data", {}).get("fingerprint")

    def save_environment(self, environment: Mapping[str, Any]) -> None:
        """Replace ``environment.json`` atomically. Raises: StorageError."""
        write_text(self.environment_path, json.dumps(environment, indent=2) + "\n")

    @property
    def classes(self) -> tuple[ClassName, ...]:
        """The classes in the order of the network's outputs."""
        try:
            return tuple(ClassName(str(id), str(name)) for id, name in self.environment["classes"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.environment_path} is damaged: it names no classes") from error

    @property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs so far; none before the first one ends."""
        return read_history(self.history_path) if self.history_path.exists() else ()

    def record(self, epochs: Sequence[Epoch]) -> None:
        """Replace the history by ``epochs``: all so far, not only the last. Raises: StorageError."""
        write_history(self.history_path, epochs)

    @property
    def learning_path(self) -> Path:
        """``learning.npz``; absent until the first epoch ends."""
        return self.path / "learning.npz"

    @property
    def learning(self) -> Learning | None:
        """Which training images were right in which epoch: bool[epochs, n] and the n names; None where it was not kept.

        An image that some epochs in a row do not have right is hard, or labelled wrongly.
        """
        return read_learning(self.learning_path) if self.learning_path.exists() else None

    def record_learning(self, rows: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> None:
        """Replace the learning record by ``rows``, the packed bits of every epoch so far. Raises: StorageError."""
        write_learning(self.learning_path, rows, names)

    def log(self, line: str) -> None:
        """Append a line to the log. Raises: StorageError."""
        with (
            storage_errors(self.log_path),
            self.log_path.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(line.rstrip("\n") + "\n")

    def weights(self) -> dict[str, NDArray[np.generic]]:
        """The network's tensors by name. Raises: RunError when they are missing or damaged."""
        with _open_weights(self.weights_path) as file:
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        # Where some other package has taught numpy bf16, a file may hold what no other part of the house expects.
        for name, values in tensors.items():
            if values.dtype.kind not in "biuf":
                raise RunError(
                    f"{self.weights_path} holds {values.dtype} in '{name}', not numbers of numpy's own",
                    "train again",
                )
        return tensors

    def weights_metadata(self) -> dict[str, str]:
        """What was written with the weights: plan, classes, image_size, lilliput. Raises: RunError."""
        with _open_weights(self.weights_path) as file:
            return dict(file.metadata() or {})

    @property
    def is_finished(self) -> bool:
        """Whether all the recipe's epochs are done and the weights are there and can be read."""
        epochs = self.recipe.get("training", {}).get("epochs")
        if epochs is None or not self.weights_path.is_file() or len(self.history) < epochs:
            return False
        try:
            return bool(self.weights_metadata())
        except RunError:
            return False


def refuse_occupied(folder: Path) -> None:
    """Raises: RunError when ``folder`` is neither empty nor absent; StorageError when it is a file."""
    # The recipe is written last: an environment without one is what a process killed just then has left.
    begun = (_ENVIRONMENT, f".{_ENVIRONMENT}", f".{_RECIPE}")
    with storage_errors(folder):
        found = folder.iterdir() if folder.exists() else ()
        occupied = any(not path.name.startswith(begun) for path in found)
    if occupied:
        raise RunError(
            f"{folder} already holds something", "go on with --resume, or name another --run"
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is damaged: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def _open_weights(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise RunError(
            f"there are no weights at {path}", "finish the training: lilliput train --resume"
        )
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        # TypeError and AttributeError: a tensor of a type that numpy does not have, such as bfloat16.
        raise RunError(f"{path} cannot be read as weights: {error}", "train again") from error
