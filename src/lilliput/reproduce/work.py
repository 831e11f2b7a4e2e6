"""The reproduction's folder: a folder per step, each with a marker once it is finished.

begun.json             scale and data; whoever comes with others is sent away
m1/ m2/ m3/ m4/        runs (Table 1)
nonlinearity/ ideas/ residual/ larger-ensembles/   ablations (sections 3.2, 4.2 to 4.4 and 7)
search/ variants/ ensemble/                        a study, its best recipes trained, all their subsets (section 6)
audit/ pictures/ submission/
STEP/finished.json     the step is done: it is never done again
reproduction.html      the page; with reproduction.json and reproduction.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any

from lilliput.data.pack import Pack
from lilliput.errors import RunError
from lilliput.reproduce.scales import Budget, Scale
from lilliput.results.atomic import storage_errors, write_text

BEGUN, FINISHED, LOCK = "begun.json", "finished.json", ".lock"
_FORMAT = 1


@dataclass(frozen=True)
class Work:
    """A reproduction in ``folder``: of which data, at which scale, on which device."""

    folder: Path
    pack: Pack
    scale: Scale
    device: str = "auto"

    def begin(self) -> None:
        """Claim the folder, or find that it is ours already.

        Raises: RunError when it holds something else, or a reproduction at another scale or of other data, or when the
            data has more classes than a step may train on images.
        """
        self._check_limits()
        path = self.folder / BEGUN
        mine = {"format": _FORMAT, "scale": self.scale.name, "fingerprint": self.pack.fingerprint}
        if path.is_file():
            self._compare(read_json(path), mine)
        elif self.folder.is_dir() and any(one.name[0] != "." for one in self.folder.iterdir()):
            raise RunError(
                f"{self.folder} already holds something else", "name another folder: --to DIR"
            )
        else:
            write_text(path, json.dumps(mine, indent=2) + "\n")

    def place(self, step: str) -> Path:
        """The folder of a step."""
        return self.folder / step

    def budget(self, step: str) -> Budget:
        """What the step may spend."""
        return self.scale[step]

    def changes(self, step: str) -> tuple[str, ...]:
        """What the scale changes in the recipes of a step."""
        return (*self.scale.changes, *self.budget(step).overrides)

    def is_finished(self, step: str) -> bool:
        """Whether the step is done."""
        return (self.place(step) / FINISHED).is_file()

    def finish(self, step: str, seconds: float) -> None:
        """Mark a step as done, after ``seconds`` of work in this sitting."""
        write_text(self.place(step) / FINISHED, json.dumps({"seconds": round(seconds, 1)}) + "\n")

    def seconds(self, step: str) -> float:
        """How long the step took in the sitting that finished it."""
        return float(read_json(self.place(step) / FINISHED).get("seconds", 0.0))

    def clear(self, step: str) -> Path:
        """The folder of a step that cannot go on where it stopped, without what a broken attempt left there."""
        rmtree(self.place(step), ignore_errors=True)
        return self.place(step)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process out of the folder; the lock of one that died is gone with it.

        Raises: RunError when another works here; StorageError.
        """
        path = self.folder / LOCK
        with storage_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
        with file:
            if not _taken(file):
                raise RunError(
                    f"another process is reproducing into {self.folder}",
                    "wait for it or stop it, or name another folder: --to DIR",
                )
            for stale in self.folder.glob(".*.partial"):  # of a process that was killed
                stale.unlink() if stale.is_file() else rmtree(stale, ignore_errors=True)
            yield

    def _check_limits(self) -> None:
        classes = len(self.pack.classes)
        for step, budget in self.scale.budgets.items():
            if 0 < budget.limit < classes:
                raise RunError(
                    f"the data has {classes:,} classes, but step {step} of scale {self.scale.name} may train on "
                    f"{budget.limit:,} images only (data.limit)",
                    "take a larger scale, or data with fewer classes",
                )

    def _compare(self, old: dict[str, Any], mine: dict[str, Any]) -> None:
        if old.get("scale") != mine["scale"]:
            raise RunError(
                f"{self.folder} was begun at scale {old.get('scale')}, not {mine['scale']}",
                f"go on with --scale {old.get('scale')}, or name another folder: --to DIR",
            )
        if old.get("fingerprint") != mine["fingerprint"]:
            raise RunError(
                f"{self.folder} was begun with other data than {self.pack.path}",
                "go on with the data it was begun with, or name another folder: --to DIR",
            )
        if old.get("format") != mine["format"]:
            raise RunError(
                f"{self.folder} was begun by another version of Lilliput", "name another folder"
            )


def _taken(file: IO[str]) -> bool:
    """Whether the lock on the file is ours now; the system frees it when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock: two at once are not noticed there
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises: RunError naming the file when it is missing or damaged."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged: {error}", "delete it, and its step is done again"
        ) from error
    if not isinstance(facts, dict):
        raise RunError(f"{path} is damaged: not a JSON object")
    return facts
