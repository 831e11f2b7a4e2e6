"""The audit: which images are hard and why, which labels look wrong, which pictures are there twice. Paper: §1.2, §7.

``evidence`` ranks the images, ``suspicions`` suggests causes, ``labels`` and ``duplicates`` look for what their names
say, ``droplist`` chooses what to leave out, ``findings`` puts all together, ``page`` and ``gallery`` show it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lilliput.analysis.audit.droplist import write_out
from lilliput.analysis.audit.findings import Findings, examine, facts_of, image_table
from lilliput.analysis.audit.gallery import draw_causes
from lilliput.analysis.audit.page import render
from lilliput.analysis.style import PHOTOS_DPI, write_figure
from lilliput.errors import RunError
from lilliput.results.atomic import storage_errors, write_bytes

__all__ = ["CAUSES_FILE", "Findings", "examine", "facts_of", "refuse_other_folder", "write_audit"]

CAUSES_FILE = "causes.png"


def refuse_other_folder(folder: Path) -> None:
    """Raises: RunError when there is something other than an audit in ``folder``; StorageError when it is a file."""
    with storage_errors(folder):
        holds_more = folder.exists() and any(folder.iterdir())
    if holds_more and not (folder / "audit.json").is_file():
        raise RunError(
            f"{folder} holds something else than an audit", "name another folder: --to DIR"
        )


def write_audit(findings: Findings, folder: Path) -> dict[str, Path]:
    """Write audit.json, images.csv, audit.html and drop.txt into ``folder``; what was there before is replaced.

    So is causes.png, Fig. 1 of the paper, unless no cause is suggested for any image. Raises: StorageError.
    """
    train = findings.of("train")
    evidence = train.evidence if train else None
    made_of = ", ".join(findings.runs)
    contents = {
        "audit.json": json.dumps(_finite(facts_of(findings)), indent=1) + "\n",
        "images.csv": image_table(findings),
        "audit.html": render(findings),
        "drop.txt": write_out(findings.droplist, evidence, findings.pack, made_of),
    }
    paths = {name: folder / name for name in contents}
    for name, text in contents.items():
        # A file name may hold bytes that are no text; they become question marks, but not where they are read again.
        errors = "surrogateescape" if name == "drop.txt" else "replace"
        write_bytes(paths[name], text.encode("utf-8", errors))
    picture = folder / CAUSES_FILE
    written = write_figure(picture, partial(draw_causes, findings), PHOTOS_DPI)
    if not written:
        picture.unlink(missing_ok=True)
    return paths | {path.name: path for path in written}


def _finite(value: Any) -> Any:
    # JSON has no nan; what is not known is null there.
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
