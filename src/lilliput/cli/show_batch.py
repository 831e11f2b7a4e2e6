"""The command ``show-batch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer
from lilliput.cli.data import open_pack
from lilliput.errors import UsageError
from lilliput.results.atomic import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lilliput.analysis.photos import Photo, PhotoRow
    from lilliput.data.showing import Shown

MOST = 49


def show_batch(
    recipe: str,
    /,
    *overrides: str,
    data: str,
    out: Path = Path("show-batch.png"),
    images: int = 21,
    epoch: int = 1,
    each: bool = False,
    force: bool = False,
    json: Json = False,
) -> None:
    """Draw training images as the network sees them: augmented, with what they are taken to be.

    Parameters
    ----------
    recipe
        A shipped recipe (m1, m2, m3, m4 ...) or a TOML file.
    overrides
        Changes to the recipe, such as augment.flip=true or seed=2.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    out
        The PNG file to draw into.
    images
        How many images, up to 49; no more than a step sees.
    epoch
        The epoch whose first images are shown.
    each
        Seven images as they are, and a row for each augmentation of the recipe alone.
    force
        Replace a file that is there.
    """
    from lilliput.recipe import load_recipe

    _check(out, images, epoch, force=force)
    loaded = load_recipe(recipe, overrides)
    if epoch > loaded.training.epochs:
        raise UsageError(f"--epoch {epoch}: the recipe has {loaded.training.epochs}")
    pack = open_pack(data)
    from lilliput.analysis.photos import draw_photos  # late: this and PyTorch take seconds to load
    from lilliput.analysis.style import PHOTOS_DPI, write_figure
    from lilliput.data.showing import shown_batch, shown_one_by_one

    if each:
        found = shown_one_by_one(loaded, pack, 7, epoch)
        rows = [_row(one.what, one, slice(0, 7)) for one in found]
    else:
        one = shown_batch(loaded, pack, images, epoch)
        found = [one]
        rows = [_row("", one, slice(first, first + 7)) for first in range(0, len(one.images), 7)]
    title = f"Training images of {loaded.name}, epoch {epoch}"
    note = "Below each its class; where two are mixed, both with their shares of the target."
    write_figure(out, lambda: draw_photos(title, rows, note), PHOTOS_DPI)
    shown = len(found[0].images)
    facts = {"file": str(out), "images": shown, "rows": [one.what for one in found]}
    answer(f"{out}: {shown} images{' in every row' if each else ''}", facts, as_json=json)


def _row(heading: str, shown: Shown, part: slice) -> PhotoRow:
    from lilliput.analysis.photos import PhotoRow

    return PhotoRow(heading, "", list(_photos(shown, part)))


def _photos(shown: Shown, part: slice) -> Iterator[Photo]:
    from lilliput.analysis.photos import Photo
    from lilliput.analysis.style import percent

    for image, target in zip(shown.images[part], shown.targets[part], strict=True):
        first, second = (-target).argsort(kind="stable")[:2]
        names = [shown.classes[k].name for k in (first, second)]
        if target[first] < 1 and target[second] > target.min():  # mixed, not smoothed alone
            # A caption is cut to a few letters, and the share stands at its end.
            short = [name.split(",")[0][:6].rstrip() for name in names]
            shares = [percent(float(target[k]), 0) for k in (first, second)]
            yield Photo(image, f"{short[0]} {shares[0]}", remark=f"{short[1]} {shares[1]}")
        else:
            yield Photo(image, names[0])


def _check(out: Path, images: int, epoch: int, *, force: bool) -> None:
    if not 1 <= images <= MOST:
        raise UsageError(f"--images {images}: 1 to {MOST} can be shown", "--images 21")
    if epoch < 1:
        raise UsageError(f"--epoch {epoch}: epochs are counted from 1", "--epoch 1")
    if out.suffix.casefold() != ".png":
        raise UsageError(f"{out}: it is drawn as a PNG file", f"--out {out.with_suffix('.png')}")
    refuse_taken(out, str(out / "show-batch.png"), force=force)
