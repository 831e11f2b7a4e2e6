"""One network out of the weights of several that were trained alike from the same beginning: a soup.

Wortsman et al. 2022, arXiv:2203.05482, section 2, the greedy one: the best run first, then each other one, in the order
of what it can do alone, if the mean of all weights is then no worse on the images that were held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import lilliput
from lilliput.data.pack import Pack
from lilliput.data.residence import Mapped
from lilliput.data.selection import Selection, select, select_heldout
from lilliput.errors import RunError
from lilliput.evaluation import evaluate_run, load_model
from lilliput.models.shared import BatchNorm
from lilliput.recipe import load_recipe
from lilliput.results.metrics import top_k_accuracy
from lilliput.results.run import Run
from lilliput.training.runtime import runtime_here
from lilliput.training.validation import predict_selection
from lilliput.training.weights import write_tensors

STATISTICS_IMAGES, _BATCH = 10_000, 250


class Tried(NamedTuple):
    """A run that was offered to the soup: its accuracy ``alone``, the soup's ``with_it``, and whether it stays."""

    run: Run
    alone: float
    with_it: float
    is_kept: bool


def greedy_soup(runs: Sequence[Run], pack: Pack, out: Path) -> Iterator[Tried]:
    """Write the weights of a soup of ``runs`` to ``out``; gives every run in the order in which it is tried.

    Accuracies are of the images that all of them held out of *train*, with the views of the first. Batch statistics are
    measured on training images. The network with the views of the first run is in ``out`` when the last has been given.
    Raises: RunError when the runs are of different networks, or did not hold out the same images; StorageError.
    """
    _check_alike(runs)
    heldout = _heldout(runs, pack)
    recipe = load_recipe(runs[0].recipe_path)
    training = select(pack, recipe.data, recipe.seed).training
    runtime = runtime_here(runs[0].environment.get("runtime", {}))
    alone = {
        run.path: top_k_accuracy(evaluate_run(run, pack, "heldout", recipe.evaluation.views), 1)
        for run in runs
    }
    first, *others = sorted(runs, key=lambda run: -alone[run.path])
    soup, best = load_model(first), alone[first.path]
    kept = [soup.state_dict()]
    yield Tried(first, best, best, True)
    for run in others:
        offered = [*kept, load_model(run).state_dict()]
        model = _mixed(runs[0], offered)
        measure_statistics(runtime.place(model), _sample(training, runtime.torch_device))
        said = predict_selection(model, heldout, recipe.evaluation.views, runtime)
        accuracy = top_k_accuracy(said, 1)
        if is_kept := accuracy >= best:
            soup, kept, best = model, offered, accuracy
        yield Tried(run, alone[run.path], accuracy, is_kept)
    metadata = {**runs[0].weights_metadata(), "lilliput": lilliput.__version__}
    write_tensors(out, soup.state_dict(), metadata)


@torch.no_grad()
def measure_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every batch normalisation the mean statistics of the batches, in place of those it has."""
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    model.eval()
    if not norms:
        return
    momenta = [one.momentum for one in norms]
    for one in norms:
        one.reset_running_stats()
        one.momentum = None  # all batches count alike
        one.train()
    for images in batches:
        model(images)
    for one, momentum in zip(norms, momenta, strict=True):
        one.momentum = momentum
        one.eval()


def _mixed(like: Run, states: Sequence[dict[str, Tensor]]) -> nn.Sequential:
    """The network whose every number is the mean of theirs."""
    model = load_model(like)
    means = {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(first.dtype)
        for name, first in states[0].items()
    }
    model.load_state_dict(means)
    return model


def _sample(training: Selection, device: torch.device) -> Iterator[Tensor]:
    """Some of the training images, in batches, of all classes."""
    count = min(STATISTICS_IMAGES, len(training))
    places = np.random.default_rng(0).permutation(len(training))[:count]
    return Mapped(training, device).batches(np.array_split(places, -(-count // _BATCH)))


def _check_alike(runs: Sequence[Run]) -> None:
    first = runs[0].weights_metadata()
    for run in runs[1:]:
        other = run.weights_metadata()
        for key in ("plan", "classes", "image_size"):
            if other.get(key) != first.get(key):
                raise RunError(
                    f"{runs[0].name} and {run.name} are not alike: they differ in {key}",
                    "only weights of one network can be averaged; lilliput ensemble takes any",
                )


def _heldout(runs: Sequence[Run], pack: Pack) -> Selection:
    """The images that all runs held out. Raises: RunError."""
    selections = []
    for run in runs:
        recipe = load_recipe(run.recipe_path)
        if not recipe.data.holds_out:
            raise RunError(
                f"{run.name} held no images out, so nothing is left to choose by",
                "train with data.holdout=0.1 data.holdout_seed=1",
            )
        selections.append(select_heldout(pack, recipe.data, recipe.seed))
    for run, one in zip(runs, selections, strict=True):
        if one.names != selections[0].names:
            raise RunError(
                f"{runs[0].name} and {run.name} held out different images",
                "train all of them with one data.holdout_seed",
            )
    return selections[0]
