"""The command ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Flag, Json, answer, bold, note, progress
from lilliput.cli.data import open_pack

if TYPE_CHECKING:
    from lilliput.delivery.check import Check
    from lilliput.delivery.export import Exported


def export(
    classifier: Path,
    /,
    *,
    to: str,
    precision: str = "fp32",
    out: Path | None = None,
    data: str | None = None,
    force: Flag = False,
    json: Json = False,
) -> None:
    """Write a run or an ensemble as one file for others: bytes of pictures in, probabilities out.

    Views, standardisation, softmax and an ensemble's members are inside the file. It is opened anew and compared with
    the classifier on up to 10,000 validation images; a file that says something else is not kept.
    ONNX files need onnx, onnxscript and onnxruntime: scripts/setup export.

    Parameters
    ----------
    classifier
        A run or an ensemble.
    to
        onnx (for any language), pt2 (torch.export), or safetensors (the weights of a run).
    precision
        fp32; fp16 is half as large; int8, of onnx, a quarter, calibrated on training images.
        What the last two cost in accuracy is measured and said.
    out
        The file to write; without it, one here with the classifier's name.
    data
        Pack or source with the validation images; without it, the pack the run was trained on,
        and where that is gone, random images.
    force
        Replace the file if it is there already.
    """
    from lilliput import api

    pack = open_pack(data) if data else None
    note(f"exporting {classifier} ...")
    with progress("comparing the file with the classifier", "images") as show:
        written = api.export(
            classifier, to, out, precision=precision, data=pack, force=force, progress=show
        )
    answer(_describe(written), _facts(written, to), as_json=json)


def _describe(written: Exported) -> str:
    one, check = written.description, written.check
    height, width = one.size
    lines = [
        bold(f"{written.path}: {written.size_bytes / 1e6:.1f} MB, {one.precision}"),
        f"images uint8[n, {height}, {width}, 3] in, probabilities float32[n, {len(one.classes)}] out; "
        f"views inside: {', '.join(one.views)}",
        f"checked on {check.images:,} {check.of} images: the class is the same for {100 * check.agreement:.2f} %, "
        f"probabilities differ by up to {check.largest_difference:.2g} from those {check.reference}",
    ]
    if not check.is_real:
        lines.append("no pack is at hand, so they were noise: --data PACK checks it on pictures")
    if one.precision != "fp32" and (loss := _loss(check)):
        lines.append(loss)
    return "\n".join(lines)


def _loss(check: Check) -> str:
    if check.top1 is None or check.top1_before is None:
        return ""
    change = 100 * (check.top1 - check.top1_before)
    return (
        f"top-1 is {100 * check.top1:.2f} % instead of {100 * check.top1_before:.2f} %: "
        f"{change:+.2f} points"
    )


def _facts(written: Exported, to: str) -> dict[str, object]:
    one = written.description
    return {
        "file": str(written.path),
        "format": to,
        "precision": one.precision,
        "bytes": written.size_bytes,
        "source": one.source,
        "classes": len(one.classes),
        "image_size": list(one.size),
        "views": list(one.views),
        "check": written.check._asdict(),
    }
