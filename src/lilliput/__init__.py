"""Lilliput: trains, evaluates and explains classifiers of small images.

>>> import lilliput
>>> pack = lilliput.prepare("tiny-imagenet-200.zip")  # doctest: +SKIP
>>> run = lilliput.train("m1", pack, overrides=["training.epochs=3"])  # doctest: +SKIP
>>> print(lilliput.evaluate(run).top1)  # doctest: +SKIP

Every name is loaded when it is first used, so ``import lilliput`` costs nothing and loads no PyTorch. The commands
``search`` and ``reproduce`` are :func:`run_search` and :func:`run_reproduction` here: those are names of packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lilliput.analysis.report import write_report
    from lilliput.api import (
        ablate,
        audit,
        compare,
        ensemble,
        evaluate,
        explain,
        export,
        predict,
        run_search,
        submit,
        train,
    )
    from lilliput.data.pack import Pack, Split
    from lilliput.data.prepare import open_data, prepare
    from lilliput.delivery.classifier import Classifier
    from lilliput.delivery.server import serve
    from lilliput.errors import LilliputError
    from lilliput.experiment import run_experiment, run_steps
    from lilliput.notation import ZOO, Plan, parse, trace
    from lilliput.recipe import Recipe, load_recipe
    from lilliput.reproduce import run_reproduction
    from lilliput.results.ablation import Ablation
    from lilliput.results.ensemble import Ensemble
    from lilliput.results.history import Epoch
    from lilliput.results.open import open_result
    from lilliput.results.predictions import Predictions
    from lilliput.results.run import Run
    from lilliput.results.study import Study

__version__ = "0.1.0"

__all__ = [
    "ZOO",
    "Ablation",
    "Classifier",
    "Ensemble",
    "Epoch",
    "LilliputError",
    "Pack",
    "Plan",
    "Predictions",
    "Recipe",
    "Run",
    "Split",
    "Study",
    "__version__",
    "ablate",
    "audit",
    "compare",
    "ensemble",
    "evaluate",
    "explain",
    "export",
    "load_recipe",
    "open_data",
    "open_result",
    "parse",
    "predict",
    "prepare",
    "run_experiment",
    "run_reproduction",
    "run_search",
    "run_steps",
    "serve",
    "submit",
    "trace",
    "train",
    "write_report",
]

_HOMES = {
    "ZOO": "notation",
    "Ablation": "results.ablation",
    "Classifier": "delivery.classifier",
    "Ensemble": "results.ensemble",
    "Epoch": "results.history",
    "LilliputError": "errors",
    "Pack": "data.pack",
    "Plan": "notation",
    "Predictions": "results.predictions",
    "Recipe": "recipe",
    "Run": "results.run",
    "Split": "data.pack",
    "Study": "results.study",
    "ablate": "api",
    "audit": "api",
    "compare": "api",
    "ensemble": "api",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "load_recipe": "recipe",
    "open_data": "data.prepare",
    "open_result": "results.open",
    "parse": "notation",
    "predict": "api",
    "prepare": "data.prepare",
    "run_experiment": "experiment",
    "run_reproduction": "reproduce",
    "run_search": "api",
    "run_steps": "experiment",
    "serve": "delivery.server",
    "submit": "api",
    "trace": "notation",
    "train": "api",
    "write_report": "analysis.report",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
