"""Exported files, opened to be called: ``session(images)`` gives the probabilities of pictures of the right size.

An ONNX file is opened without PyTorch. A ``.pt2`` file is opened by torch's own loader, which trusts what it opens:
take such files only from people you would take a program from. ONNX and safetensors files hold no code.
"""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lilliput.delivery.description import INPUT, OUTPUT, Description
from lilliput.errors import MissingExtraError, RunError, UsageError
from lilliput.results.folder import ClassName

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

DESCRIPTION_FILE = "lilliput.json"
"""Where a ``.pt2`` file keeps its description, among its extra files."""

# So many pictures are in memory at once: with all views it is six of every image.
_PICTURES = 1000
_PICTURES_OF_A_VIEW = {"plain": 1, "flip": 1, "shift": 4}


class Session(ABC):
    """An opened file. ``description`` is what it says about itself."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise RunError(
                f"there is no file {self.path}",
                "write one: lilliput export CLASSIFIER --to onnx",
            )
        try:
            metadata, self._answer = self._open()
        except (RunError, MissingExtraError):
            raise
        except Exception as error:  # every library has its own for a damaged file
            raise RunError(f"{self.path} cannot be opened: {error}", "export it again") from error
        self.description = Description.from_metadata(metadata, self.path)
        pictures = sum(_PICTURES_OF_A_VIEW.get(view, 1) for view in self.views)
        self._images = max(1, _PICTURES // pictures)

    @abstractmethod
    def _open(self) -> tuple[dict[str, str], Answer]:
        """The metadata, and what answers a batch."""

    @property
    def classes(self) -> tuple[ClassName, ...]:
        """The classes in the order of the columns."""
        return self.description.classes

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that images must have, in pixels."""
        return self.description.size

    @property
    def views(self) -> tuple[str, ...]:
        """The views that the file averages by itself."""
        return self.description.views

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32[n,k] of RGB images uint8[n,h,w,3], of any number. Raises: ValueError for others."""
        wanted = (*self.size, 3)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != wanted:
            found = f"{images.dtype}[{', '.join(map(str, images.shape))}]"
            raise ValueError(f"images are {found}, not uint8[n, {', '.join(map(str, wanted))}]")
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(images), self._images):
            # A copy: whole in memory, and torch wants to be allowed to write.
            parts.append(self._answer(np.array(images[start : start + self._images], order="C")))
        return np.concatenate(parts)


class OnnxSession(Session):
    """An ``.onnx`` file, by ONNX Runtime on the CPU, whose ``threads`` share the work of a call; 0 is one per core.

    Raises: MissingExtraError; RunError.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        self._threads = threads
        super().__init__(path)

    def _open(self) -> tuple[dict[str, str], Answer]:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("opening an ONNX file", "export") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors: it warns about what it optimises
        options.intra_op_num_threads = self._threads
        # As bytes: so no path can be misspelt, and the file cannot name others to be read.
        opened = onnxruntime.InferenceSession(
            self.path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )

        def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.asarray(opened.run([OUTPUT], {INPUT: images})[0])

        return dict(opened.get_modelmeta().custom_metadata_map), answer


class Pt2Session(Session):
    """A ``.pt2`` file, by ``torch.export.load``. Raises: RunError."""

    def _open(self) -> tuple[dict[str, str], Answer]:
        import json

        import torch

        if not zipfile.is_zipfile(self.path):  # torch would warn, then guess
            raise RunError(f"{self.path} cannot be opened: it is no .pt2 file", "export it again")
        extra = {DESCRIPTION_FILE: ""}
        with self.path.open("rb") as file:
            module = torch.export.load(file, extra_files=extra).module()

        def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return module(torch.from_numpy(images)).numpy()

        return json.loads(extra[DESCRIPTION_FILE] or "{}"), answer


class SafetensorsSession(Session):
    """The weights of a run: the network is built from the plan in their metadata. Raises: RunError."""

    def _open(self) -> tuple[dict[str, str], Answer]:
        import torch

        from lilliput.delivery.deliverable import deliverable_of_weights

        module, description = deliverable_of_weights(self.path)

        def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return module(torch.from_numpy(images)).numpy()

        return description.to_metadata(), answer


def open_session(path: str | Path) -> Session:
    """An exported file, opened by its suffix. Raises: UsageError for another suffix; RunError; MissingExtraError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SESSIONS:
        raise UsageError(f"{path} is no exported classifier", "they end in " + ", ".join(SESSIONS))
    return SESSIONS[suffix](path)


SESSIONS: dict[str, Callable[[str | Path], Session]] = {
    ".onnx": OnnxSession,
    ".pt2": Pt2Session,
    ".safetensors": SafetensorsSession,
}
