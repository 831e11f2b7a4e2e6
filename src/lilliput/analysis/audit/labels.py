"""Labels that look wrong, by confident learning (Northcutt et al. 2021, arXiv:1911.00068), as cleanlab has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.audit.evidence import Evidence
from lilliput.errors import MissingExtraError

_LEAST_PER_CLASS = 2


def suspected_labels(evidence: Evidence) -> NDArray[np.int64]:
    """Places of the images whose label looks wrong, the most suspicious first.

    Only predictions of images the networks had not seen are used: those in the evidence are. The weaker the networks,
    the more right labels are suspected.
    Raises: MissingExtraError without cleanlab.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtraError("finding wrong labels", "audit") from error
    judged = np.flatnonzero(evidence.judged > 0)
    place = np.full(int(max(evidence.labels.max(initial=0), evidence.classes.max())) + 1, -1)
    place[evidence.classes] = np.arange(len(evidence.classes))
    labels = place[evidence.labels[judged]]
    # Confident learning estimates a threshold per class, which needs images of every class.
    present = np.bincount(labels, minlength=len(evidence.classes)) >= _LEAST_PER_CLASS
    if not present.all():
        kept = present[labels]
        judged, labels = judged[kept], (np.cumsum(present) - 1)[labels[kept]]
    if present.sum() < 2:
        return np.empty(0, np.int64)
    odds = evidence.mean[judged][:, present].astype(np.float64) + 1e-12
    odds /= odds.sum(axis=1, keepdims=True)
    found = find_label_issues(
        labels, odds, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return judged[np.asarray(found, dtype=np.int64)]
