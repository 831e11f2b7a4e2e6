"""The end of a server: everybody who has asked is answered, whoever comes later is refused."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from lilliput.delivery.server import run
from lilliput.delivery.server.door import turn_away, waiting_at
from lilliput.delivery.server.run import _bound

from .conftest import command, connect, head, picture, rest_of, running


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(
    ("number", "requests"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 60)]
)
def test_a_signal_lets_it_finish_what_it_has_accepted(
    tiny_file: Path, number: signal.Signals, requests: int
):
    body = picture()
    with command(tiny_file) as (process, url), ExitStack() as stack:
        idle = stack.enter_context(connect(url))
        accepted = [stack.enter_context(connect(url)) for _ in range(requests)]
        for one in accepted:
            one.sendall(head(len(body)) + body[:30])
        httpx.get(f"{url}healthz")  # by now the others are accepted
        process.send_signal(number)
        assert idle.recv(1) == b""  # who had not asked is left: the server is leaving
        for one in accepted:
            one.sendall(body[30:])
        for one in accepted:
            answer = rest_of(one)
            assert answer.startswith(b"HTTP/1.1 200") and b'"red"' in answer
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "")
        assert errors == "stopped: all accepted requests were answered\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_a_request_that_comes_a_moment_after_the_signal_is_answered(tiny_file: Path):
    body = picture()
    with command(tiny_file) as (process, url), connect(url) as late:
        httpx.get(f"{url}healthz")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.25)
        late.sendall(head(len(body)) + body)
        answer = rest_of(late)
        assert answer.startswith(b"HTTP/1.1 200") and b"\r\nconnection: close\r\n" in answer


def test_who_has_connected_is_taken_though_nobody_has_yet():
    with _bound("127.0.0.1", 0) as listener, ExitStack() as stack:
        listener.listen(16)
        listener.setblocking(False)
        address = listener.getsockname()
        for _ in range(5):
            stack.enter_context(socket.create_connection(address, timeout=60))
        taken = [stack.enter_context(one) for one in waiting_at(listener)]
        assert len(taken) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be asked for it")
def test_who_comes_when_the_door_is_closing_is_turned_away():
    with _bound("127.0.0.1", 0) as listener, ExitStack() as stack:
        listener.listen(16)
        listener.setblocking(False)
        address = listener.getsockname()
        early = stack.enter_context(socket.create_connection(address, timeout=60))
        assert turn_away(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        (taken,) = (stack.enter_context(one) for one in waiting_at(listener))
        early.sendall(b"asks")
        assert taken.recv(4) == b"asks"


def test_who_is_on_the_way_in_when_the_door_is_closing_comes_in(tiny, monkeypatch):
    is_closing = threading.Event()
    monkeypatch.setattr(run, "turn_away", lambda listener: not is_closing.set())
    answers = []

    def come_late(url: str) -> None:
        is_closing.wait(60)
        time.sleep(0.1)
        with connect(url) as late:
            late.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answers.append(rest_of(late))

    with ExitStack() as stack:
        url = stack.enter_context(running(tiny))
        late = threading.Thread(target=come_late, args=(url,))
        late.start()
        stack.close()
        late.join(60)
    assert answers[0].startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_who_is_not_answered_because_of_a_second_signal_is_told_of(tiny_file: Path):
    with command(tiny_file) as (process, url), connect(url) as cut:
        cut.sendall(head(1000) + b"half")
        httpx.get(f"{url}healthz")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert errors == "stopped: accepted requests that were not answered: 1\n"
        assert process.returncode == 0
