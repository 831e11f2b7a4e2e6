"""What is to be served, as sessions of ONNX Runtime: a file as it is, a run or an ensemble exported first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lilliput.delivery.classifier import Classifier
from lilliput.delivery.server.looking import Served
from lilliput.delivery.sessions import OnnxSession
from lilliput.errors import MissingExtraError, UsageError
from lilliput.results.ensemble import distinct_names


def open_served(
    paths: Sequence[Path], folder: Path, say: Callable[[str], None]
) -> tuple[Served, ...]:
    """The classifiers at ``paths``, each asked once. ``folder`` is for the files of those that are exported.

    Raises: UsageError, RunError, MissingExtraError saying what is wrong with one of them.
    """
    served: list[Served] = []
    for number, path in enumerate(paths):
        session = OnnxSession(_onnx_file(path, folder / f"{number}.onnx", say))
        classifier = Classifier.of_session(session)
        classifier(np.zeros((1, classifier.size, classifier.size, 3), np.uint8))
        name = session.description.source or path.name
        served.append(Served(name, classifier, session.description))
    names = distinct_names([one.name for one in served])
    return tuple(replace(one, name=name) for one, name in zip(served, names, strict=True))


def _onnx_file(path: Path, place: Path, say: Callable[[str], None]) -> Path:
    if path.is_file() or path.suffix.lower() == ".onnx":
        if path.suffix.lower() != ".onnx":
            raise UsageError(
                f"{path} is no ONNX file",
                "name the folder of its run; or export that: lilliput export RUN --to onnx",
            )
        return path
    from lilliput.results.open import open_classifier

    classifier = open_classifier(path)
    say(f"exporting {path} to ONNX ...")
    try:
        from lilliput.delivery.export import Work, export_classifier

        export_classifier(Work(classifier, "fp32", None), "onnx", place)
    except MissingExtraError as error:
        raise MissingExtraError(
            "serving a run or an ensemble, which is exported first,", "export"
        ) from error
    return place
