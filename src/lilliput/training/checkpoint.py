"""Checkpoints: the whole state of a training in one file that is either whole or absent.

``checkpoints/<epoch>-<step>-<first 16 digits of its SHA-256>.safetensors`` holds the state that begins at this step.
The two newest are kept. A damaged one is passed over for the one before. Those from before the learning record was kept
still load; a run that goes on from one has none.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from lilliput.errors import RunError
from lilliput.results.atomic import write_bytes
from lilliput.results.history import Epoch
from lilliput.training.loop import TrainingState
from lilliput.training.weights import read_tensors, to_bytes

KEPT = 2
_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]{16})\.safetensors")


def save_checkpoint(folder: Path, state: TrainingState) -> Path:
    """Save a state; older checkpoints but the newest two go. Raises: StorageError, and then nothing has changed."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    if state.average:
        averaged = state.average.model.state_dict()
        tensors |= {f"average.{name}": value for name, value in averaged.items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{number}.{name}"] = value
    tensors["sums"] = state.sums
    if state.learning is not None:
        tensors["right"] = state.right
        rows = np.stack(state.learning) if state.learning else np.zeros((0, 0), np.uint8)
        tensors["learning"] = torch.from_numpy(rows)
    facts = {
        "epoch": state.epoch,
        "step": state.step,
        "seconds": state.seconds,
        "history": [asdict(epoch) for epoch in state.history],
    }
    content = to_bytes(tensors, {"state": json.dumps(facts)})
    path = folder / f"{state.epoch:05d}-{state.step:08d}-{_digest(content)}.safetensors"
    write_bytes(path, content)
    for old in _newest_first(folder)[KEPT:]:
        with suppress(OSError):
            old.unlink()
    return path


def load_checkpoint(folder: Path, state: TrainingState) -> list[str]:
    """Bring ``state`` to the newest whole checkpoint, if there is any. Gives a line for every damaged one passed over;
    those are removed, for they hold nothing to go back to.

    Raises: RunError when there are checkpoints and none is whole, or when one belongs to another network.
    """
    damaged: list[Path] = []
    for path in _newest_first(folder):
        if _is_whole(path):
            _restore(path, state)
            _clear_away(folder, damaged)
            return [f"checkpoint {one.name} is damaged; it was passed over" for one in damaged]
        damaged.append(path)
    if damaged:
        raise RunError(
            f"no checkpoint in {folder} is whole",
            "train again without --resume, into another --run",
        )
    return []


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that was saved last, whole or not."""
    return next(iter(_newest_first(folder)), None)


def _is_whole(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    try:
        return match is not None and _digest(path.read_bytes()) == match[3]
    except OSError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _clear_away(folder: Path, damaged: list[Path]) -> None:
    """Remove what must not count among the newest, and what a killed process left half-written."""
    for path in [*damaged, *folder.glob(".*.partial")]:
        with suppress(OSError):
            path.unlink()


def _restore(path: Path, state: TrainingState) -> None:
    tensors, metadata = read_tensors(path)
    facts = json.loads(metadata["state"])
    try:
        state.model.load_state_dict(_below("model.", tensors))
        if state.average:
            state.average.model.load_state_dict(_below("average.", tensors))
    except RuntimeError as error:
        raise RunError(f"{path} belongs to another network: {error}") from error
    optimizer = state.optimizer.state_dict()
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".")
            # In its parameter's memory format, so that the next steps run as fast as before.
            like = parameters[int(number)]
            value = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            optimizer["state"].setdefault(int(number), {})[key] = value
    state.optimizer.load_state_dict(optimizer)
    state.sums.copy_(tensors["sums"])
    if "learning" in tensors:
        state.right = tensors["right"].to(state.sums.device)
        state.learning = list(tensors["learning"].numpy())
    else:
        state.learning = None
    state.epoch, state.step, state.seconds = facts["epoch"], facts["step"], facts["seconds"]
    state.history[:] = [Epoch(**epoch) for epoch in facts["history"]]


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Those whose names begin so, named by the rest."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)
