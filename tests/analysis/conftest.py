"""A run that predicted the pictures of a pack, made up without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

NAMES = {"n00": "bus", "n01": "spoon", "n02": "<script>alert(1)</script>", "n03": "$\\frac{$"}
TRAIN, VAL = 20, 8


def boxed_pack(folder: Path) -> Pack:
    """Pictures of 32 x 32 in the official layout: 4 classes, of n00 large boxes, of n01 small ones."""
    random = np.random.default_rng(5)
    root = folder / "source"
    annotations = []
    for number, id in enumerate(NAMES):
        images = root / "train" / id / "images"
        images.mkdir(parents=True)
        lines = []
        for i in range(TRAIN + VAL):
            is_train = i < TRAIN
            pixels = random.normal(110, 30 + 12 * number, (32, 32, 3))
            pixels[:, :, number % 3] += 60
            name = f"{id}_{i}.JPEG" if is_train else f"val_{VAL * number + i - TRAIN}.JPEG"
            place = images / name if is_train else root / "val" / "images" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            picture.save(place, quality=95)
            side = 30 - 6 * number - i % 3
            box = f"{i % 4}\t{2}\t{i % 4 + side}\t{side}"
            if is_train:
                lines.append(f"{name}\t{box}\n")
            else:
                annotations.append(f"{name}\t{id}\t{box}\n")
        (images.parent / f"{id}_boxes.txt").write_text("".join(lines))
    (root / "val" / "val_annotations.txt").write_text("".join(annotations))
    (root / "test" / "images").mkdir(parents=True)
    # The test picture is a training picture.
    first = (root / "train" / "n00" / "images" / "n00_0.JPEG").read_bytes()
    (root / "test" / "images" / "test_0.JPEG").write_bytes(first)
    (root / "wnids.txt").write_text("".join(f"{id}\n" for id in NAMES))
    (root / "words.txt").write_text("".join(f"{id}\t{name}\n" for id, name in NAMES.items()))
    return prepare(root, folder / "pack", size=32)


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """See :func:`boxed_pack`. Not to be changed."""
    return boxed_pack(tmp_path_factory.mktemp("boxed"))


def predict(
    pack: Pack, split: str, *, skill: float = 3.0, seed: int = 0, rows: np.ndarray | None = None
) -> Predictions:
    """What a network of this skill might say to (some of) the pictures of a split."""
    random = np.random.default_rng(seed)
    chosen = np.arange(len(pack[split])) if rows is None else rows
    labels = np.asarray(pack[split].labels)[chosen]
    logits = random.normal(size=(len(chosen), len(pack.classes)))
    logits[np.arange(len(chosen)), labels] += skill * (labels + 1) / 4
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(probabilities, labels, tuple(pack[split].names[row] for row in chosen))


@pytest.fixture
def predicted_run(tmp_path: Path, pack: Pack) -> Callable[..., Run]:
    """``predicted_run("name", skill=..., seed=...)``: a run folder with predictions of the pack's val split."""

    def make(name: str = "m1-1", **settings) -> Run:
        environment = {"data": {"path": str(pack.path), "fingerprint": pack.fingerprint}}
        run = Run.create(
            tmp_path / name, 'name = "m1"\n[training]\nepochs = 1\n', environment, pack.classes
        )
        run.save_predictions("val", predict(pack, "val", **settings))
        return run

    return make
