"""Everything an audit finds out about a pack, put together: the spine of ``lilliput audit``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.audit.droplist import DropList, choose_to_drop
from lilliput.analysis.audit.duplicates import (
    LEAST_CORRELATION,
    MOST_BITS,
    Duplicate,
    find_duplicates,
)
from lilliput.analysis.audit.evidence import MEASURES, Evidence, collect
from lilliput.analysis.audit.labels import suspected_labels
from lilliput.analysis.audit.suspicions import (
    CAUSES,
    HARD,
    LITTLE,
    SMALL,
    UNLIKE,
    Flags,
    found_in,
    suspect,
)
from lilliput.analysis.located import require_trained_on
from lilliput.data.pack import Pack
from lilliput.errors import MissingExtraError, RunError, UsageError
from lilliput.results.folder import Predicted

_LISTED = 200  # images in full in audit.json; images.csv has them all
_FORMAT = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitFindings:
    """About one split: the evidence, the causes suggested (bool[n] by name), places of suspected labels."""

    evidence: Evidence
    causes: dict[str, Flags]
    labels: NDArray[np.int64]

    @property
    def split(self) -> str:
        """The split of the pack."""
        return self.evidence.split


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """What an audit found. ``left_out`` says what could not be looked for, and how it can."""

    pack: Pack
    runs: tuple[str, ...]
    splits: tuple[SplitFindings, ...]
    duplicates: tuple[Duplicate, ...]
    droplist: DropList
    left_out: tuple[str, ...]

    def of(self, split: str) -> SplitFindings | None:
        """What was found about one split of the pack."""
        return next((one for one in self.splits if one.split == split), None)


def examine(
    runs: Sequence[Predicted],
    pack: Pack,
    *,
    split: str = "all",
    drop_share: float = 0.05,
    say: Callable[[str], None] = lambda text: None,
) -> Findings:
    """Look for hard images, their causes, suspected labels and near-duplicates; ``say`` is told what is being done.

    ``split`` is val, train or all; near-duplicates are looked for in the whole pack. Nothing is written.
    Raises: UsageError; RunError when the runs say nothing about the split, or do not belong together or to the pack.
    """
    if not 0 <= drop_share < 1:
        raise UsageError(f"a share of {drop_share} cannot be dropped", "--drop-share 0.05")
    if split not in ("all", "val", "train"):
        raise UsageError(f"split '{split}' cannot be audited", "val, train, or all for both")
    if not runs:
        raise UsageError("an audit needs a run", "lilliput audit RUN --data DATA")
    for run in runs:
        require_trained_on(run, pack)
    say("reading what the runs say about every image ...")
    evidence = [one for one in collect(runs, pack) if split in ("all", one.split)]
    if not evidence:
        raise RunError(
            f"the runs have said nothing about labelled images of {'train or val' if split == 'all' else split}",
            "lilliput evaluate RUN --data DATA, or train with data.folds=5 to judge training images",
        )
    splits, left_out = [], []
    for one in evidence:
        say(f"looking at {len(one):,} images of {one.split} ...")
        labels = np.empty(0, np.int64)
        try:
            labels = suspected_labels(one)
        except MissingExtraError as error:
            left_out.append(f"{error}: {error.hint}")
        splits.append(SplitFindings(evidence=one, causes=suspect(one, pack), labels=labels))
    say(f"comparing {sum(pack.counts.values()):,} pictures with each other ...")
    train = next((one for one in evidence if one.split == "train"), None)
    return Findings(
        pack=pack,
        runs=tuple(str(run.path) for run in runs),
        splits=tuple(splits),
        duplicates=tuple(find_duplicates(pack)),
        droplist=choose_to_drop(train, drop_share),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def facts_of(findings: Findings) -> dict[str, Any]:
    """The findings as plain values, ready for JSON; nan where something is not known."""
    pack = findings.pack
    pairs = Counter("-".join(sorted({d.first[0], d.second[0]})) for d in findings.duplicates)
    return {
        "format": _FORMAT,
        "data": {"path": str(pack.path), "fingerprint": pack.fingerprint},
        "runs": list(findings.runs),
        "left_out": list(findings.left_out),
        "thresholds": {
            "small": SMALL,
            "little": LITTLE,
            "unlike": UNLIKE,
            "hardest": HARD,
            "duplicate_bits": MOST_BITS,
            "duplicate_correlation": LEAST_CORRELATION,
        },
        "splits": {one.split: _facts_of_split(one, pack) for one in findings.splits},
        "duplicate_counts": dict(pairs),
        "duplicates": _facts_of_pairs(findings),
        "drop": {
            "images": len(findings.droplist.chosen),
            "remarks": list(findings.droplist.remarks),
        },
    }


def image_table(findings: Findings) -> str:
    """Every image there is evidence about as CSV, hardest first within its split."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading = ["split", "name", "class_id", "class", "predicted", "hardness", *MEASURES, *CAUSES]
    writer.writerow([*heading, "label_suspected", "dropped"])
    dropped = set(findings.droplist.chosen.tolist())
    for one in findings.splits:
        suspected = set(one.labels.tolist())
        for place in one.evidence.hardest.tolist():
            row = _facts_of_image(one, findings.pack, place)
            causes = [int(name in row["causes"]) for name in CAUSES]
            measures = ["" if np.isnan(row[name]) else row[name] for name in MEASURES]
            start = [one.split, row["name"], row["class_id"], row["class"], row["predicted"]]
            is_dropped = one.split == "train" and place in dropped
            marks = [int(place in suspected), int(is_dropped)]
            writer.writerow([*start, row["hardness"], *measures, *causes, *marks])
    return text.getvalue()


