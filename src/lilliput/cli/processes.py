"""``train --processes N``: starts that many processes of the same command, and ends all of them when one dies.

The processes find each other by the variables that torchrun sets, so that each of them cannot tell, and need not,
which of the two has started it. No torch here: who only waits for others should not take its memory.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from lilliput.data.share import Share
from lilliput.errors import ProcessError, UsageError

if TYPE_CHECKING:
    from lilliput.training.processes import Group

SUPERVISOR = "LILLIPUT_SUPERVISOR"
"""The variable that names, to the processes of ``--processes``, the process that started them."""

# So long the others have to come to their end once one has failed; torchrun gives them 30 s.
GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def is_member(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether this process was started, by torchrun or the like, as one of several."""
    needed = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    return needed <= set(variables) and variables["WORLD_SIZE"] != "1"


def is_restarted(run: Path | None, variables: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun has started this process anew (--max-restarts), and the run named has begun."""
    is_anew = int(variables.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    return is_anew and run is not None and (run / "recipe.toml").is_file()


def command_line(words: Sequence[str], processes: int) -> str:
    """What a person types to run ``lilliput WORDS`` in as many processes as there are, or are to be."""
    if is_member() and SUPERVISOR not in os.environ:
        return f"torchrun ... -m -- {shlex.join(['lilliput', *words])}"
    size = int(os.environ["WORLD_SIZE"]) if is_member() else processes
    return shlex.join(["lilliput", *words, *(["--processes", str(size)] if size > 1 else [])])


@contextmanager
def membership(device: str) -> Iterator[Group | None]:
    """Train in the block with the other processes that were started with this one; None when it is alone."""
    if not is_member():
        yield None
        return
    from lilliput.cli.member import joined  # loads PyTorch, which takes seconds

    with joined(device) as group:
        yield group


def refuse_processes(processes: int, batch_images: int) -> None:
    """Raises: UsageError for a number of processes that cannot be started here, or cannot share a batch equally."""
    if processes < 1:
        raise UsageError(f"--processes {processes}: somebody has to do the work", "--processes 1")
    if processes > 1 and "WORLD_SIZE" in os.environ:
        raise UsageError(
            "--processes within torchrun, which has started all processes already",
            "leave one of the two out",
        )
    Share(size=processes).refuse_uneven(batch_images)


def run_processes(words: Sequence[str], processes: int, again: str) -> None:
    """Run ``lilliput WORDS`` as so many processes that train together. Returns when all of them are done.

    Ctrl-C and SIGTERM go to the first process, which agrees with the others; a second one ends all at once.
    ``again`` is the command that goes on with what is saved.
    Raises: ProcessError when one was killed; SystemExit with the code of one that failed, and has said why.
    """
    children: list[subprocess.Popen[bytes]] = []
    try:
        with _signals_to(children):
            port = _free_port()
            children += [_start(words, rank, processes, port) for rank in range(processes)]
            while not any(codes := [child.poll() for child in children]) and None in codes:
                time.sleep(_POLL_SECONDS)
    finally:
        _end(children)
    failed = {rank: code for rank, code in enumerate(codes) if code}
    for rank, code in failed.items():
        if code < 0:
            raise ProcessError(
                f"process {rank} of {processes} (counted from 0) was killed by"
                f" {signal.Signals(-code).name}, so the others were ended",
                f"to go on from the last checkpoint: {again}",
            )
    if failed:
        raise SystemExit(next(iter(failed.values())))


def _start(words: Sequence[str], rank: int, size: int, port: int) -> subprocess.Popen[bytes]:
    from lilliput.data.decoding import cores

    loopback = "lo0" if sys.platform == "darwin" else "lo"
    threads = max(1, cores() // size)
    # What the user has set stays.
    environment = {"GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": str(threads), **os.environ}
    environment |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        SUPERVISOR: str(os.getpid()),
    }
    # In a session of its own, so that Ctrl-C comes here alone and not, twice, to all of them.
    return subprocess.Popen(
        [sys.executable, "-m", "lilliput", *words], env=environment, start_new_session=True
    )


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


@contextmanager
def _signals_to(children: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    asked: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) == 1 and children:
            children[0].send_signal(number)
            return
        for child in children:
            child.kill()
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """See to it that none is left: after a while those are killed that do not come to their end."""
    ends = time.monotonic() + GRACE_SECONDS
    for child in children:
        try:
            child.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
