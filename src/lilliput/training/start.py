"""A network that begins with the weights of another one, already trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from lilliput.errors import RecipeError
from lilliput.notation import Plan
from lilliput.results.run import Run
from lilliput.training.weights import read_tensors


def start_from(
    model: nn.Sequential, plan: Plan, classes: Sequence[tuple[str, str]], start: str
) -> None:
    """Give ``model``, the network of ``plan``, all that a run or a file of weights has learned.

    Weights, batch statistics, and how pixels are standardised. The last layer's are taken over when that run had the
    same ``classes`` in the same order; else it begins anew.
    Raises: RecipeError when the network there is another one; RunError when it cannot be read.
    """
    tensors, metadata = read_tensors(weights_of(start))
    own = model.state_dict()
    last = list(own)[-2:]  # the weights and biases of the FC that every plan ends with
    known = [tuple(one) for one in json.loads(metadata.get("classes", "[]"))]
    if known != [tuple(one) for one in classes]:
        tensors |= {name: own[name] for name in last}
    if _shapes(tensors) != _shapes(own):
        raise _other_network(start, metadata, plan, _shapes(tensors), _shapes(own))
    model.load_state_dict(tensors)


def weights_of(start: str) -> Path:
    """The file of weights of a run's folder, or the file itself. Raises: RecipeError when there is none."""
    path = Path(start)
    if path.is_dir():
        path = Run.open(path).weights_path
    if not path.is_file():
        raise RecipeError(
            f"model.start = {start}: there are no weights",
            "name the folder of a finished run, or a file that lilliput export --to safetensors wrote",
        )
    return path


def start_digest(start: str) -> str:
    """SHA-256 of the weights a training begins with. Raises: RecipeError."""
    return hashlib.sha256(weights_of(start).read_bytes()).hexdigest()


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _other_network(
    start: str,
    metadata: dict[str, str],
    plan: Plan,
    there: dict[str, tuple[int, ...]],
    here: dict[str, tuple[int, ...]],
) -> RecipeError:
    # Its place in the network is all that a tensor's name says, so the plans are what people can compare.
    plan_there = metadata.get("plan", "")
    if plan_there.rpartition(" -> ")[0] != str(plan).rpartition(" -> ")[0]:
        return RecipeError(
            f"model.start = {start} has another network:\n  there: {plan_there}\n  here:  {plan}",
            f'model.plan="{plan_there}"',
        )
    name = next(name for name in here if there.get(name) != here[name])
    return RecipeError(
        f"model.start = {start} was trained on images of {metadata.get('image_size', 'another size')} pixels: "
        f"{name} is {there.get(name)}, not {here[name]}",
        "prepare the data at that size",
    )
