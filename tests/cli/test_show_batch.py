from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.cli.app import run
from lilliput.data.pack import Pack
from lilliput.data.showing import _GROUPS, shown_batch, shown_one_by_one
from lilliput.recipe import AugmentRecipe, load_recipe

VARIED = ["augment.flip=true", "augment.erase=1.0", "augment.cutmix=1.0", "augment.policy=trivial"]


def test_a_picture_is_drawn_and_told(
    tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "shown.png"
    words = ["show-batch", "toy-a", *VARIED, "--data", str(tiny_pack.path), "--out", str(out)]
    assert run([*words, "--images", "9", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"file": str(out), "images": 9, "rows": ["as the recipe varies them"]}
    assert np.asarray(Image.open(out)).std() > 10
    assert run([*words, "--each"]) == 2
    assert "is there already" in capsys.readouterr().err
    before = out.stat().st_size
    assert run([*words, "--each", "--force"]) == 0
    assert out.stat().st_size > before
    assert "7 images in every row" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--images", "0"],
        ["--images", "50"],
        ["--epoch", "0"],
        ["--epoch", "999"],
        ["--out", "a.jpg"],
    ],
)
def test_what_cannot_be_shown(
    options: list[str], tiny_pack: Pack, capsys: pytest.CaptureFixture
) -> None:
    assert run(["show-batch", "toy-a", "--data", str(tiny_pack.path), *options]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_each_row_has_the_same_images_and_one_change(tiny_pack: Pack) -> None:
    recipe = load_recipe("toy-a", [*VARIED, "augment.crop_pixels=0"])
    rows = shown_one_by_one(recipe, tiny_pack, 7)
    said = [row.what for row in rows]
    assert said == ["as they are", "flip=True", "policy=trivial", "erase=1.0", "cutmix=1.0"]
    plain = rows[0]
    for row in rows[1:-1]:
        np.testing.assert_array_equal(row.targets, plain.targets)
        assert (row.images != plain.images).any()
    assert (rows[-1].targets != plain.targets).any()
    together = shown_batch(recipe, tiny_pack, 3)
    assert together.images.shape == (3, 16, 16, 3)
    assert together.classes == tiny_pack.classes


def test_every_key_but_that_of_labels_has_its_row() -> None:
    shown = [key for group in _GROUPS for key in group]
    assert sorted([*shown, "label_smoothing"]) == sorted(AugmentRecipe.model_fields)
