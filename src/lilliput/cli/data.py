"""The command ``prepare``, and the pack behind every ``--data``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Flag, Json, answer, bold, duration, note, program, progress

if TYPE_CHECKING:
    from lilliput.data.pack import Pack


def prepare(
    source: str,
    /,
    *,
    to: Path | None = None,
    size: int = 64,
    skip_broken: Flag = False,
    force: Flag = False,
    verify: Flag = False,
    json: Json = False,
) -> None:
    """Decode a data set once, into a pack that every other command opens at once.

    The source is only read. Preparing what is prepared already takes no time.

    Parameters
    ----------
    source
        The official zip or its extracted folder, a folder of class folders (with or without train/val/test above them),
        a Parquet file; or `tiny-imagenet`, which is downloaded, or `toy`, which is drawn.
    to
        The pack's folder; a place in the cache if none is named.
    size
        Height and width of the packed images in pixels.
    skip_broken
        Leave out pictures that cannot be decoded, and name them, instead of stopping.
    force
        Make the pack anew even if there is one.
    verify
        Read the finished pack once more and compare every byte with its checksum.
    """
    from lilliput.data.prepare import prepare as prepare_pack

    started = time.monotonic()
    _download_if_named(source)
    with progress(f"preparing {source}", "images") as show:
        pack = prepare_pack(
            source, to, size=size, skip_broken=skip_broken, force=force, progress=show
        )
    if verify:
        note("comparing every byte with its checksum ...")
        pack.verify()
    seconds = time.monotonic() - started
    facts = {
        "pack": str(pack.path),
        "fingerprint": pack.fingerprint,
        "classes": len(pack.classes),
        "image_size": pack.image_size,
        "counts": pack.counts,
        "left_out": pack.left_out,
        "seconds": seconds,
    }
    images = ", ".join(f"{name} {count:,}" for name, count in pack.counts.items())
    text = [
        bold(f"{pack.path}"),
        f"{len(pack.classes)} classes; images: {images}; fingerprint {pack.fingerprint[:16]}",
        f"ready in {duration(seconds)}; try: {program()} train m1 --data {shlex.quote(str(pack.path))}",
    ]
    if pack.left_out:
        text.insert(2, f"left out as broken: {', '.join(file for file, _ in pack.left_out)}")
    answer("\n".join(text), facts, as_json=json)


def open_pack(data: str) -> Pack:
    """The pack at ``data``, or the one made of the source there."""
    from lilliput.data.prepare import open_data

    _download_if_named(data)
    with progress(f"preparing {data}", "images") as show:
        return open_data(data, progress=show)


def _download_if_named(source: str) -> None:
    """Fetch what ``tiny-imagenet`` stands for where people can see it; nothing to do for other sources."""
    if source != "tiny-imagenet":
        return
    from lilliput.data.download import download_tiny_imagenet

    with progress("downloading tiny-imagenet-200.zip", "MB") as show:
        download_tiny_imagenet(progress=lambda done, total: show(done // 10**6, total // 10**6))
