"""Tensors as safetensors files whose bytes follow from their content alone, and the networks that some of them hold."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lilliput.data.statistics import empty_statistics
from lilliput.errors import LilliputError, RunError
from lilliput.models.build import build_model
from lilliput.notation import parse
from lilliput.results.atomic import write_bytes


class Network(NamedTuple):
    """A network out of a file, in evaluation mode, on the CPU, and the texts that were written beside its tensors.

    ``model``: images uint8[b,3,h,w] in, logits out.
    """

    model: nn.Sequential
    metadata: dict[str, str]


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file. The library writes the metadata in an order that changes; here it is sorted, so equal tensors
    and metadata give equal bytes.
    """
    raw = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    header = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to 8 bytes
    return struct.pack("<Q", len(text)) + text + raw[8 + length :]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write such a file atomically. Raises: StorageError."""
    write_bytes(path, to_bytes(tensors, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file. Raises: RunError when it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} cannot be read as weights: {error}", "train again") from error


def read_network(path: Path) -> Network:
    """The network in a file of weights; its plan and the size of its images stand in the metadata.

    Raises: RunError when the file is missing or damaged, or holds other tensors.
    """
    tensors, metadata = read_tensors(path)
    try:
        height, width = json.loads(metadata["image_size"])
        model = build_model(parse(metadata["plan"]), *empty_statistics(height, width))
        model.load_state_dict(tensors)
    except KeyError as error:
        raise RunError(
            f"{path} does not hold a network: its metadata lacks {error}", "train again"
        ) from error
    except (TypeError, ValueError, RuntimeError, LilliputError) as error:
        raise RunError(f"{path} does not hold a network: {error}", "train again") from error
    return Network(model.eval(), metadata)
