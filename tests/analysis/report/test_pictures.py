"""Stored pictures in the page: carried along, made smaller, and never a reason to fail."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from lilliput.analysis.report import write_report
from lilliput.analysis.report.blocks import Note, Picture
from lilliput.analysis.report.pictures import Album


def save_noise(path: Path, width: int = 90, height: int = 70) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def opened(picture: Picture) -> Image.Image:
    kind, data = picture.address.split(",", 1)
    assert kind == "data:image/webp;base64"
    return Image.open(BytesIO(b64decode(data)))


def test_a_picture_is_carried_along(tmp_path: Path) -> None:
    album = Album()
    taken = album.take(save_noise(tmp_path / "a.png"), "noise")
    assert isinstance(taken, Picture)
    assert (taken.width, taken.height, taken.alt) == (90, 70, "noise")
    with opened(taken) as picture:
        assert picture.size == (90, 70)
    assert album.room == Album().room - len(taken.address)


def test_see_through_pictures_stay_so(tmp_path: Path) -> None:
    Image.new("LA", (40, 30), (0, 0)).save(tmp_path / "a.png")
    taken = Album().take(tmp_path / "a.png", "nothing")
    assert isinstance(taken, Picture)
    with opened(taken) as picture:
        assert picture.has_transparency_data


def test_pictures_grow_coarser_as_room_gets_scarce_and_never_exceed_it(tmp_path: Path) -> None:
    path, album = save_noise(tmp_path / "a.png", 1000, 60), Album(room=60_000)
    taken = [album.take(path, "noise") for _ in range(9)]
    pictures = [one for one in taken if isinstance(one, Picture)]
    assert {one.width for one in pictures} == {700}
    assert 1 < len(pictures) < 9
    assert sum(len(one.address) for one in pictures) + album.room == 60_000
    left_out = [one for one in taken if isinstance(one, Note)]
    assert left_out and "left out to keep this page small" in left_out[-1].text
    assert Album().room < 7_000_000


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    cut = save_noise(tmp_path / "cut.png")
    cut.write_bytes(cut.read_bytes()[:2000])
    for name in ("text.png", "cut.png", "absent.png"):
        taken = Album().take(tmp_path / name, "x")
        assert isinstance(taken, Note) and taken.text.startswith(f"{name} cannot be shown")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")
    taken = Album().take(tmp_path / "bomb.png", "x")
    assert isinstance(taken, Note) and "bomb.png cannot be shown" in taken.text


def test_the_pictures_of_a_run_are_on_its_page_in_their_sections(read_page, make_run) -> None:
    run = make_run(epochs=1, n=24)
    for name in ("best-classes", "hardest", "my own", "loss"):
        save_noise(run.figures_path / f"{name}.png", 90, 70)
    page = read_page(write_report(run.path))
    page.assert_offline_and_inert()
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    # The print of a figure that is drawn from numbers anyway is not shown a second time.
    assert alts == [
        "Images of the classes known best, m1-1",
        "The images with the highest loss, m1-1",
        "My own, m1-1",
    ]
    assert page.words.index("Hard images") < page.words.index("More pictures")
