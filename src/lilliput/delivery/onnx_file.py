"""A deliverable as one ONNX file: the graph, its weights and its description, nothing of this machine."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lilliput.delivery.description import INPUT, OUTPUT
from lilliput.errors import MissingExtraError

# The opset that torch's exporter writes without converting, read by ONNX Runtime since 1.14.
OPSET = 18
_CALIBRATION_BATCH = 50


def require_onnx() -> None:
    """Raises: MissingExtraError where writing and checking an ONNX file is not possible."""
    try:
        import onnx
        import onnxruntime
        import onnxscript

        del onnx, onnxruntime, onnxscript
    except ImportError as error:
        raise MissingExtraError("exporting to ONNX", "export") from error


def write_onnx(
    module: nn.Module, size: tuple[int, int], metadata: Mapping[str, str], path: Path
) -> None:
    """Write the module, which takes images of ``size``, with a free number of images."""
    model = _traced(module, size)
    _finish(model, metadata)
    _save(model, path)


def write_quantized(
    module: nn.Module,
    size: tuple[int, int],
    metadata: Mapping[str, str],
    path: Path,
    images: NDArray[np.uint8],
) -> None:
    """Write the module with convolutions and fully connected layers in 8-bit integers.

    ``images`` uint8[m,h,w,3] show which range the values between the layers have.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / "quantized.onnx"
        with _quiet_logging("root"):
            quantize_static(
                _traced(module, size),
                written,
                _Batches(images),  # pyrefly: ignore  (its base class would load ONNX Runtime with this file)
                quant_format=QuantFormat.QDQ,
                # Resizing is a matrix product too, and must stay exact.
                op_types_to_quantize=["Conv", "Gemm"],
                per_channel=True,
                # Seven bits of weights: processors without VNNI add two products in 16 bits.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        import onnx

        model = onnx.load(written)
    _finish(model, metadata)
    _save(model, path)


class _Batches:
    """Images as the quantiser asks for them: a batch at a time, then None."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        starts = range(0, len(images), _CALIBRATION_BATCH)
        self._left = iter([images[start : start + _CALIBRATION_BATCH] for start in starts])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._left, None)
        return None if batch is None else {INPUT: np.ascontiguousarray(batch)}


def _traced(module: nn.Module, size: tuple[int, int]) -> Any:
    """The module as an onnx.ModelProto."""
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    with _quiet_logging("torch.onnx"), warnings.catch_warnings():
        # torch copies its own deprecated class while it exports.
        warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning)
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _finish(model: Any, metadata: Mapping[str, str]) -> None:
    """Leave out what torch noted about this machine, the paths of its source files, and say what the file is."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:], graph.value_info[:], model.metadata_props[:]
    for key, value in sorted(metadata.items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.producer_name, model.producer_version = "lilliput", metadata["lilliput"]
    graph.name, graph.doc_string, model.doc_string = "classifier", "", ""
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def _save(model: Any, path: Path) -> None:
    import onnx

    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet_logging(name: str) -> Iterator[None]:
    """Without what the libraries log below errors: that torchvision is missing, that a graph could be prepared."""
    logger = logging.getLogger(None if name == "root" else name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
