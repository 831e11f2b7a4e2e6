"""The drawn set: official layout, true boxes, the same bytes everywhere, the promised shares."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.data.toy import picture, toy_classes, write_toy_zip
from lilliput.data.toy.catalogue import THINGS
from lilliput.data.toy.light import paint
from lilliput.data.toy.pen import SUPERSAMPLING, Pen, Pose
from lilliput.data.toy.picture import (
    GREY_SHARE,
    HARD_CAUSES,
    HARD_SHARE,
    draw_picture,
    hard_cause,
    spaced,
)
from lilliput.errors import StorageError, UsageError

TRAIN, VAL, TEST = 3, 2, 1


@cache
def toy_bytes(train: int = TRAIN, val: int = VAL, test: int = TEST, seed: int = 0) -> bytes:
    stream = io.BytesIO()
    write_toy_zip(stream, seed=seed, train_images=train, val_images=val, test_images=test)
    return stream.getvalue()


def archive(**numbers: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(toy_bytes(**numbers)))


def rows(content: bytes) -> list[list[str]]:
    return [line.split("\t") for line in content.decode().splitlines()]


def test_classes_are_enough_and_sorted() -> None:
    ids = [id for id, _ in toy_classes()]
    names = [name for _, name in toy_classes()]
    assert len(ids) >= 12
    assert ids == sorted(ids)
    assert len(set(ids)) == len(set(names)) == len(ids)
    assert all(len(id) == 9 and id[0] == "n" and id[1:].isdigit() for id in ids)
    assert {"school bus", "wooden spoon"} <= set(names)


def test_the_layout_is_the_official_one() -> None:
    ids = [id for id, _ in toy_classes()]
    expected = {"toy/wnids.txt", "toy/words.txt", "toy/val/val_annotations.txt"}
    expected |= {f"toy/train/{id}/{id}_boxes.txt" for id in ids}
    expected |= {f"toy/train/{id}/images/{id}_{n}.JPEG" for id in ids for n in range(TRAIN)}
    expected |= {f"toy/val/images/val_{n}.JPEG" for n in range(VAL * len(ids))}
    expected |= {f"toy/test/images/test_{n}.JPEG" for n in range(TEST * len(ids))}
    with archive() as toy:
        assert sorted(toy.namelist()) == sorted(expected)
        assert toy.testzip() is None


def test_the_lists_name_every_picture_once() -> None:
    ids = [id for id, _ in toy_classes()]
    with archive() as toy:
        assert toy.read("toy/wnids.txt").decode().split() == ids
        assert rows(toy.read("toy/words.txt")) == [list(pair) for pair in toy_classes()]
        for id in ids:
            boxes = rows(toy.read(f"toy/train/{id}/{id}_boxes.txt"))
            assert [row[0] for row in boxes] == [f"{id}_{n}.JPEG" for n in range(TRAIN)]
            assert all(is_box(row[1:]) for row in boxes)
        annotations = rows(toy.read("toy/val/val_annotations.txt"))
    assert [row[0] for row in annotations] == [f"val_{n}.JPEG" for n in range(VAL * len(ids))]
    assert sorted(row[1] for row in annotations) == sorted(ids * VAL)
    assert [row[1] for row in annotations[: len(ids)]] != ids, "the order must not tell the label"
    assert all(is_box(row[2:]) for row in annotations)


def is_box(numbers: list[str]) -> bool:
    x0, y0, x1, y1 = map(int, numbers)
    return 0 <= x0 <= x1 <= 63 and 0 <= y0 <= y1 <= 63


def test_pictures_are_small_jpegs() -> None:
    with archive() as toy:
        for name in [name for name in toy.namelist() if name.endswith(".JPEG")]:
            with Image.open(io.BytesIO(toy.read(name))) as image:
                assert (image.format, image.size) == ("JPEG", (64, 64)), name
                assert image.mode in ("RGB", "L"), name
                image.load()


def test_a_grey_picture_is_a_file_of_one_channel() -> None:
    number, index = next(
        (n, i) for i in range(40) for n in range(16) if draw_picture(0, "train", n, i).grey
    )
    with archive(train=index + 1, val=0, test=0) as toy:
        id = toy_classes()[number][0]
        with Image.open(io.BytesIO(toy.read(f"toy/train/{id}/images/{id}_{index}.JPEG"))) as image:
            assert image.mode == "L"


def test_equal_arguments_give_equal_bytes_in_any_process() -> None:
    code = (
        "import io, hashlib; from lilliput.data.toy import write_toy_zip; s = io.BytesIO();"
        f"write_toy_zip(s, train_images={TRAIN}, val_images={VAL}, test_images={TEST});"
        "print(hashlib.sha256(s.getvalue()).hexdigest())"
    )
    for hash_seed, zone in (("1", "UTC"), ("77", "Asia/Tokyo")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == hashlib.sha256(toy_bytes()).hexdigest()


def test_another_seed_draws_other_pictures() -> None:
    with archive(train=1, val=0, test=0) as one, archive(train=1, val=0, test=0, seed=1) as other:
        for name in one.namelist():
            if name.endswith(".JPEG"):
                assert one.read(name) != other.read(name), name


def test_a_larger_set_begins_with_the_smaller_one() -> None:
    with archive() as large, archive(train=2, val=1, test=1) as small:
        for name in small.namelist():
            if name.endswith(".JPEG"):
                assert small.read(name) == large.read(name), name
        start = small.read("toy/val/val_annotations.txt")
        assert large.read("toy/val/val_annotations.txt").startswith(start)


def test_pictures_differ_from_each_other() -> None:
    with archive() as toy:
        pictures = [toy.read(name) for name in toy.namelist() if name.endswith(".JPEG")]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("number", range(len(THINGS)), ids=[thing.name for thing in THINGS])
def test_a_box_is_what_the_pen_has_drawn(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured anew on the large canvas: the box is the drawn extent, clipped, to the pixel."""
    canvases: list[np.ndarray] = []

    def watched(pen: Pen) -> None:
        THINGS[number].draw(pen)
        canvases.append(np.asarray(pen.canvas)[..., 3] > 0)

    spied = list(THINGS)
    spied[number] = THINGS[number]._replace(draw=watched)
    monkeypatch.setattr(picture, "THINGS", tuple(spied))
    for index in range(6):
        if hard_cause(5, "train", number, index) == "background":
            continue  # partly hidden by another thing: the next test
        box = draw_picture(5, "train", number, index).box
        drawn = canvases[-1]
        columns, lines = np.flatnonzero(drawn.any(axis=0)), np.flatnonzero(drawn.any(axis=1))
        extent = (columns[0], lines[0], columns[-1], lines[-1])
        for side, edge in zip(box, extent, strict=True):
            assert abs(side - edge // SUPERSAMPLING) <= 1, (index, box, extent)


def test_a_thing_in_the_background_shows_outside_what_hides_it() -> None:
    found = 0
    for number in range(16):
        for index in range(100):
            if hard_cause(0, "train", number, index) == "background":
                x0, y0, x1, y1 = draw_picture(0, "train", number, index).box
                assert x1 - x0 < 32, (number, index)
                assert y1 - y0 < 32, (number, index)
                found += 1
                break
    assert found == 16


def test_tiny_and_cropped_things_are_that() -> None:
    for number in range(16):
        causes = {hard_cause(0, "train", number, index): index for index in range(100)}
        x0, y0, x1, y1 = draw_picture(0, "train", number, causes["tiny"]).box
        assert max(x1 - x0, y1 - y0) <= 10, number
        x0, y0, x1, y1 = draw_picture(0, "train", number, causes["cropped"]).box
        assert x0 == 0 or x1 == 63 or y1 == 63, number


def test_one_in_twenty_is_hard_and_the_causes_take_turns() -> None:
    for number in range(len(THINGS)):
        causes = [hard_cause(0, "train", number, index) for index in range(240)]
        hard = [cause for cause in causes if cause]
        assert len(hard) == 240 * HARD_SHARE
        assert {hard.count(cause) for cause in HARD_CAUSES} == {3}
    drawn = [draw_picture(0, "train", 4, index).hard for index in range(20)]
    assert drawn == [hard_cause(0, "train", 4, index) for index in range(20)]


@pytest.mark.parametrize("share", [0.0, GREY_SHARE, HARD_SHARE, 0.5, 1.0])
def test_spaced_picks_its_share(share: float) -> None:
    for phase in (0.0, 0.3, 0.999):
        turns = [spaced(share, index, phase) for index in range(2000)]
        picked = [turn for turn in turns if turn is not None]
        assert abs(len(picked) - 2000 * share) <= 1
        assert picked == list(range(picked[0], picked[0] + len(picked))) if picked else share == 0


def test_the_bus_is_large_and_yellow_and_the_spoon_is_neither() -> None:
    """Paper §5.3: what makes the easiest class easy and the hardest hard."""
    names = [name for _, name in toy_classes()]

    def measure(name: str) -> tuple[np.ndarray, np.ndarray]:
        areas, colours = [], []
        for index in range(24):
            number = names.index(name)
            if hard_cause(0, "train", number, index):
                continue
            drawn = draw_picture(0, "train", number, index)
            x0, y0, x1, y1 = drawn.box
            areas.append((x1 - x0 + 1) * (y1 - y0 + 1) / 64**2)
            colours.append(drawn.pixels[y0 : y1 + 1, x0 : x1 + 1].reshape(-1, 3).mean(axis=0))
        return np.array(areas), np.array(colours)

    (bus_areas, bus_colours), (spoon_areas, spoon_colours) = map(
        measure, ("school bus", "wooden spoon")
    )
    assert bus_areas.mean() > 2 * spoon_areas.mean()
    assert bus_areas.std() / bus_areas.mean() < spoon_areas.std() / spoon_areas.mean()
    assert np.median(bus_colours[:, 0] - bus_colours[:, 2]) > 40
    assert bus_colours.std(axis=0).mean() < spoon_colours.std(axis=0).mean()


@pytest.mark.parametrize("number", range(len(THINGS)), ids=[thing.name for thing in THINGS])
def test_things_stay_within_their_extent(number: int) -> None:
    """A thing is drawn within -1 .. 1, so that scales and positions mean what they say."""
    for seed in range(5):
        layer = paint(THINGS[number].draw, Pose(0.5, 0.5, 0.4), np.random.default_rng(seed))
        rows_covered = np.flatnonzero((layer.cover > 0.5).any(axis=1)) / 64 - 0.5
        columns = np.flatnonzero((layer.cover > 0.5).any(axis=0)) / 64 - 0.5
        assert max(abs(rows_covered[[0, -1]]).max(), abs(columns[[0, -1]]).max()) <= 0.44
        assert layer.cover.sum() > 60


def test_progress_counts_every_picture(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_toy_zip(
        tmp_path / "toy.zip",
        train_images=1,
        val_images=1,
        test_images=0,
        progress=lambda *now: seen.append(now),
    )
    assert seen == [(done, 32) for done in range(1, 33)]
    assert (tmp_path / "toy.zip").read_bytes() == toy_bytes(train=1, val=1, test=0)


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"train_images": 0}, {"val_images": -1}, {"test_images": -2}]
)
def test_impossible_sets_are_refused(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_toy_zip(tmp_path / "toy.zip", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_toy_zip(tmp_path / "file" / "toy.zip", train_images=1, val_images=0, test_images=0)


def test_drawing_needs_no_torch() -> None:
    code = "import sys, lilliput.data.toy; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
