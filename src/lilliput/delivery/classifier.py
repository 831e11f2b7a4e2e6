"""What labels images: a trained network, or several as one, with all that their answers depend on.

    Classifier.load("runs/m1-1").predict(["cat.jpg"])[0].best

To load what another exporter writes, add its ending and a function to ``OPENERS``. PyTorch is loaded with the first
network that needs it, not with this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.delivery.pictures import read_picture
from lilliput.delivery.ready import named
from lilliput.errors import RunError, UsageError
from lilliput.results.combine import combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.folder import ClassName
from lilliput.results.open import open_classifier
from lilliput.results.predictions import UNLABELLED, Predictions
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.delivery.sessions import Session

# A batch of files; of arrays, as many as an evaluation takes at once.
READ_IMAGES, ASK_IMAGES = 100, 500

Ask = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A batch of images uint8[b,h,w,3] to probabilities float32[b,k]."""


class Guess(NamedTuple):
    """A class and the probability, 0 to 1, that it is the picture's."""

    id: str
    name: str
    probability: float


@dataclass(frozen=True)
class Answer:
    """What a classifier says to a file: the most probable classes, the best first; none if there is an ``error``."""

    file: str
    top: tuple[Guess, ...]
    error: str = ""

    @property
    def best(self) -> Guess | None:
        """The most probable class."""
        return self.top[0] if self.top else None


