from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from lilliput.cli.signals import stop_requests


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_a_request(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop
        signal.raise_signal(number)
        assert stop
        assert stop.exit_code == code
    assert signal.getsignal(number) is before


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_the_second_signal_ends_the_process_at_once() -> None:
    program = """
import signal
from lilliput.cli.signals import stop_requests
with stop_requests():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 130
    assert done.stdout == b""


def test_outside_the_main_thread_it_does_nothing() -> None:
    seen = []

    def work() -> None:
        with stop_requests() as stop:
            seen.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