def _facts_of_split(one: SplitFindings, pack: Pack) -> dict[str, Any]:
    evidence = one.evidence
    judged = evidence.judged > 0
    right = judged & (evidence.predicted == evidence.labels)
    return {
        "images": len(evidence),
        "predicted": int(judged.sum()),
        "right": int(right.sum()),
        "most_runs_per_image": int(evidence.judged.max(initial=0)),
        "measures": [name for name in MEASURES if np.isfinite(evidence.measures[name]).any()],
        "causes": {
            name: {"images": int(flags.sum()), **found_in(evidence, flags)._asdict()}
            for name, flags in one.causes.items()
        },
        "hardest": [_facts_of_image(one, pack, i) for i in evidence.hardest[:_LISTED].tolist()],
        "suspected_label_count": len(one.labels),
        "suspected_labels": [_facts_of_image(one, pack, i) for i in one.labels[:_LISTED].tolist()],
    }


def _facts_of_image(one: SplitFindings, pack: Pack, place: int) -> dict[str, Any]:
    evidence = one.evidence
    truth = pack.classes[evidence.labels[place]]
    guess = int(evidence.predicted[place]) if evidence.judged[place] else -1
    return {
        "name": evidence.names[place],
        "class_id": truth.id,
        "class": truth.name,
        "predicted": pack.classes[guess].name if guess >= 0 else "",
        "hardness": float(evidence.hardness[place]),
        **{name: float(evidence.measures[name][place]) for name in MEASURES},
        "causes": [name for name, flags in one.causes.items() if flags[place]],
    }


def _facts_of_pairs(findings: Findings) -> list[dict[str, Any]]:
    pack = findings.pack
    splits = {name: pack[name] for name in pack.splits}

    def side(split: str, row: int) -> dict[str, Any]:
        labels = splits[split].labels
        truth = pack.classes[labels[row]].name if labels is not None else None
        return {"split": split, "name": splits[split].names[row], "class": truth}

    facts = []
    for one in findings.duplicates:
        first, second = side(*one.first), side(*one.second)
        known = None not in (first["class"], second["class"])
        differ = known and first["class"] != second["class"]
        likeness = {"bits": one.bits, "correlation": one.correlation}
        facts.append({"first": first, "second": second, **likeness, "classes_differ": differ})
    return facts
