"""Predictions survive the disk, hold no pickle, and refuse what does not fit together."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lilliput.errors import RunError
from lilliput.results.predictions import Predictions

HALF = np.full((2, 2), 0.5, np.float32)
LABELS = np.array([0, -1])
NAMES = ("a", "b")


def test_round_trip(tmp_path: Path):
    names = ("täglich 猫.png", "surrogate \udcff", "with\nnewline")
    saved = Predictions(np.eye(3, 4, dtype=np.float32), np.array([0, 3, -1]), names)
    saved.save(tmp_path / "new" / "val.npz")
    loaded = Predictions.load(tmp_path / "new" / "val.npz")
    np.testing.assert_array_equal(loaded.probabilities, saved.probabilities)
    np.testing.assert_array_equal(loaded.labels, saved.labels)
    assert loaded.names == names
    assert (loaded.probabilities.dtype, loaded.labels.dtype) == (np.float32, np.int64)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["val.npz"]


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path, guesses):
    for name in ("one", "two"):
        guesses(5, 20).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_file_is_plain_numpy(tmp_path: Path, guesses):
    guesses(5, 20).save(tmp_path / "val.npz")
    with np.load(tmp_path / "val.npz", allow_pickle=False) as archive:
        assert {name: archive[name].dtype.kind for name in archive} == {
            "probabilities": "f",
            "labels": "i",
            "names": "U",
        }


def test_no_images_at_all(tmp_path: Path):
    none = Predictions(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), ())
    none.save(tmp_path / "val.npz")
    loaded = Predictions.load(tmp_path / "val.npz")
    assert (len(loaded), loaded.num_classes, loaded.is_labelled) == (0, 3, False)


@pytest.mark.parametrize(
    ("probabilities", "labels", "names", "says"),
    [
        (HALF.astype(np.float64), LABELS, NAMES, r"float64\[2, 2\], not float32"),
        (HALF[0], LABELS, NAMES, r"float32\[2\], not float32\[n, k\]"),
        (HALF, LABELS.astype(np.int32), NAMES, r"int32\[2\], not int64\[2\]"),
        (HALF, LABELS[:1], NAMES, r"int64\[1\], not int64\[2\]"),
        (HALF, LABELS, NAMES[:1], r"1 names for 2 rows"),
        (HALF, np.array([0, 2]), NAMES, r"label 2 of row 1 is not in -1\.\.1"),
        (HALF, np.array([-2, 1]), NAMES, r"label -2 of row 0"),
        (HALF * [[1], [1.1]], LABELS, NAMES, r"row 1 sum to 1\.1"),
        (HALF * [[1], [np.nan]], LABELS, NAMES, r"row 1 holds a value"),
        (HALF + np.array([[0, 0], [1, -1]]), LABELS, NAMES, r"row 1 holds a value"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, probabilities, labels, names, says: str):
    if says.split()[0] != "float64\\[2,":
        probabilities = probabilities.astype(np.float32)
    with pytest.raises(ValueError, match=says):
        Predictions(probabilities, labels, names)
    path = tmp_path / "val.npz"
    np.savez(path, probabilities=probabilities, labels=labels, names=np.array(names))
    with pytest.raises(RunError, match=rf"val\.npz.*{says}"):
        Predictions.load(path)


class Canary:
    """Sets a mark when it is unpickled."""

    def __reduce__(self):
        return exec, ("import sys; sys.canary = True",)


def test_hostile_files_are_refused_and_run_nothing(tmp_path: Path, guesses):
    path = tmp_path / "val.npz"
    guesses(3, 6).save(path)
    good = path.read_bytes()
    hostile = {
        "empty": b"",
        "text": b"not a zip",
        "pickle": pickle.dumps(Canary()),
        "cut": good[:-30],
        "flipped": good.replace(b"\x00\x00", b"\x00\x01", 1)[:200] + b"\xff" * 40 + good[240:],
    }
    for content in hostile.values():
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"val\.npz"):
            Predictions.load(path)
    np.savez(path, probabilities=HALF, labels=LABELS, names=np.array([Canary(), 1], dtype=object))
    with pytest.raises(RunError, match="cannot be read"):
        Predictions.load(path)
    assert not hasattr(sys, "canary")


def test_missing_parts_and_files(tmp_path: Path):
    with pytest.raises(RunError, match="there are no predictions"):
        Predictions.load(tmp_path / "val.npz")
    np.savez(tmp_path / "part.npz", probabilities=HALF)
    with pytest.raises(RunError, match="labels"):
        Predictions.load(tmp_path / "part.npz")
    np.save(tmp_path / "one.npy", HALF)
    with pytest.raises(RunError, match="a single array"):
        Predictions.load(tmp_path / "one.npy")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        for name in ("probabilities", "labels", "names"):
            archive.writestr(name + ".npy", "no array")
    with pytest.raises(RunError, match=r"zip\.npz"):
        Predictions.load(tmp_path / "zip.npz")
    np.savez(tmp_path / "n.npz", probabilities=HALF, labels=LABELS, names=np.array([1, 2]))
    with pytest.raises(RunError, match="names are not a list of text"):
        Predictions.load(tmp_path / "n.npz")
