from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.data import decoding
from lilliput.data.decode import decode as decode_alone
from lilliput.data.decoding import HEADER_BYTES, LocalDecoder, Order, decoders
from lilliput.data.prepare import prepare
from lilliput.errors import BrokenImagesError, LilliputError


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every set were large and there were two cores."""
    monkeypatch.setattr(decoding, "MIN_PICTURES", 0)
    monkeypatch.setattr(decoding, "cores", lambda: 2)


def test_few_pictures_are_decoded_right_here() -> None:
    with decoders(10) as (threads, decode):
        assert threads == 1 and isinstance(decode, LocalDecoder)


@pytest.mark.usefixtures("in_processes")
def test_processes_answer_as_this_one_does(picture: Callable[..., bytes], tmp_path: Path) -> None:
    files = [picture(0), b"", picture(1, mode="L"), b"words" * 1000, picture(2, size=(80, 40))]
    rows = [3, 4, 0, 2, 1]
    here, there = tmp_path / "here", tmp_path / "there"
    here.touch()
    there.touch()
    expected = LocalDecoder()(files, Order(64, rows, str(here)))
    with decoders(10) as (threads, decode):
        assert threads == 3
        for count in (5, 1, 5):  # the process uses its memory again
            looks = decode(files[:count], Order(64, rows[:count], str(there)))
            assert looks == expected[:count] == decode(files[:count], Order(64, rows, None))
    for number, (row, look) in enumerate(zip(rows, expected, strict=True)):
        start = HEADER_BYTES + row * 64 * 64 * 3
        found = [path.read_bytes()[start : start + 64 * 64 * 3] for path in (here, there)]
        if not look.reason:
            assert found == [decode_alone(files[number], 64).tobytes()] * 2
    assert [look.is_grey for look in expected] == [False, False, True, False, False]
    assert [bool(look.reason) for look in expected] == [False, True, False, True, False]


@pytest.mark.usefixtures("in_processes")
def test_a_file_that_cannot_be_written_is_the_same_error(
    picture: Callable[..., bytes], tmp_path: Path
) -> None:
    with decoders(10) as (_, decode), pytest.raises(FileNotFoundError):
        decode([picture(0)], Order(64, [0], str(tmp_path / "nowhere" / "a.npy")))


@pytest.fixture
def children(in_processes: None, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """The decoding processes that a test starts."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return started


def test_a_process_that_dies_is_said(
    picture: Callable[..., bytes], children: list[subprocess.Popen]
) -> None:
    with decoders(10) as (_, decode):
        for process in children:
            process.kill()
        with pytest.raises(LilliputError, match="a decoding process died"):
            decode([picture(0)], Order(64, [0], None))


def test_packs_are_the_same_either_way(
    children: list[subprocess.Popen],
    official: Path,
    tmp_path: Path,
    contents: Callable[[Path], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = prepare(official, tmp_path / "there")
    monkeypatch.setattr(decoding, "MIN_PICTURES", 10**9)
    here = prepare(official, tmp_path / "here")
    assert contents(there.path) == contents(here.path)
    (official / "val" / "images" / "val_3.JPEG").write_text("words")
    monkeypatch.setattr(decoding, "MIN_PICTURES", 0)
    with pytest.raises(BrokenImagesError, match=r"val/images/val_3\.JPEG: not a picture"):
        prepare(official, tmp_path / "broken")
    assert len(children) == 4 and None not in [process.poll() for process in children]


def test_no_process_outlives_a_killed_parent() -> None:
    program = (
        "import subprocess, time\n"
        "from lilliput.data import decoding\n"
        "class Shown(subprocess.Popen):\n"
        "    def __init__(self, *a, **k): super().__init__(*a, **k); print(self.pid, flush=True)\n"
        "subprocess.Popen = Shown\n"
        "decoding.MIN_PICTURES, decoding.cores = 0, lambda: 2\n"
        "with decoding.decoders(1): time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        children = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline = time.monotonic() + 20
    while any(is_alive(child) for child in children):
        assert time.monotonic() < deadline, "a decoding process lives on"
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Where nobody collects orphans, the dead stay listed.
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
