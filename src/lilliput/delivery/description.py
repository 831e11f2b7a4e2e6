"""What an exported file says about itself, so that whoever opens it needs nothing else: text by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lilliput
from lilliput.errors import RunError
from lilliput.results.folder import ClassName

INPUT, OUTPUT = "images", "probabilities"

RESIZE_RULE = (
    "upright by EXIF; to 8-bit RGB, grey as three equal channels, transparency over white; a picture of the wanted "
    "size is left as it is; any other is cut to its central square and scaled with Pillow's BICUBIC filter "
    "(Image.resize with box=, which smooths before it shrinks)"
)
"""``data.decode`` in a sentence; docs/export.md has it in full."""


@dataclass(frozen=True)
class Description:
    """``size`` is (height, width) of the images in pixels; ``views`` are those averaged inside the file.

    ``source`` is the name of the run or ensemble; an ensemble has a ``method``, and ``members`` with name, weight and
    views of each.
    """

    classes: tuple[ClassName, ...]
    size: tuple[int, int]
    views: tuple[str, ...]
    source: str
    precision: str = "fp32"
    method: str = ""
    members: tuple[dict[str, Any], ...] = ()
    lilliput: str = lilliput.__version__

    def to_metadata(self) -> dict[str, str]:
        """All values as JSON in ASCII, but for the version: names may hold anything, and a file must hold any name."""
        facts = {
            "classes": json.dumps([list(one) for one in self.classes]),
            "image_size": json.dumps(list(self.size)),
            "lilliput": self.lilliput,
            "precision": json.dumps(self.precision),
            "resize": json.dumps(RESIZE_RULE),
            "source": json.dumps(self.source),
            "views": json.dumps(list(self.views)),
        }
        if self.members:
            facts |= {
                "members": json.dumps(list(self.members)),
                "method": json.dumps(self.method),
            }
        return facts

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: Path) -> Description:
        """What the file at ``path`` says. Raises: RunError when Lilliput has not written it, or it is damaged."""
        if "lilliput" not in metadata:
            raise RunError(
                f"{path} was not exported by Lilliput: it does not name its classes",
                "export a run or an ensemble: lilliput export CLASSIFIER --to onnx",
            )
        try:
            height, width = json.loads(metadata["image_size"])
            return cls(
                classes=tuple(
                    ClassName(str(id), str(name)) for id, name in json.loads(metadata["classes"])
                ),
                size=(int(height), int(width)),
                # The weights of a run are not told which views its recipe averages.
                views=tuple(map(str, json.loads(metadata.get("views", '["plain"]')))),
                source=str(json.loads(metadata.get("source", '""'))),
                precision=str(json.loads(metadata.get("precision", '"fp32"'))),
                method=str(json.loads(metadata.get("method", '""'))),
                members=tuple(json.loads(metadata.get("members", "[]"))),
                lilliput=metadata["lilliput"],
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunError(
                f"{path} is damaged: what it says about itself cannot be read ({error})",
                "export it again",
            ) from error
