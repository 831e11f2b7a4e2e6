"""Whether an exported file says what the classifier says: asked about real pictures, and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.data.pack import Pack
from lilliput.data.selection import Selection, select_split
from lilliput.delivery.deliverable import image_size, views_of
from lilliput.delivery.sessions import Session
from lilliput.errors import LilliputError
from lilliput.evaluation import load_model, places_of_classes, refuse_other_size
from lilliput.models.predict import predict
from lilliput.predicting import is_of
from lilliput.results.combine import combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.predictions import UNLABELLED, Predictions
from lilliput.results.run import Run

TOLERANCE = 1e-4
MOST_IMAGES = 10_000
_RANDOM_IMAGES = 256
_BATCH = 100

Progress = Callable[[int, int], None]


class Check(NamedTuple):
    """How the answers of a file and of its classifier compare.

    ``of`` is the split of the images, or random; ``reference`` says whether the classifier's probabilities were stored
    or computed. ``largest_difference`` is of any probability, ``agreement`` the share of images whose most probable
    class is the same. On ``ties`` images two classes, or an ensemble's votes for two, are too close to tell apart, so a
    difference there is no fault; ``faults`` are the other images of another class. ``top1`` is the file's share of
    images right, ``top1_before`` the classifier's; None where no label is known.
    """

    images: int
    of: str
    reference: str
    largest_difference: float
    agreement: float
    ties: int
    faults: int
    top1: float | None
    top1_before: float | None

    @property
    def is_real(self) -> bool:
        """Whether the images were pictures, not noise."""
        return self.of != "random"


class Reference(NamedTuple):
    """Images uint8[n,h,w,3] by number, and what the classifier says to them; ``of`` and ``source`` as in a Check.

    ``near_votes`` bool[n]: a member of an ensemble that votes nearly votes for another class.
    """

    images: Callable[[slice], NDArray[np.uint8]]
    said: Predictions
    of: str
    source: str
    near_votes: NDArray[np.bool_]


def reference_of(classifier: Run | Ensemble, pack: Pack | None) -> Reference:
    """What the classifier says to the validation images of a pack, at most 10,000; without one, to random ones.

    Stored predictions count where they were computed in fp32 on a CPU; else the networks are asked, there and so.
    Raises: RunError when the pack has other classes or another image size.
    """
    runs = classifier.members if isinstance(classifier, Ensemble) else (classifier,)
    if pack is None:
        selection, split = None, "random"
        images = _random_images(image_size(runs[0]))
        names = tuple(map(str, range(len(images))))
        labels = np.full(len(images), UNLABELLED, np.int64)
    else:
        split = "val" if "val" in pack else pack.splits[0]
        selection = spread(suitable_images(classifier, pack, split), MOST_IMAGES)
        images, names, labels = None, selection.names, selection.labels

    def read(part: slice) -> NDArray[np.uint8]:
        if images is not None:
            return images[part]
        assert selection is not None
        return selection.images(part)

    stored = [_stored(run, split, names) if pack and is_of(run, pack) else None for run in runs]
    said = [
        Predictions(_asked(run, read, len(names)), labels, names) if one is None else one
        for run, one in zip(runs, stored, strict=True)
    ]
    source = "computed" if None in stored else "stored"
    near = np.zeros(len(names), bool)
    if not isinstance(classifier, Ensemble):
        return Reference(read, said[0], split, source, near)
    if classifier.method == "majority":
        near = np.any([_gaps(one.probabilities) < TOLERANCE for one in said], axis=0)
    whole = combine(said, classifier.weights, classifier.method)
    return Reference(read, whole, split, source, near)


def suitable_images(classifier: Run | Ensemble, pack: Pack, split: str) -> Selection:
    """The images of a split that are of the classifier's classes, labelled by their places among them.

    Raises: RunError when the pack has other classes or another image size.
    """
    runs = classifier.members if isinstance(classifier, Ensemble) else (classifier,)
    places = places_of_classes(classifier, pack)
    refuse_other_size(classifier, pack, image_size(runs[0]))
    return select_split(pack, split, places)


def spread(selection: Selection, most: int) -> Selection:
    """At most so many of the images, evenly spread over them, which lie class by class."""
    if len(selection) <= most:
        return selection
    return selection.take(np.arange(most) * len(selection) // most)


def compare(session: Session, reference: Reference, progress: Progress | None = None) -> Check:
    """Ask the opened file about the reference's images."""
    said = reference.said
    found = []
    for start in range(0, len(said), _BATCH):
        found.append(session(reference.images(slice(start, start + _BATCH))))
        if progress:
            progress(min(start + _BATCH, len(said)), len(said))
    probabilities = np.concatenate(found)
    if not np.isfinite(probabilities).all():
        raise LilliputError(
            "the exported file answers with values that are no numbers", "export it with fp32"
        )
    near = (_gaps(said.probabilities) < TOLERANCE) | reference.near_votes
    differences = np.abs(probabilities - said.probabilities).max(axis=1)
    same = probabilities.argmax(axis=1) == said.probabilities.argmax(axis=1)
    return Check(
        images=len(said),
        of=reference.of,
        reference=reference.source,
        largest_difference=float(differences[~reference.near_votes].max(initial=0)),
        agreement=float(same.mean()),
        ties=int(near.sum()),
        faults=int((~same & ~near).sum()),
        top1=_top1(probabilities, said.labels),
        top1_before=_top1(said.probabilities, said.labels),
    )


def refuse_difference(check: Check) -> None:
    """Raises: LilliputError when a file that should say the same does not."""
    if check.largest_difference <= TOLERANCE and not check.faults:
        return
    again = "predict them anew: lilliput evaluate RUN --data DATA; if that changes nothing, "
    raise LilliputError(
        f"the exported file does not say what the classifier says: of {check.images:,} {check.of} images "
        f"{check.faults:,} are given another class, and probabilities ({check.reference}) differ by up to "
        f"{check.largest_difference:.2g}, where {TOLERANCE:g} is allowed. Nothing was written",
        (again if check.reference == "stored" else "")
        + "please report it, with the run's recipe and the output of `lilliput doctor`",
    )


def _top1(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float | None:
    known = labels != UNLABELLED
    if not known.any():
        return None
    return float((probabilities.argmax(axis=1) == labels)[known].mean())


def _stored(run: Run, split: str, names: tuple[str, ...]) -> Predictions | None:
    """The stored predictions of these images, if they are as exact as the check asks."""
    runtime = run.environment.get("runtime", {})
    is_exact = runtime.get("device") == "cpu" and runtime.get("precision") == "fp32"
    if not is_exact or split not in run.splits_predicted:
        return None
    stored = run.predictions(split)
    return stored if stored.names == names else None


def _asked(run: Run, read: Callable[[slice], NDArray[np.uint8]], count: int) -> NDArray[np.float32]:
    """What the network of a run says by itself, not by what is exported."""
    batches = (
        torch.from_numpy(np.ascontiguousarray(read(slice(start, start + _BATCH)))).permute(0, 3, 1, 2)
        for start in range(0, count, _BATCH)
    )  # fmt: skip
    return predict(load_model(run), batches, views=views_of(run))


def _gaps(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the most probable class of every row is from the next."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    top = np.partition(probabilities, -2, axis=1)
    return top[:, -1] - top[:, -2]


def _random_images(size: tuple[int, int]) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (_RANDOM_IMAGES, *size, 3), dtype=np.uint8)
