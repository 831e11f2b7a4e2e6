"""What is to be served, as sessions of ONNX Runtime: an ONNX file as it is, all else exported first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lilliput.delivery.classifier import Classifier
from lilliput.delivery.ready import READY, named, ready_made
from lilliput.delivery.server.looking import Served
from lilliput.delivery.sessions import OnnxSession
from lilliput.errors import MissingExtraError, UsageError
from lilliput.results.ensemble import Ensemble, distinct_names
from lilliput.results.open import open_classifier
from lilliput.results.run import Run


def open_served(
    paths: Sequence[Path], folder: Path, say: Callable[[str], None], *, threads: int = 0
) -> tuple[Served, ...]:
    """The classifiers at ``paths``, each asked once. ``folder`` is for the files of those that are exported.

    ``threads`` share the work of one answer; 0 is one per core.
    Raises: UsageError, RunError, MissingExtraError saying what is wrong with one of them.
    """
    served: list[Served] = []
    for number, path in enumerate(map(named, paths)):
        session = OnnxSession(_onnx_file(path, folder / f"{number}.onnx", say), threads)
        classifier = Classifier.of_session(session)
        classifier(np.zeros((1, classifier.size, classifier.size, 3), np.uint8))
        name = READY if path == ready_made() else session.description.source or path.name
        served.append(Served(name, classifier, session.description))
    names = distinct_names([one.name for one in served])
    return tuple(replace(one, name=name) for one, name in zip(served, names, strict=True))


def _onnx_file(path: Path, place: Path, say: Callable[[str], None]) -> Path:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return path
    is_weights = suffix == ".safetensors" and path.is_file()
    if path.is_file() and not is_weights:
        raise UsageError(
            f"{path} is no ONNX file",
            "name the folder of its run; or export that: lilliput export RUN --to onnx",
        )
    classifier = None if is_weights else open_classifier(path)
    say(f"exporting {path.name if is_weights else path} to ONNX ...")
    try:
        if classifier:
            _export(classifier, place)
        else:
            _export_weights(path, place)
    except MissingExtraError as error:
        raise MissingExtraError("serving anything but an ONNX file", "export") from error
    return place


def _export(classifier: Run | Ensemble, place: Path) -> None:
    from lilliput.delivery.export import Work, export_classifier

    export_classifier(Work(classifier, "fp32", None), "onnx", place)


def _export_weights(path: Path, place: Path) -> None:
    from lilliput.delivery.deliverable import deliverable_of_weights
    from lilliput.delivery.onnx_file import require_onnx, write_onnx

    require_onnx()
    module, description = deliverable_of_weights(path)
    write_onnx(module, description.size, description.to_metadata(), place)
