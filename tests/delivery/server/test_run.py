"""A server as it is started: real connections, and slow clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from lilliput.delivery.classifier import Classifier
from lilliput.delivery.ready import READY
from lilliput.delivery.server.opening import open_served
from lilliput.delivery.server.run import _bound
from lilliput.errors import RunError, UsageError
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run

from .conftest import (
    command,
    connect,
    encode,
    head,
    huge_picture,
    picture,
    rest_of,
    running,
    write_onnx,
)


def test_it_answers_over_a_network(tiny):
    with running(tiny) as url:
        assert httpx.post(f"{url}/predict", content=picture()).status_code == 200
        answer = httpx.get(f"{url}/")
        assert answer.status_code == 200
        assert "server" not in answer.headers


def test_a_client_who_never_asks_is_left(tiny):
    with running(tiny, head_seconds=0.3) as url:
        with connect(url) as silent:
            assert rest_of(silent) == b""
        with connect(url) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            assert rest_of(slow) == b""
        with connect(url) as again:  # and one who does so after an answer
            again.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert again.recv(65536).startswith(b"HTTP/1.1 200")
            again.sendall(b"GET /hea")
            assert rest_of(again).count(b"HTTP/1.1") == 0


PIPELINED = 2000


def ask_without_reading(url: str) -> socket.socket:
    """A connection with far more answers on their way than the kernel keeps."""
    parts = urlsplit(url)
    greedy = socket.socket()
    greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    greedy.settimeout(60)
    greedy.connect((parts.hostname or "", parts.port or 0))
    greedy.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * PIPELINED)
    return greedy


def test_a_client_who_does_not_read_is_left(tiny):
    with running(tiny, read_seconds=0.3) as url, ask_without_reading(url) as greedy:
        time.sleep(1.5)
        got = 0
        try:
            while part := greedy.recv(1 << 20):
                got += part.count(b"HTTP/1.1 200")
        except ConnectionResetError:
            pass
        assert got < PIPELINED / 2


def test_a_client_who_reads_slowly_is_not(tiny):
    def answered() -> str:
        lines = httpx.get(f"{url}/metrics").text.splitlines()
        return next(one for one in lines if 'requests_total{route="/openapi.json"' in one)

    with running(tiny, read_seconds=1) as url, ask_without_reading(url) as slow:
        seen = set()
        for _ in range(3):
            for _ in range(20):
                time.sleep(0.05)
                slow.recv(32768)
            seen.add(answered())
        assert len(seen) == 3


def test_head_is_get_without_its_body(tiny):
    with running(tiny) as url:
        for path in ("/", "/healthz", "/model", "/metrics", "/examples/0.png"):
            heads = httpx.head(f"{url}{path}")
            assert (heads.status_code, heads.content) == (200, b"")
            assert int(heads.headers["content-length"]) > 0
        assert httpx.head(f"{url}/predict").status_code == 405
        assert not any(
            "head" in one for one in httpx.get(f"{url}/openapi.json").json()["paths"].values()
        )


def test_a_client_who_sends_half_a_picture_is_told(tiny):
    with running(tiny, body_seconds=0.3) as url, connect(url) as slow:
        slow.sendall(head(1000) + b"half")
        assert rest_of(slow).startswith(b"HTTP/1.1 408")


def test_a_head_has_a_limit(tiny):
    with running(tiny, head_bytes=2000) as url, connect(url) as talker:
        talker.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 5000)
        assert rest_of(talker).startswith(b"HTTP/1.1 400")


def test_connections_have_a_limit(tiny):
    with running(tiny, connections=3, head_seconds=30) as url:
        held = [connect(url) for _ in range(3)]
        try:
            for one in held:
                one.sendall(b"GET")
            with connect(url) as late:
                late.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = rest_of(late)
            assert answer.startswith(b"HTTP/1.1 503") and b"TooManyConnections" in answer
        finally:
            for one in held:
                one.close()
        assert asked_again(f"{url}/healthz") == 200


def test_hundreds_who_are_slow_keep_nobody_else_out(tiny):
    with running(tiny) as url, ExitStack() as stack:
        for number in range(300):
            slow = stack.enter_context(connect(url))
            slow.sendall(head(1000)[: 20 + number % 30] if number % 2 else head(1000) + b"half")
        for _ in range(5):
            assert httpx.post(f"{url}/predict", content=picture()).status_code == 200


def asked_again(url: str) -> int:
    for _ in range(200):
        if (status := httpx.get(url).status_code) == 200:
            break
        time.sleep(0.05)
    return status


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory as Linux counts it")
@pytest.mark.parametrize("depth", [1, 8])
def test_a_picture_that_is_huge_once_decoded_takes_no_memory(tiny_file: Path, depth: int):
    with command(tiny_file) as (process, url):
        httpx.post(f"{url}predict", content=picture())  # whatever is loaded once, is
        before = most_memory(process.pid, forget=True)
        answer = httpx.post(f"{url}predict", content=huge_picture(whole_at_bits=depth))
        assert answer.status_code == 422
        assert "pixels" in answer.json()["error"]["message"]
        assert most_memory(process.pid) - before < 50 << 20


def most_memory(pid: int, *, forget: bool = False) -> int:
    """The most bytes that a process has had in memory, since that was last forgotten."""
    if forget:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_python_serves_too(tiny_file: Path):
    code = "import sys, lilliput; lilliput.serve(sys.argv[1], port=0)"
    command = [sys.executable, "-c", code, str(tiny_file)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        url = process.stderr.readline().split()[-1]
        answer = httpx.post(f"{url}predict", content=picture())
        assert answer.status_code == 200 and '"red"' in answer.text
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == (None, "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_place_that_is_taken_is_one_message():
    with _bound("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(UsageError, match=r"cannot listen at 127\.0\.0\.1, port"):
            _bound("127.0.0.1", first.getsockname()[1])
    with pytest.raises(UsageError, match="cannot listen at"):
        _bound("no such host", 0)
    with pytest.raises(UsageError, match="cannot listen at"):
        _bound("127.0.0.1", 70_000)
    with pytest.raises(UsageError, match="no place"):
        _bound("", 0)


def test_what_cannot_be_served_is_one_message(tmp_path: Path):
    for name in ("weights.safetensors", "m4.pt2"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(RunError, match="cannot be read as weights"):
        open_served([tmp_path / "weights.safetensors"], tmp_path, print)
    with pytest.raises(UsageError, match="is no ONNX file"):
        open_served([tmp_path / "m4.pt2"], tmp_path, print)
    with pytest.raises(RunError, match="there is nothing at"):
        open_served([tmp_path / "none"], tmp_path, print)
    with pytest.raises(RunError, match="there is no file"):
        open_served([tmp_path / "none.onnx"], tmp_path, print)


def test_the_same_twice_has_two_names(tmp_path: Path):
    path = write_onnx(tmp_path / "a.onnx", source="")
    first, second = open_served([path, path], tmp_path, print)
    assert (first.name, second.name) == ("a.onnx", "a.onnx (2)")


def test_the_network_that_comes_along_is_served_and_says_what_predict_says(
    tmp_path: Path, make_client
):
    pytest.importorskip("onnxscript")
    served = open_served([Path(READY)], tmp_path, print)
    assert served[0].name == READY
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture())
    (expected,) = Classifier.load(READY, device="cpu").predict(photo)
    answer = make_client(served).post("/predict", content=photo.read_bytes()).json()
    top = answer["pictures"][0]["answers"][0]["top"]
    assert [one["id"] for one in top] == [one.id for one in expected.top]
    assert top[0]["probability"] == pytest.approx(expected.top[0].probability, abs=1e-5)


@pytest.mark.parametrize("kind", ["run", "ensemble"])
def test_a_run_or_an_ensemble_is_exported_and_says_the_same(
    kind: str, plain_run: Run, make_ensemble, pictures: np.ndarray, tmp_path: Path, make_client
):
    pytest.importorskip("onnxscript")
    classifier: Run | Ensemble = plain_run if kind == "run" else make_ensemble("mean")
    said: list[str] = []
    served = open_served([classifier.path], tmp_path, said.append)
    assert said == [f"exporting {classifier.path} to ONNX ..."]
    assert served[0].name == classifier.name
    answer = make_client(served).post("/predict?top=4", encode(pictures[0])).json()
    top = answer["pictures"][0]["answers"][0]["top"]
    assert len(top) == 4
    if isinstance(classifier, Run):
        expected = classifier.predictions("val").probabilities[0]
        assert top[0]["probability"] == pytest.approx(expected.max(), abs=1e-4)
