"""How hard every labelled image is, from what the runs left behind. No network is run.

Only what was said about images a network had not trained on counts: the official validation images, and training images
that were held out of that very run (``data.holdout``, ``data.folds``). Training images are also judged by how long it
took the networks to learn them. The measures, each the higher the harder:

    loss          mean over the runs of -log(probability of the label), in nats
    margin        mean over the runs of (highest other probability - probability of the label), in -1..1
    disagreement  how much the runs differ: Jensen-Shannon divergence of their probabilities, in nats; two runs or more
    learned_late  the share of the training that passed before the network had learned the image: was right, and from
                  then on at least as often right as wrong; mean over the runs; 1 is never

``hardness`` combines them: each measure becomes the share of images that are not harder by it, the mean of these is
taken, and that in turn becomes a share among the images judged by the same measures. So 0.97 means harder than 97 % of
the images there is as much known about.

Many images tie, above all those known by ``learned_late`` alone: it has no more values than the runs have epochs. Ties
are broken by a random order that is fixed per row of the split, never by the row, which goes by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lilliput.analysis.located import locate
from lilliput.data.pack import Pack
from lilliput.errors import RunError
from lilliput.results.folder import Predicted
from lilliput.results.learning import Learning
from lilliput.results.run import Run

Floats = NDArray[np.float64]
MEASURES = ("loss", "margin", "disagreement", "learned_late")
_TIES = 1  # seeds the order of images that are equally hard
_SPLITS = {"val": "val", "heldout": "train"}  # of the predictions -> of the pack


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """What is known about n images of one split of the pack.

    ``rows`` int64[n] in the split, ``names`` the n file names; ``labels`` int64[n] of the pack's classes; ``measures``
    float64[n] by name (nan where not known) and ``hardness`` float64[n] in 0..1: see above. ``judged`` int64[n] counts
    the runs that predicted the image; ``mean`` float32[n, k] is the mean of their probabilities over ``classes``,
    int64[k] of the pack's classes (0 where ``judged`` is 0).
    """

    split: str
    rows: NDArray[np.int64]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    measures: dict[str, Floats]
    hardness: Floats
    judged: NDArray[np.int64]
    mean: NDArray[np.float32]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """int64[n]: the class of the pack that the runs together predict; -1 where none did."""
        return np.where(self.judged > 0, self.classes[self.mean.argmax(axis=1)], -1)

    @property
    def hardest(self) -> NDArray[np.int64]:
        """Places of the images, hardest first; equals by loss (none known is last), then in a fixed random order."""
        drawn = np.random.default_rng(_TIES).random(int(self.rows.max(initial=-1)) + 1)[self.rows]
        loss = np.nan_to_num(self.measures["loss"], nan=-np.inf)
        return np.lexsort((drawn, -loss, -self.hardness))


@dataclass
class _Sums:
    """What is added up over the runs for every image of a split of the pack."""

    n: int
    k: int
    judged: NDArray[np.int64] = field(init=False)
    loss: Floats = field(init=False)
    margin: Floats = field(init=False)
    entropy: Floats = field(init=False)
    mean: NDArray[np.float32] = field(init=False)
    late: Floats = field(init=False)
    learned: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.judged = np.zeros(self.n, np.int64)
        self.loss, self.margin, self.entropy, self.late = np.zeros((4, self.n))
        self.mean = np.zeros((self.n, self.k), np.float32)
        self.learned = np.zeros(self.n, np.int64)


def collect(runs: Sequence[Predicted], pack: Pack) -> list[Evidence]:
    """The evidence of all runs together, for each split of the pack there is any about: val first, then train.

    Raises: RunError when the runs know different classes, or the pack is not the one they were trained on.
    """
    classes = _same_classes(runs, pack)
    found = []
    for split in ("val", "train"):
        if split in pack:
            evidence = _collect_split(runs, pack, split, classes)
            found += [evidence] if len(evidence) else []
    return found


def hardness_of(measures: Sequence[Floats]) -> Floats:
    """The measures float64[n] combined as the module describes; nan where none is known."""
    known = np.isfinite(np.stack(measures))
    shares = np.stack([_as_shares(measure) for measure in measures])
    count = known.sum(axis=0)
    mean = np.where(known, shares, 0).sum(axis=0) / np.maximum(count, 1)
    pattern = (known * (1 << np.arange(len(known)))[:, None]).sum(axis=0)
    hardness = np.full(len(mean), np.nan)
    for one in np.unique(pattern[pattern > 0]):
        inside = pattern == one
        hardness[inside] = rankdata(mean[inside], "average") / inside.sum()
    return hardness


def learned_late(right: NDArray[np.bool_]) -> Floats:
    """Of bool[epochs, n]: the share of the epochs before the first that is right and from which on most are."""
    epochs = len(right)
    mostly = np.cumsum((2 * right.astype(np.int32) - 1)[::-1], axis=0)[::-1] >= 0
    learned = right & mostly
    first = np.where(learned.any(axis=0), learned.argmax(axis=0), epochs)
    return first / epochs


def _as_shares(measure: Floats) -> Floats:
    shares = np.full(len(measure), np.nan)
    known = np.isfinite(measure)
    if known.any():
        shares[known] = rankdata(measure[known], "average") / known.sum()
    return shares


def _same_classes(runs: Sequence[Predicted], pack: Pack) -> NDArray[np.int64]:
    first = [one.id for one in runs[0].classes]
    for run in runs[1:]:
        if [one.id for one in run.classes] != first:
            raise RunError(
                f"{run.path} and {runs[0].path} tell different classes apart",
                "audit runs of the same data and the same data.classes together",
            )
    place = {one.id: number for number, one in enumerate(pack.classes)}
    unknown = [id for id in first if id not in place]
    if unknown:
        raise RunError(
            f"{pack.path} has no class '{unknown[0]}', which {runs[0].path} knows",
            "name the pack the runs were trained on",
        )
    return np.array([place[id] for id in first])


def _collect_split(
    runs: Sequence[Predicted], pack: Pack, split: str, classes: NDArray[np.int64]
) -> Evidence:
    sums = _Sums(len(pack[split]), len(classes))
    for run in runs:
        for stored, of_pack in _SPLITS.items():
            if of_pack == split and stored in run.splits_predicted:
                _add_predictions(sums, run, pack, stored)
        if split == "train" and isinstance(run, Run) and (learning := run.learning):
            _add_learning(sums, pack, learning)
    return _evidence(sums, pack, split, classes)


def _add_predictions(sums: _Sums, run: Predicted, pack: Pack, stored: str) -> None:
    located = locate(run, pack, stored, run.predictions(stored))
    rows, p = located.rows, located.predictions.probabilities
    places = np.arange(len(rows))
    true = p[places, located.predictions.labels].astype(np.float64)
    others = p.copy()
    others[places, located.predictions.labels] = -1
    sums.judged[rows] += 1
    sums.loss[rows] -= np.log(np.maximum(true, np.finfo(np.float32).tiny))
    sums.margin[rows] += others.max(axis=1) - true
    sums.entropy[rows] += _entropy(p)
    sums.mean[rows] += p


def _add_learning(sums: _Sums, pack: Pack, learning: Learning) -> None:
    right, names = learning
    if len(right) < 2:
        return  # one epoch tells when an image was right, but not that it was learned
    # Where two classes have a picture of the same name, the record does not tell which it means.
    places: dict[str, int] = {}
    twice = set()
    for row, name in enumerate(pack["train"].names):
        twice |= {name} if places.setdefault(name, row) != row else set()
    known = [i for i, name in enumerate(names) if name in places and name not in twice]
    rows = np.array([places[names[i]] for i in known], dtype=np.int64)
    sums.late[rows] += learned_late(right[:, known])
    sums.learned[rows] += 1


def _evidence(sums: _Sums, pack: Pack, split: str, classes: NDArray[np.int64]) -> Evidence:
    rows = np.flatnonzero((sums.judged > 0) | (sums.learned > 0))
    judged, learned = sums.judged[rows], sums.learned[rows]
    times = np.maximum(judged, 1)
    mean = sums.mean[rows] / times[:, None].astype(np.float32)
    differ = np.maximum(_entropy(mean) - sums.entropy[rows] / times, 0)
    measures = {
        "loss": np.where(judged > 0, sums.loss[rows] / times, np.nan),
        "margin": np.where(judged > 0, sums.margin[rows] / times, np.nan),
        "disagreement": np.where(judged > 1, differ, np.nan),
        "learned_late": np.where(learned > 0, sums.late[rows] / np.maximum(learned, 1), np.nan),
    }
    pictures = pack[split]
    truth = pictures.labels
    assert truth is not None  # predictions with labels were found in it by their labels
    return Evidence(
        split=split,
        rows=rows,
        names=tuple(pictures.names[row] for row in rows.tolist()),
        labels=np.asarray(truth)[rows],
        measures=measures,
        hardness=hardness_of(list(measures.values())),
        judged=judged,
        mean=mean,
        classes=classes,
    )


def _entropy(p: NDArray[np.float32]) -> Floats:
    return -(p * np.log(np.maximum(p, np.finfo(np.float32).tiny))).sum(axis=1, dtype=np.float64)
