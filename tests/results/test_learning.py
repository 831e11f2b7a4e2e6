from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lilliput.errors import RunError
from lilliput.results.learning import read_learning, write_learning

NAMES = tuple(f"bild {i} \N{LATIN SMALL LETTER E WITH ACUTE}.jpg" for i in range(11))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    rows = [np.packbits(np.arange(11) % (epoch + 2) == 0) for epoch in range(3)]
    write_learning(tmp_path / "learning.npz", rows, NAMES)
    return tmp_path / "learning.npz"


def test_what_is_written_is_read(written: Path) -> None:
    right, names = read_learning(written)
    assert names == NAMES
    expected = [np.arange(11) % (epoch + 2) == 0 for epoch in range(3)]
    np.testing.assert_array_equal(right, expected)
    assert right.dtype == np.bool_


def test_numpy_alone_reads_it(written: Path) -> None:
    with np.load(written) as archive:
        assert archive["right"].shape == (3, 2)
        assert archive["names"][3].decode() == NAMES[3]


def test_the_same_record_is_the_same_file(written: Path, tmp_path: Path) -> None:
    rows = [np.packbits(np.arange(11) % (epoch + 2) == 0) for epoch in range(3)]
    write_learning(tmp_path / "again.npz", rows, NAMES)
    assert (tmp_path / "again.npz").read_bytes() == written.read_bytes()


@pytest.mark.parametrize("how", ["cut", "empty", "text", "names", "other"])
def test_a_damaged_record_is_named(how: str, written: Path) -> None:
    if how == "names":
        np.savez(written, right=np.zeros((3, 2), np.uint8), names=np.array([b"a"] * 17))
    elif how == "other":
        np.savez(written, right=np.zeros((3, 2), np.uint8), names=np.arange(11))
    else:
        content = written.read_bytes()
        written.write_bytes({"cut": content[:-30], "empty": b"", "text": b"no zip"}[how])
    with pytest.raises(RunError, match=r"learning\.npz cannot be read"):
        read_learning(written)
