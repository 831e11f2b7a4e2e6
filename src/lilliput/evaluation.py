"""What the networks of finished runs say to the splits of a pack."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lilliput.data.pack import Pack
from lilliput.data.selection import Selection, select_heldout, select_split
from lilliput.errors import RunError
from lilliput.recipe import Recipe, load_recipe
from lilliput.results.ensemble import Ensemble
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run
from lilliput.training.runtime import runtime_here
from lilliput.training.validation import predict_selection
from lilliput.training.weights import read_network


def evaluate_run(
    run: Run, pack: Pack, split: str = "val", views: Sequence[str] | None = None
) -> Predictions:
    """What the trained network says to a split of a pack.

    Stored in the run when it is the data the run was trained on, asked with the recipe's own views; so what a report
    shows is always of the run's own data.
    ``split`` is a split of the pack, or ``heldout``: what the recipe held out of train.
    Raises: RunError when the pack has other classes, another size or no such split.
    """
    recipe = load_recipe(run.recipe_path)
    runtime = runtime_here(run.environment.get("runtime", {}))
    model = runtime.place(load_model(run))
    selection = _selection_of(run, recipe, pack, split)
    refuse_other_size(run, pack, tuple(json.loads(run.weights_metadata()["image_size"])))
    asked = recipe.evaluation.views if views is None else tuple(views)
    predictions = predict_selection(model, selection, asked, runtime)
    if asked == recipe.evaluation.views and run.fingerprint == pack.fingerprint:
        run.save_predictions(split, predictions)
    return predictions


def load_model(run: Run) -> nn.Sequential:
    """The trained network of a run, in evaluation mode, on the CPU: images uint8[b,3,h,w] in, logits out.

    Raises: RunError when its weights are missing or damaged.
    """
    return read_network(run.finished_weights()).model


def _selection_of(run: Run, recipe: Recipe, pack: Pack, split: str) -> Selection:
    places = places_of_classes(run, pack)
    if split == "heldout" and recipe.data.holds_out:
        if run.fingerprint != pack.fingerprint:
            raise RunError(
                f"{pack.path} is not the data {run.name} held images out of",
                "name the data it was trained on",
            )
        selection = select_heldout(pack, recipe.data, recipe.seed)
    elif split in pack:
        selection = select_split(pack, split, places)
    else:
        raise RunError(
            f"there is no split '{split}' in {pack.path}", "it has: " + ", ".join(pack.splits)
        )
    return selection


def places_of_classes(trained: Run | Ensemble, pack: Pack) -> NDArray[np.int64]:
    """Where the classes of a run or an ensemble stand among the pack's. Raises: RunError when one is not there."""
    place = {one.id: number for number, one in enumerate(pack.classes)}
    if not {one.id for one in trained.classes} <= set(place):
        raise RunError(
            f"{pack.path} has other classes than {trained.name} was trained on",
            "name the data it was trained on",
        )
    return np.array([place[one.id] for one in trained.classes])


def refuse_other_size(trained: Run | Ensemble, pack: Pack, size: tuple[int, int]) -> None:
    """Raises: RunError when the images of the pack are not of ``size`` (height, width), as those of training were."""
    if pack.image_size != size:
        raise RunError(
            f"{pack.path} holds images of {pack.image_size} pixels; {trained.name} was trained on {size}",
            f"prepare it with --size {size[0]}",
        )
