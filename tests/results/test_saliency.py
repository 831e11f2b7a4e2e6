from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lilliput.errors import RunError
from lilliput.results.saliency import SALIENCY_FILE, Saliency


def saliency(**changes) -> Saliency:
    given = {
        "names": ("a.jpg", "猫\udcff.jpg"),
        "maps": np.linspace(0, 1, 2 * 4 * 6, dtype=np.float32).reshape(2, 4, 6),
        "images": np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3),
        "boxes": np.array([[0, 0, 3, 3], [-1, -1, -1, -1]], np.int16),
        "labels": np.array([0, 1]),
        "predicted": np.array([1, 1]),
        "method": "gradient",
    }
    return Saliency(**{**given, **changes})


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    one = saliency()
    one.save(tmp_path)
    again = Saliency.load(tmp_path)
    assert again is not None
    assert (again.names, again.method, len(again)) == (one.names, "gradient", 2)
    for name in ("maps", "images", "boxes", "labels", "predicted"):
        assert np.array_equal(getattr(again, name), getattr(one, name))


def test_nothing_explained_is_none(tmp_path: Path) -> None:
    assert Saliency.load(tmp_path) is None


def test_damage_is_a_run_error_that_names_the_file(tmp_path: Path) -> None:
    path = saliency().save(tmp_path)
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(RunError, match=SALIENCY_FILE):
            Saliency.load(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.zeros(3, np.int64)},
        {"maps": np.zeros((2, 4, 6), np.float64)},
        {"images": np.zeros((2, 9, 6, 3), np.uint8)},
        {"names": ("a",)},
    ],
)
def test_arrays_that_do_not_fit_are_damage(tmp_path: Path, wrong: dict) -> None:
    saliency(**wrong).save(tmp_path)
    with pytest.raises(RunError, match="cannot be read as saliency"):
        Saliency.load(tmp_path)
