"""How much memory a process and all that it starts have, together, at most. Linux."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

_EVERY_SECONDS = 1.0


class MemoryWatch:
    """While the block runs, looks every second; ``most`` is the largest sum in bytes.

    It sums Pss, which counts a page that several processes share once: a forked worker costs what is its own.
    """

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self.most = max(self.most, sum(map(_pss_bytes, _family(self._pid))))


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:  # it has just ended
        return []
    return [pid, *(member for child in children for member in _family(child))]


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
