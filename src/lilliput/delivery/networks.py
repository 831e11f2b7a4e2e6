"""Networks as PyTorch runs them, made classifiers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.delivery.classifier import Ask, Classifier, side_of
from lilliput.errors import RunError, UsageError
from lilliput.evaluation import load_model
from lilliput.models.predict import VIEWS, predict
from lilliput.notation import parse, trace
from lilliput.recipe import load_recipe
from lilliput.results.folder import ClassName
from lilliput.results.run import Run
from lilliput.training.runtime import FORMATS, Runtime, find_device
from lilliput.training.weights import Network, read_network

_PLAIN = json.dumps(["plain"])
_HINT = "take a file as a training or an export has written it"


def open_run(run: Run, device: str) -> Classifier:
    """A run's network, with the views of its recipe, in the arithmetic of its training where that device is here.

    Raises: RunError, UsageError.
    """
    views = load_recipe(run.recipe_path).evaluation.views
    network = Network(load_model(run), run.weights_metadata())
    runtime = _runtime(run.environment.get("runtime"), device)
    return _classifier(run.name, run.weights_path, network, views, runtime)


def open_weights(path: Path, device: str) -> Classifier:
    """The network of a file of weights alone, in fp32, with the views its metadata names; without, the plain one.

    Raises: RunError, UsageError.
    """
    network = read_network(path)
    views = _read(path, network, "views")
    if not isinstance(views, list) or not views or not all(str(view) in VIEWS for view in views):
        raise RunError(f"{path}: views {views} are not known", "known: " + ", ".join(VIEWS))
    return _classifier(path.name, path, network, tuple(views), _runtime(None, device))


def _classifier(
    name: str, path: Path, network: Network, views: tuple[str, ...], runtime: Runtime
) -> Classifier:
    """Raises: RunError when the metadata does not fit the network."""
    height, width = _read(path, network, "image_size")
    try:
        classes = tuple(
            ClassName(str(id), str(name)) for id, name in _read(path, network, "classes")
        )
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: it names no classes", _HINT) from error
    outputs = trace(parse(network.metadata["plan"]), (3, height, width))[-1].shape[0]
    if outputs != len(classes):
        raise RunError(
            f"{path} is damaged: it names {len(classes)} classes for {outputs} outputs", _HINT
        )
    side = side_of(path, (height, width))
    return Classifier(name, classes, side, views, _asking(path, network, views, runtime))


def _asking(path: Path, network: Network, views: tuple[str, ...], runtime: Runtime) -> Ask:
    model = runtime.place(network.model)
    bf16 = runtime.precision == "bf16"

    def ask(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = torch.from_numpy(images).to(runtime.torch_device).permute(0, 3, 1, 2)
        probabilities = predict(model, [runtime.arrange(batch)], views=views, bf16=bf16)
        if not np.isfinite(probabilities).all():
            raise RunError(f"{path} gives numbers that are no probabilities", "train again")
        return probabilities

    return ask


def _runtime(recorded: Any, device: str) -> Runtime:
    """What a training ran on, so that the answers are those it stored; plain where that is not known, or not asked for.

    Raises: UsageError for a device that is not here.
    """
    known = recorded if isinstance(recorded, dict) else {}
    trained_on = str(known.get("device", ""))
    here = _device_of(trained_on) if device == "auto" else find_device(device)
    is_same = here.partition(":")[0] == trained_on.partition(":")[0]
    precision = "bf16" if is_same and known.get("precision") == "bf16" else "fp32"
    memory_format = known.get("memory_format") if is_same else None
    if memory_format not in FORMATS:
        memory_format = "channels_last"
    return Runtime(here, precision, memory_format, torch.get_num_threads())


def _device_of(trained_on: str) -> str:
    try:
        return find_device(trained_on)
    except UsageError:
        return find_device("auto")


def _read(path: Path, network: Network, key: str) -> Any:
    try:
        return json.loads(network.metadata.get(key, _PLAIN if key == "views" else ""))
    except ValueError as error:
        raise RunError(f"{path} is damaged: its metadata has no {key}", _HINT) from error
