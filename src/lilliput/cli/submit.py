"""The command ``submit``."""

from __future__ import annotations

from pathlib import Path

from lilliput.cli.console import Flag, Json, answer, bold, note
from lilliput.cli.data import open_pack


def submit(
    classifier: Path,
    /,
    *,
    data: str,
    out: Path,
    csv: Flag = False,
    force: Flag = False,
    json: Json = False,
) -> None:
    """Label the test images and write the challenge's submission file.

    One line per image, `test_0.JPEG n01443537`, in the order of the images' numbers; read back and checked. Stored
    predictions are used; where there are none, the network makes them and they are kept.

    Parameters
    ----------
    classifier
        A run or an ensemble.
    data
        The pack or source with the test images.
    out
        The file to write.
    csv
        Write `image,class` with a heading line instead.
    force
        Replace the file if it is there already.
    """
    from lilliput import api

    pack = open_pack(data)
    note(f"labelling the test images of {pack.path} ...")
    written = api.submit(classifier, pack, out, csv=csv, force=force)
    used = sum(count > 0 for count in written.counts)
    lines = [
        bold(f"{written.path}: {written.images:,} images labelled"),
        f"{used} of {len(written.counts)} classes were given; the file was read back and is in order",
    ]
    facts = {
        "file": str(written.path),
        "images": written.images,
        "classes": len(written.counts),
        "classes_given": used,
        "format": "csv" if csv else "text",
    }
    answer("\n".join(lines), facts, as_json=json)
