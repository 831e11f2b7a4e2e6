"""The submission file of the Tiny ImageNet challenge: one line per test image, ``test_0.JPEG n01443537``. Paper: §1.1.

The file is read back and checked before it takes its place.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lilliput.data.pack import Pack
from lilliput.errors import LilliputError, RunError, UsageError
from lilliput.results.atomic import atomic_path, refuse_taken
from lilliput.results.ensemble import Ensemble
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

SPLIT = "test"
_HEADER = ["image", "class"]


class Submission(NamedTuple):
    """A written submission: how many images, and how often each class of the pack was given."""

    path: Path
    images: int
    counts: tuple[int, ...]


def check_submission(classifier: Run | Ensemble, pack: Pack, out: Path, *, force: bool) -> None:
    """All that can be known before any image is looked at.

    Raises: RunError when the classifier tells other classes apart than the pack has; UsageError when there is no test
    split, or ``out`` is taken and ``force`` not given.
    """
    if SPLIT not in pack:
        raise UsageError(f"{pack.path} has no {SPLIT} split", "it has: " + ", ".join(pack.splits))
    refuse_taken(out, "submission.txt", force=force)
    known = [one.id for one in classifier.classes]
    wanted = [one.id for one in pack.classes]
    if known == wanted:
        return
    if set(known) < set(wanted):
        raise RunError(
            f"{classifier.path} tells only {len(known)} of the {len(wanted)} classes of {pack.path} apart: "
            "images of the others could never be right",
            "submit a run that was trained without data.classes",
        )
    strange = next((id for id in known if id not in set(wanted)), None)
    example = f", '{strange}' among them" if strange else " in another order"
    raise RunError(
        f"{classifier.path} tells other classes apart than {pack.path} has{example}",
        "name the data it was trained on",
    )


def write_submission(
    predictions: Predictions, pack: Pack, out: Path, *, as_csv: bool = False
) -> Submission:
    """Write the most probable class of every test image, in the pack's order.

    Raises: RunError when the predictions are not of the pack's test images; UsageError for a name or class id with a
    space or line break in it, which the plain form cannot hold; StorageError.
    """
    names, ids = pack[SPLIT].names, [one.id for one in pack.classes]
    if predictions.names != names or predictions.num_classes != len(ids):
        raise RunError(
            f"the predictions are not of the {len(names):,} test images of {pack.path}",
            f"predict them again: lilliput evaluate RUN --split {SPLIT} --data {pack.path}",
        )
    chosen = predictions.probabilities.argmax(axis=1)
    rows = [(name, ids[number]) for name, number in zip(names, chosen.tolist(), strict=True)]
    unfit = next((word for row in rows for word in row if word.split() != [word]), None)
    if unfit is not None and not as_csv:
        raise UsageError(f"{unfit!r} cannot stand in a line of two words", "write it with --csv")
    with atomic_path(out) as temporary:
        _write(temporary, rows, as_csv=as_csv)
        check_file(temporary, names, ids, as_csv=as_csv)
    return Submission(out, len(rows), tuple(np.bincount(chosen, minlength=len(ids)).tolist()))


def check_file(
    path: Path, names: Sequence[str], ids: Sequence[str], *, as_csv: bool = False
) -> None:
    """Read a submission back: every image of ``names`` once, in order, each with a class of ``ids``.

    Raises: LilliputError naming the first line that is wrong.
    """
    rows = _read(path, as_csv=as_csv)
    if len(rows) != len(names):
        raise LilliputError(f"{path} has {len(rows):,} lines, the test split {len(names):,} images")
    known = set(ids)
    if len(set(names)) != len(names):
        raise LilliputError("two test images have the same name", "rename one and prepare again")
    for number, (row, name) in enumerate(zip(rows, names, strict=True), start=1):
        if len(row) != 2 or row[0] != name or row[1] not in known:
            raise LilliputError(f"line {number} of {path} is {row}, not '{name}' and a class")


def _write(path: Path, rows: Sequence[tuple[str, str]], *, as_csv: bool) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        if as_csv:
            csv.writer(file, lineterminator="\n").writerows([_HEADER, *rows])
        else:
            file.writelines(f"{name} {id}\n" for name, id in rows)


def _read(path: Path, *, as_csv: bool) -> list[list[str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        if as_csv:
            return list(csv.reader(file))[1:]
        return [line.removesuffix("\n").split(" ") for line in file]
