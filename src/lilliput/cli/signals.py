"""Ctrl-C and SIGTERM during training: the first asks to stop after the step, the second stops at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from lilliput.cli.console import note


@dataclass
class StopRequest:
    """Which signal asked for the end; 0 while none has."""

    signal: int = 0

    def __bool__(self) -> bool:
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """By the shell's custom: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signal


@contextmanager
def stop_requests(*, is_silent: bool = False) -> Iterator[StopRequest]:
    """Collect stop signals while the block runs. Outside the main thread, where none arrive, it does nothing."""
    request = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if request:
            os._exit(128 + number)
        request.signal = number
        if not is_silent:
            note("\nstopping after this step; once more stops at once")

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