@dataclass(frozen=True, eq=False)
class Classifier:
    """Labels pictures of ``size`` x ``size`` pixels, given as arrays, or files of any size.

    ``classes`` are in the order of the probabilities. ``views`` are the ways in which a picture is looked at, of an
    ensemble those of all its members. ``ask`` does the work.
    """

    name: str
    classes: tuple[ClassName, ...] = field(repr=False)
    size: int
    views: tuple[str, ...]
    ask: Ask = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | Run | Ensemble, *, device: str = "auto") -> Classifier:
        """The classifier in the folder of a run or an ensemble, or in a file that holds a network.

        The name ``tiny-imagenet-200`` stands for the one that comes along.

        It computes as the training did where its device is here; ``device`` may name another.
        Raises: RunError saying what is wrong with it, or what is there instead; UsageError for an unknown device.
        """
        if not isinstance(path, (Run, Ensemble)):
            place = named(path)
            if place.is_file():
                return _file_opener(place)(place, device)
        opened = path if isinstance(path, (Run, Ensemble)) else open_classifier(path)
        return _open_run(opened, device) if isinstance(opened, Run) else _open_all(opened, device)

    @classmethod
    def of_session(cls, session: Session) -> Classifier:
        """The classifier in an exported file that is open. Raises: RunError when it is not for square images."""
        side = side_of(session.path, session.size)
        return cls(session.path.name, session.classes, side, session.views, session)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32[n,k] of images uint8[n,size,size,3], RGB; one image [size,size,3] is a batch of one.

        Raises: UsageError for arrays of another type, shape or size.
        """
        batch = np.asarray(images)
        batch = batch[np.newaxis] if batch.ndim == 3 else batch
        self._check(batch)
        starts = range(0, len(batch), ASK_IMAGES)
        # Copies: PyTorch takes no array that is reversed, and warns of one that may not be written to.
        answers = [self.ask(np.array(batch[s : s + ASK_IMAGES], order="C")) for s in starts]
        nothing = np.empty((0, len(self.classes)), np.float32)
        return np.concatenate([nothing, *answers])

    def predict(self, files: str | Path | Iterable[str | Path], *, top: int = 5) -> list[Answer]:
        """What each of some picture files shows: its ``top`` most probable classes. One path is a list of one.

        Pictures of another size are cut and scaled as training's were. A file that cannot be read is answered with its
        error. Raises: UsageError when ``top`` is below 1.
        """
        listed = [files] if isinstance(files, (str, Path)) else files
        return [answer for answer, _ in self.answers(listed, top=top)]

    def answers(
        self, files: Iterable[str | Path], *, top: int = 5
    ) -> Iterator[tuple[Answer, NDArray[np.uint8] | None]]:
        """:meth:`predict` for any number of files, a few at a time: each answer with the pixels that were looked at.

        Raises: UsageError when ``top`` is below 1, at once.
        """
        if top < 1:
            raise UsageError(f"top = {top}: at least the best class is named", "--top 1")
        return self._answers(iter(files), min(top, len(self.classes)))

    def _answers(
        self, files: Iterator[str | Path], top: int
    ) -> Iterator[tuple[Answer, NDArray[np.uint8] | None]]:
        while some := list(islice(files, READ_IMAGES)):
            pixels = np.zeros((len(some), self.size, self.size, 3), np.uint8)
            errors = [read_picture(file, row) for file, row in zip(some, pixels, strict=True)]
            good = [row for row, error in enumerate(errors) if not error]
            rows = iter(self(pixels[good]))
            for file, row, error in zip(some, pixels, errors, strict=True):
                guesses = () if error else self.best(next(rows), top)
                yield Answer(os.fspath(file), guesses, error), None if error else row

    def best(self, probabilities: NDArray[np.float32], top: int) -> tuple[Guess, ...]:
        """The ``top`` most probable classes by the probabilities float32[k] of one picture, the best first."""
        order = np.argsort(-probabilities, kind="stable")[:top].tolist()
        named = ((self.classes[k], float(probabilities[k])) for k in order)
        return tuple(Guess(one.id, one.name, probability) for one, probability in named)

    def _check(self, batch: NDArray[np.generic]) -> None:
        if batch.dtype != np.uint8:
            raise UsageError(
                f"the images are {batch.dtype}, not uint8",
                "colours are whole numbers 0..255; those in 0..1: (255 * images).round().astype('uint8')",
            )
        shape = list(batch.shape)
        if batch.ndim != 4 or shape[3] != 3:
            first = batch.ndim == 4 and shape[1] == 3
            hint = (
                "put the colours last: images.transpose(0, 2, 3, 1)"
                if first
                else "RGB, colours last"
            )
            raise UsageError(f"the images have the shape {shape}, not [n, height, width, 3]", hint)
        if shape[1:3] != [self.size, self.size]:
            raise UsageError(
                f"the images have {shape[1]} x {shape[2]} pixels, {self.name} takes {self.size} x {self.size}",
                "give the files to predict(), which cuts and scales as training did",
            )


def side_of(path: Path, size: tuple[int, int]) -> int:
    """The side in pixels of the square images of ``size`` (height, width) that the file takes. Raises: RunError."""
    height, width = size
    if height != width:
        raise RunError(
            f"{path} is for images of {height} x {width} pixels, but pictures are cut to squares",
            "train on a pack, whose images are squares",
        )
    return height


def _open_run(run: Run, device: str) -> Classifier:
    from lilliput.delivery.networks import open_run

    return open_run(run, device)


def _open_weights(path: Path, device: str) -> Classifier:
    from lilliput.delivery.networks import open_weights

    return open_weights(path, device)


def _open_exported(path: Path, device: str) -> Classifier:
    """A file with everything inside; it computes on the processor."""
    from lilliput.delivery.sessions import open_session

    if device not in ("auto", "cpu"):
        raise UsageError(f"{path} computes on the processor, not on {device}", "--device cpu")
    return Classifier.of_session(open_session(path))


def _open_all(ensemble: Ensemble, device: str) -> Classifier:
    """The members' answers, combined as the ensemble's stored predictions are."""
    members = [_open_run(run, device) for run in ensemble.members]
    method, weights = ensemble.method, ensemble.weights
    for member in members:
        if (member.size, member.classes) != (members[0].size, ensemble.classes):
            raise RunError(
                f"{ensemble.path}: its member {member.name} takes images of another size, or knows other classes",
                "make it anew of runs of the same data: lilliput ensemble RUN...",
            )

    def ask(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        labels = np.full(len(images), UNLABELLED, np.int64)
        names = tuple(map(str, range(len(images))))
        said = [Predictions(member.ask(images), labels, names) for member in members]
        return combine(said, weights, method).probabilities

    views = tuple(dict.fromkeys(view for member in members for view in member.views))
    return Classifier(ensemble.name, ensemble.classes, members[0].size, views, ask)


def _file_opener(path: Path) -> Callable[[Path, str], Classifier]:
    opener = OPENERS.get(path.suffix.casefold())
    if opener is None:
        raise RunError(
            f"{path} is not a classifier: its ending is none of {', '.join(OPENERS)}",
            "name such a file, or the folder of a run or an ensemble",
        )
    return opener


OPENERS: dict[str, Callable[[Path, str], Classifier]] = {
    ".safetensors": _open_weights,
    ".onnx": _open_exported,
    ".pt2": _open_exported,
}
"""Files that hold a classifier, by their ending: a function of the file and the device."""
