"""What a network said about every image of a split: probabilities, true labels, file names.

Stored as a plain ``.npz`` (a zip of arrays, each with its checksum) without any pickle: reading one can never run
code, and numpy alone is enough to read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.results.archive import DAMAGE
from lilliput.results.atomic import atomic_path

UNLABELLED = -1

# Sums of up to thousands of float32 probabilities, some of them averaged or rounded through bfloat16, stay well inside.
_SUM_TOLERANCE = 1e-3
_HINT = "predict the split again: lilliput evaluate RUN --data DATA"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of one split, a row per image.

    ``probabilities`` float32[n, k], rows sum to 1; ``labels`` int64[n] in -1..k-1, where -1 means the true class
    is not known; ``names`` the n file names. Raises: ValueError when these do not fit together.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = _first_problem(self)
        if problem:
            raise ValueError(problem)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def num_classes(self) -> int:
        """How many classes every row gives a probability for."""
        return self.probabilities.shape[1]

    @property
    def is_labelled(self) -> bool:
        """Whether the true class of at least one image is known."""
        return bool((self.labels != UNLABELLED).any())

    def save(self, path: Path) -> None:
        """Write atomically. Raises: StorageError."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                probabilities=self.probabilities,
                labels=self.labels,
                names=np.array(self.names, dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what :meth:`save` wrote. Raises: RunError naming the file and what is wrong with it."""
        arrays = _read_arrays(path)
        names = arrays["names"]
        if names.dtype.kind != "U" or names.ndim != 1:
            raise RunError(f"{path} is damaged: names are not a list of text", _HINT)
        try:
            return cls(arrays["probabilities"], arrays["labels"], tuple(names.tolist()))
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}", _HINT) from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array, not an archive of three")
            with archive:
                arrays = {name: archive[name] for name in ("probabilities", "labels", "names")}
            # numpy hands a member that is no array back as bytes.
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("a member is not an array")
            return arrays
    except FileNotFoundError as error:
        raise RunError(f"there are no predictions at {path}", _HINT) from error
    except DAMAGE as error:
        raise RunError(f"{path} cannot be read as predictions: {error}", _HINT) from error


def _first_problem(predictions: Predictions) -> str:
    probabilities, labels = predictions.probabilities, predictions.labels
    if probabilities.dtype != np.float32 or probabilities.ndim != 2 or not probabilities.shape[1]:
        return f"probabilities are {_describe(probabilities)}, not float32[n, k]"
    n, k = probabilities.shape
    if labels.dtype != np.int64 or labels.shape != (n,):
        return f"labels are {_describe(labels)}, not int64[{n}]"
    if len(predictions.names) != n:
        return f"{len(predictions.names)} names for {n} rows of probabilities"
    if n and (labels.min() < UNLABELLED or labels.max() >= k):
        row = int(np.argmax((labels < UNLABELLED) | (labels >= k)))
        return f"label {labels[row]} of row {row} is not in {UNLABELLED}..{k - 1}"
    return _row_problem(probabilities)


def _row_problem(probabilities: NDArray[np.float32]) -> str:
    good = np.isfinite(probabilities).all(axis=1) & (probabilities >= 0).all(axis=1)
    if not good.all():
        return f"row {int(np.argmin(good))} holds a value that is no probability"
    sums = probabilities.sum(axis=1, dtype=np.float64)
    good = np.abs(sums - 1) <= _SUM_TOLERANCE
    if not good.all():
        row = int(np.argmin(good))
        return f"the probabilities of row {row} sum to {sums[row]:.4g}, not 1"
    return ""


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype}[{', '.join(map(str, array.shape))}]"
