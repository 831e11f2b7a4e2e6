"""Lilliput: trains, evaluates and explains classifiers of small images.

>>> import lilliput
>>> pack = lilliput.prepare("tiny-imagenet-200.zip")  # doctest: +SKIP
>>> run = lilliput.train("m1", pack, overrides=["training.epochs=3"])  # doctest: +SKIP
>>> print(lilliput.evaluate(run).top1)  # doctest: +SKIP

Every name is loaded when it is first used, so ``import lilliput`` costs nothing and loads no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lilliput.analysis.report import write_report
    from lilliput.api import evaluate, train
    from lilliput.data.pack import Pack, Split
    from lilliput.data.prepare import open_data, prepare
    from lilliput.errors import LilliputError
    from lilliput.experiment import run_experiment, run_steps
    from lilliput.notation import ZOO, Plan, parse, trace
    from lilliput.recipe import Recipe, load_recipe
    from lilliput.results.history import Epoch
    from lilliput.results.predictions import Predictions
    from lilliput.results.run import Run

__version__ = "0.1.0"

__all__ = [
    "ZOO",
    "Epoch",
    "LilliputError",
    "Pack",
    "Plan",
    "Predictions",
    "Recipe",
    "Run",
    "Split",
    "__version__",
    "evaluate",
    "load_recipe",
    "open_data",
    "parse",
    "prepare",
    "run_experiment",
    "run_steps",
    "trace",
    "train",
    "write_report",
]

_HOMES = {
    "ZOO": "notation",
    "Epoch": "results.history",
    "LilliputError": "errors",
    "Pack": "data.pack",
    "Plan": "notation",
    "Predictions": "results.predictions",
    "Recipe": "recipe",
    "Run": "results.run",
    "Split": "data.pack",
    "evaluate": "api",
    "load_recipe": "recipe",
    "open_data": "data.prepare",
    "parse": "notation",
    "prepare": "data.prepare",
    "run_experiment": "experiment",
    "run_steps": "experiment",
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
