"""What the seeds of one recipe are worth together: the runs of an ablation's first value as an ensemble. Paper: §7."""

from __future__ import annotations

import shutil

from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.results.ablation import Ablation
from lilliput.results.ensemble import Ensemble


def ensemble_of_seeds(ablation: Ablation) -> Ensemble:
    """Average the seeds of the first value, in every subset, into ``ensemble`` in the ablation's folder, anew.

    Raises: UsageError with one seed; RunError when a run is not finished.
    """
    runs = [ablation.run(ablation.values[0], seed) for seed in ablation.seeds]
    findings = study_ensemble(runs, split=ablation.split)
    folder = ablation.path / "ensemble"
    shutil.rmtree(folder, ignore_errors=True)
    return make_ensemble(findings, folder)
