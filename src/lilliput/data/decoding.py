"""Decode many pictures, here or in processes of their own, and write their pixels into an array file.

Threads would not do: a picture takes some 40 microseconds, and two threads that hand Python's lock to each other as
often as that were as slow as one (20,000 pictures: 1.4 s with two threads, 1.6 s with one, 2.4 s with four; two
cores). The processes get the bytes of the files through a pipe, so they know nothing of sources; they are plain
children of this interpreter and ask nothing of the program that uses Lilliput.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from lilliput.data.decode import UndecodableError, decode_into
from lilliput.errors import LilliputError

MIN_PICTURES = 5000  # below, starting processes takes longer than it saves
HEADER_BYTES = 128  # of a .npy file with the shapes we write

_LENGTH = struct.Struct("<I")
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; from lilliput.data.decoding import serve; serve()"
)


class Look(NamedTuple):
    """What was seen of one picture. ``reason`` is "" or why it is broken; ``digest`` is SHA-256 of its pixels."""

    digest: str = ""
    width: int = 0
    height: int = 0
    is_grey: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Order:
    """What is to become of some pictures: their size, and the rows of an array file they go to (None: nowhere)."""

    size: int
    rows: Sequence[int]
    path: str | None


Decoder = Callable[[Sequence[bytes], Order], list[Look]]
"""Decodes files as ordered. Rows of broken pictures are undefined. Raises: OSError when the file cannot be written."""


class LocalDecoder:
    """The decoder that works right here, one call at a time."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)  # kept: fresh memory costs a quarter of the decoding

    def __call__(self, files: Sequence[bytes], order: Order) -> list[Look]:
        """See :data:`Decoder`."""
        shape = (len(files), order.size, order.size, 3)
        needed = len(files) * order.size**2 * 3
        if len(self._memory) < needed:
            self._memory = np.empty(needed, np.uint8)
        pixels = self._memory[:needed].reshape(shape)
        looks = [_look(data, row) for data, row in zip(files, pixels, strict=True)]
        if order.path is not None:
            _write_rows(Path(order.path), order.rows, pixels)
        return looks


@contextmanager
def decoders(pictures: int) -> Iterator[tuple[int, Decoder]]:
    """How many threads may call the decoder at once with profit, and the decoder, for so many pictures in all."""
    count = cores()
    if pictures < MIN_PICTURES or count == 1 or not sys.executable:
        yield 1, LocalDecoder()
        return
    idle: SimpleQueue[_Process] = SimpleQueue()

    def decode(files: Sequence[bytes], order: Order) -> list[Look]:
        process = idle.get()
        try:
            return process.decode(files, order)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        for _ in range(count):
            process = _Process()
            stack.callback(process.close)
            idle.put(process)
        yield count + 1, decode  # one more, so that a thread reads while all processes decode


def cores() -> int:
    """How many cores this process may use; in a container that can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def serve() -> None:
    """What a decoding process runs: answer requests until there are no more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    decode = LocalDecoder()
    try:
        while (request := _receive(requests)) is not None:
            lengths = request.pop("lengths")
            payload = requests.read(sum(lengths))
            ends = np.cumsum(lengths).tolist()
            files = [payload[end - n : end] for n, end in zip(lengths, ends, strict=True)]
            try:
                _send(answers, {"looks": decode(files, Order(**request))})
            except OSError as error:
                _send(answers, {"error": [error.errno, error.strerror]})
            answers.flush()
    except (BrokenPipeError, ValueError, struct.error):  # the parent is gone
        os._exit(1)


class _Process:
    """One decoding process."""

    def __init__(self) -> None:
        # In a session of its own, so that Ctrl-C reaches the parent only, which then closes the pipe.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=1 << 20,
            start_new_session=True,
        )

    def decode(self, files: Sequence[bytes], order: Order) -> list[Look]:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        try:
            _send(requests, asdict(order) | {"lengths": [len(data) for data in files]})
            requests.write(b"".join(files))
            requests.flush()
            answer = _receive(answers)
        except (OSError, ValueError, struct.error) as error:
            raise self._died() from error
        if answer is None:
            raise self._died()
        if "error" in answer:
            raise OSError(*answer["error"])
        return [Look(*values) for values in answer["looks"]]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # it may still hold bytes for a process that died
                    pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _died(self) -> LilliputError:
        return LilliputError(
            f"a decoding process died (exit status {self._process.poll()})",
            "it may have run out of memory; try again with less running beside it",
        )


def _send(pipe: Any, message: dict[str, Any]) -> None:
    encoded = json.dumps(message).encode()
    pipe.write(_LENGTH.pack(len(encoded)) + encoded)


def _receive(pipe: Any) -> dict[str, Any] | None:
    """The next message, or None when the pipe is closed. Raises: ValueError, struct.error for half a message."""
    header = pipe.read(_LENGTH.size)
    if not header:
        return None
    (length,) = _LENGTH.unpack(header)
    return json.loads(pipe.read(length))


def _look(data: bytes, pixels: np.ndarray) -> Look:
    try:
        seen = decode_into(data, pixels)
    except UndecodableError as error:
        return Look(reason=str(error))
    return Look(hashlib.sha256(pixels.data).hexdigest(), *seen)


def _write_rows(path: Path, rows: Sequence[int], pixels: np.ndarray) -> None:
    """Write pictures to their rows of an array file, neighbours together. The header is not written."""
    row_bytes = pixels[0].nbytes
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    with open(path, "r+b", buffering=0) as file:
        for run in np.split(np.arange(len(rows)), breaks):
            file.seek(HEADER_BYTES + rows[run[0]] * row_bytes)
            _write_all(file, pixels[run[0] : run[-1] + 1].data.cast("B"))


def _write_all(file: RawIOBase, view: memoryview) -> None:
    while view:
        view = view[file.write(view) or 0 :]
