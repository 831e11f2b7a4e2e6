"""The hardest training images as a list that a training can leave out: ``train data.drop=FILE``. Paper: §7.

Only images that a network judged without having trained on them can be listed. How late an image was learned counts
towards its hardness, but alone it is too coarse: most images tie by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.audit.evidence import Evidence
from lilliput.analysis.style import short_name
from lilliput.data.pack import Pack

MOST_OF_A_CLASS = 0.5
HARDLY_ANY = 0.25  # of the training images known: a list made of fewer says that it is
_FOLDS = "data.folds=5 data.fold=1 (then 2, 3 ... 5)"


@dataclass(frozen=True, eq=False)
class DropList:
    """``chosen`` int64[m] are places in the evidence about train, hardest first; ``remarks`` say how it was made."""

    chosen: NDArray[np.int64]
    remarks: tuple[str, ...]


def choose_to_drop(evidence: Evidence | None, share: float) -> DropList:
    """The hardest ``share`` of the judged training images, but never more than half of what is known of a class."""
    if evidence is None or not evidence.judged.any():
        reason = "empty: no network judged training images that it had not trained on"
        how = f"train with {_FOLDS}, then audit all these runs together"
        return DropList(np.empty(0, np.int64), (reason, how))
    judged = evidence.judged > 0
    wanted = round(share * judged.sum())
    left = np.floor(MOST_OF_A_CLASS * np.bincount(evidence.labels)).astype(int)
    chosen: list[int] = []
    for place in evidence.hardest[judged[evidence.hardest]].tolist():
        if len(chosen) == wanted:
            break
        if left[evidence.labels[place]]:
            left[evidence.labels[place]] -= 1
            chosen.append(place)
    return DropList(np.array(chosen, dtype=np.int64), _remarks(share, judged))


def _remarks(share: float, judged: NDArray[np.bool_]) -> tuple[str, ...]:
    known, count = len(judged), int(judged.sum())
    remarks = [
        f"the hardest {100 * share:g} % of {count:,} training images, hardest first",
        "they were judged by networks that had not trained on them; equally hard ones in random order",
    ]
    if count < known:
        hardly = "hardly any image is judged: " if count < HARDLY_ANY * known else ""
        remarks += [
            f"{hardly}of {known - count:,} more, {100 * (1 - count / known):.0f} % of the {known:,} known, "
            "it is only known how late they were learned; none of these is listed",
            f"to judge all of them: train with {_FOLDS}, then audit all these runs",
        ]
    return tuple(remarks)


def write_out(droplist: DropList, evidence: Evidence | None, pack: Pack, made_of: str) -> str:
    """The list as a text: a name per line and behind it what it is; ``#`` begins a remark."""
    lines = ["Training images to leave out: lilliput train RECIPE --data DATA data.drop=THIS_FILE"]
    lines += [*droplist.remarks, f"made of {made_of}", f"for the data {pack.fingerprint}"]
    head = [f"# {' '.join(line.split())}" for line in lines]
    return "\n".join([*head, *_names(droplist, evidence, pack)]) + "\n"


def _names(droplist: DropList, evidence: Evidence | None, pack: Pack) -> Sequence[str]:
    if evidence is None:
        return []
    found = []
    for place in droplist.chosen.tolist():
        name = evidence.names[place]
        if name != name.strip() or len(name.splitlines()) != 1:
            continue  # a name that a line cannot hold
        what = short_name(pack.classes[evidence.labels[place]].name)
        remark = f"  # {what}, harder than {100 * evidence.hardness[place]:.1f} %"
        found.append(name if "#" in name else name + remark)
    return found
