"""Export: a run or an ensemble as one file for others, written, opened anew and compared before it takes its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lilliput.data.pack import Pack
from lilliput.delivery.check import (
    Check,
    Progress,
    compare,
    reference_of,
    refuse_difference,
    spread,
    suitable_images,
)
from lilliput.delivery.deliverable import deliverable_of, views_of
from lilliput.delivery.description import Description
from lilliput.delivery.onnx_file import require_onnx, write_onnx, write_quantized
from lilliput.delivery.sessions import (
    DESCRIPTION_FILE,
    OnnxSession,
    Pt2Session,
    SafetensorsSession,
    Session,
)
from lilliput.errors import UsageError, did_you_mean
from lilliput.results.atomic import atomic_path, folder_name, refuse_taken
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run
from lilliput.training.weights import read_tensors, to_bytes

PRECISIONS = ("fp32", "fp16", "int8")
CALIBRATION_IMAGES = 500


class Exported(NamedTuple):
    """A written file and what its check found."""

    path: Path
    description: Description
    size_bytes: int
    check: Check


class Work(NamedTuple):
    """What is to be written. ``pack`` is where training images are found, if it is at hand."""

    classifier: Run | Ensemble
    precision: str
    pack: Pack | None


class Exporter(NamedTuple):
    """A format: how it is written, how such a file is opened, and the precisions it can hold.

    ``require`` asks for what the writing needs, before any work is done.
    """

    write: Callable[[Work, Path], None]
    open: Callable[[str | Path], Session]
    precisions: tuple[str, ...]
    require: Callable[[], None]


def export_classifier(
    work: Work, to: str, out: Path, *, force: bool = False, progress: Progress | None = None
) -> Exported:
    """Write ``out`` in the format ``to`` and compare what it says with what the classifier says.

    In fp32 the two must be the same (``check.TOLERANCE``); what less precision costs is in the check that is returned.
    ``progress`` is called with (compared, total) images.
    Raises: LilliputError; then there is no file, or the one that was there.
    """
    check_order(work, to, out, force=force)
    exporter = EXPORTERS[to]
    reference = reference_of(work.classifier, work.pack)
    with atomic_path(out) as temporary:
        exporter.write(work, temporary)
        session = exporter.open(temporary)
        check = compare(session, reference, progress)
        if work.precision == "fp32":
            refuse_difference(check)
        size_bytes = temporary.stat().st_size
    return Exported(out, session.description, size_bytes, check)


def check_order(work: Work, to: str, out: Path, *, force: bool) -> None:
    """All that can be known before any work is done. Raises: UsageError, MissingExtraError."""
    if to not in EXPORTERS:
        raise UsageError(f"there is no format '{to}'", did_you_mean(to, EXPORTERS))
    if work.precision not in PRECISIONS:
        raise UsageError(
            f"there is no precision '{work.precision}'", did_you_mean(work.precision, PRECISIONS)
        )
    known = EXPORTERS[to].precisions
    if work.precision not in known:
        raise UsageError(
            f"{to} files are not written in {work.precision}",
            f"in {', '.join(known)}; or --to onnx",
        )
    if to == "safetensors" and isinstance(work.classifier, Ensemble):
        raise UsageError(
            f"{work.classifier.path} is an ensemble: the weights of several networks answer nothing by themselves",
            f"--to onnx holds them all; or export its members: {work.classifier.path / 'members'}/*",
        )
    if work.precision == "int8" and (work.pack is None or "train" not in work.pack):
        raise UsageError(
            "int8 is calibrated on training images, and the data this was trained on is not at hand",
            "name it: --data PACK_OR_SOURCE",
        )
    refuse_place(to, out, force=force)
    EXPORTERS[to].require()


def refuse_place(to: str, out: Path, *, force: bool) -> None:
    """Raises: UsageError when ``out`` is taken and ``force`` not given, or its suffix is another format's."""
    if out.suffix.lower() != f".{to}":
        raise UsageError(
            f"{out} does not end in .{to}, by which the file is known", f"--out {out.stem}.{to}"
        )
    refuse_taken(out, str(out / f"classifier.{to}"), force=force)


def default_place(classifier: Run | Ensemble, to: str, precision: str) -> Path:
    """Where a file is written if nothing else is said: here, by the name of the classifier."""
    stem = folder_name(classifier.name, "classifier")
    return Path(f"{stem}.{to}" if precision == "fp32" else f"{stem}-{precision}.{to}")


def _write_onnx(work: Work, path: Path) -> None:
    is_int8 = work.precision == "int8"
    module, description = deliverable_of(work.classifier, work.precision)
    metadata = description.to_metadata()
    if is_int8:
        write_quantized(module, description.size, metadata, path, _calibration_images(work))
    else:
        write_onnx(module, description.size, metadata, path)


def _write_pt2(work: Work, path: Path) -> None:
    module, description = deliverable_of(work.classifier, work.precision)
    program = _exported_program(module, description.size)
    metadata = json.dumps(description.to_metadata())
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files={DESCRIPTION_FILE: metadata})


def _write_safetensors(work: Work, path: Path) -> None:
    run = work.classifier
    assert isinstance(run, Run)
    tensors, metadata = read_tensors(run.weights_path)
    described = Description.from_metadata(metadata, run.weights_path)
    described = replace(described, views=views_of(run), source=run.name, precision=work.precision)
    if work.precision == "fp16":
        tensors = {
            name: one.half() if one.is_floating_point() else one for name, one in tensors.items()
        }
    path.write_bytes(to_bytes(tensors, {**metadata, **described.to_metadata()}))


def _exported_program(module: nn.Module, size: tuple[int, int]) -> torch.export.ExportedProgram:
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    shapes = ({0: torch.export.Dim("n")},)
    program = torch.export.export(module, (example,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def _calibration_images(work: Work) -> NDArray[np.uint8]:
    assert work.pack is not None
    chosen = spread(suitable_images(work.classifier, work.pack, "train"), CALIBRATION_IMAGES)
    return chosen.images(slice(None))


def _require_nothing() -> None:
    pass


EXPORTERS: dict[str, Exporter] = {
    "onnx": Exporter(_write_onnx, OnnxSession, PRECISIONS, require_onnx),
    "pt2": Exporter(_write_pt2, Pt2Session, ("fp32", "fp16"), _require_nothing),
    "safetensors": Exporter(
        _write_safetensors, SafetensorsSession, ("fp32", "fp16"), _require_nothing
    ),
}
"""The formats by name, which is their files' suffix too."""
