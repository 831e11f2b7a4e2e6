"""What the seeds of one recipe are worth together: the runs of an ablation's first value as an ensemble. Paper: §7."""

from __future__ import annotations

import shutil

from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.analysis.figures import save_figures
from lilliput.analysis.figures.ablation import save_ablation_figure
from lilliput.results.ablation import Ablation
from lilliput.results.ensemble import Ensemble


def finish_ablation(ablation: Ablation, *, subsets: bool) -> Ensemble | None:
    """Draw what the runs tell together; with ``subsets``, average the seeds of the first value too."""
    save_ablation_figure(ablation)
    if not subsets or len(ablation.seeds) == 1:
        return None
    ensemble = ensemble_of_seeds(ablation)
    save_figures(ensemble)
    return ensemble


def ensemble_of_seeds(ablation: Ablation) -> Ensemble:
    """Average the seeds of the first value, in every subset, into ``ensemble`` in the ablation's folder, anew.

    Raises: UsageError with one seed; RunError when a run is not finished.
    """
    runs = [ablation.run(ablation.values[0], seed) for seed in ablation.seeds]
    findings = study_ensemble(runs, split=ablation.split)
    folder = ablation.path / "ensemble"
    shutil.rmtree(folder, ignore_errors=True)
    return make_ensemble(findings, folder)
