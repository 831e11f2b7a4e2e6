"""The history comes back exactly, and damage is named by line and column."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.errors import RunError, StorageError
from lilliput.results.history import Epoch, read_history, write_history

NUMBER = st.floats(allow_nan=False)


def test_columns_are_the_documented_ones(tmp_path: Path):
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,seconds,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,"
        "images_per_second,peak_memory_bytes\n"
    )
    assert read_history(tmp_path / "history.csv") == ()


@given(numbers=st.lists(NUMBER, min_size=7, max_size=7), memory=st.integers(0, 2**63))
def test_floats_round_trip_exactly(tmp_path_factory, numbers: list[float], memory: int):
    names = ["seconds", "learning_rate", "train_loss", "train_accuracy", "val_loss"]
    values = dict(zip([*names, "val_accuracy", "images_per_second"], numbers, strict=True))
    epoch = Epoch(epoch=1, peak_memory_bytes=memory, **values)
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    write_history(path, [epoch])
    assert read_history(path) == (epoch,)


def test_numpy_numbers_and_nan_are_written_plainly(tmp_path: Path, learning):
    path = tmp_path / "history.csv"
    write_history(path, [replace(learning(1)[0], val_loss=math.nan, train_loss=np.float32(0.5))])
    assert "float32" not in path.read_text()
    (epoch,) = read_history(path)
    assert math.isnan(epoch.val_loss)
    assert epoch.train_loss == 0.5


def test_every_cut_is_noticed(tmp_path: Path, learning):
    path = tmp_path / "history.csv"
    write_history(path, learning(3))
    whole = path.read_bytes()
    ends_of_line = {i + 1 for i, byte in enumerate(whole) if byte == ord("\n")}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if length in ends_of_line:
            read_history(path)
        else:
            with pytest.raises(RunError, match=r"line \d+, column \w+"):
                read_history(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (",3170.0,", ",fast,", r"line 2, column images_per_second: 'fast' is not a number"),
        ("\n2,", "\n5,", r"line 3, column epoch: expected 2, found 5"),
        (",1500000000\n", "\n", r"line 2, column peak_memory_bytes: the line ends before it"),
        (",1500000000\n", ",1500000000,7\n", r"line 2, .* 1 values too many"),
        ("1500000000\n", "1.5e9\n", r"line 2, column peak_memory_bytes: .* whole number"),
        ("val_loss", "loss", r"line 1, column val_loss: found 'loss'"),
        ("memory_bytes\n", "memory_bytes,more\n", r"line 1, .* unknown column 'more'"),
        ("epoch,", "\N{SNOWMAN},", r"is not text"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, says: str, learning):
    path = tmp_path / "history.csv"
    write_history(path, learning(2))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RunError, match=says):
        read_history(path)


def test_a_file_with_windows_line_ends_is_read(tmp_path: Path, learning):
    path = tmp_path / "history.csv"
    write_history(path, learning(2))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_history(path) == tuple(learning(2))


def test_a_missing_file_and_a_bad_place_are_clear(tmp_path: Path):
    with pytest.raises(RunError, match="cannot read"):
        read_history(tmp_path / "none.csv")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_history(tmp_path / "file" / "history.csv", [])
