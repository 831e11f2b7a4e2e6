"""A classifier of the mean colour as an ONNX file, written by hand, and ways to ask a server about it."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from lilliput.delivery.description import INPUT, OUTPUT, Description
from lilliput.delivery.server.app import Service, build_app
from lilliput.delivery.server.limits import Limits
from lilliput.delivery.server.looking import Served
from lilliput.delivery.server.opening import open_served
from lilliput.delivery.server.run import _bound, _config, _Server
from lilliput.results.folder import ClassName

HOSTILE = "<img src=x onerror=alert(1)>\u202e\udcff" + "long" * 40
COLOURS = (("n1", "red"), ("n2", "green"), ("n3", HOSTILE))


def write_onnx(
    path: Path, *, source: str = "tiny", size: int = 8, classes: Any = COLOURS, turn: int = 0
) -> Path:
    """A network of three classes: how red, how green, how blue; ``turn`` lets it confuse them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.roll(np.eye(3, dtype=np.float32), turn, axis=1) * 10 / 255
    images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", size, size, 3])
    said = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", 3])
    nodes = [
        helper.make_node("Cast", [INPUT], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(weights, "weights"),
    ]
    graph = helper.make_graph(nodes, "tiny", [images], [said], constants)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    named = tuple(ClassName(*one) for one in classes)
    description = Description(named, (size, size), ("plain",), source)
    helper.set_model_props(model, description.to_metadata())
    onnx.save(model, path)
    return path


def picture(red: int = 230, green: int = 20, blue: int = 20, *, side: int = 12) -> bytes:
    """A PNG of one colour."""
    return encode(np.full((side, side, 3), (red, green, blue), np.uint8))


def encode(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def huge_picture(side: int = 31_623, *, whole_at_bits: int = 0) -> bytes:
    """A grey PNG of 10^9 pixels: its header alone, or all of it at so many bits a pixel, as small as zeros become."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    pack = zlib.compressobj()
    rows = bytes(1 + -(-side * whole_at_bits // 8))
    pixels = [pack.compress(rows) for _ in range(side if whole_at_bits else 1)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, whole_at_bits or 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", b"".join([*pixels, pack.flush()]))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


class Client:
    """Asks the application, without a network."""

    def __init__(self, service: Service, hosts: tuple[str, ...] = ()) -> None:
        self.service = service
        self.app = build_app(service, hosts)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self.ask(method, path, **options))

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        address = options.pop("address", "http://localhost:8000")
        async with httpx.AsyncClient(transport=transport, base_url=address) as client:
            return await client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, content: Any = None, **options: Any) -> httpx.Response:
        return self("POST", path, content=content, **options)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("onnx") / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> tuple[Served, ...]:
    return open_served([tiny_file], tiny_file.parent, print)


@pytest.fixture(scope="session")
def two(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Served, ...]:
    """The classifier and one that takes red for green, and looks at larger pictures."""
    other = write_onnx(tmp_path_factory.mktemp("other") / "o.onnx", source="other", size=16, turn=1)
    return open_served([tiny_file, other], tiny_file.parent, print)


@pytest.fixture
def make_client(tiny: tuple[Served, ...]) -> Iterator[Callable[..., Client]]:
    """``make_client(served, hosts=..., **limits)``."""
    with ExitStack() as stack:

        def make(
            served: tuple[Served, ...] = tiny, hosts: tuple[str, ...] = (), **limits: Any
        ) -> Client:
            service = Service(served, Limits(**limits))
            stack.callback(service.desk.close)
            return Client(service, hosts)

        yield make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@contextmanager
def running(served: tuple[Served, ...], **values: Any) -> Iterator[str]:
    """A real server on a free port, in a thread; gives its address."""
    limits = Limits(**values)
    service = Service(served, limits)
    is_ready = threading.Event()
    with _bound("127.0.0.1", 0) as listener:
        server = _Server(_config(build_app(service), limits), service, is_ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert is_ready.wait(60)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


@contextmanager
def command(file: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``lilliput serve`` as a process, and its address."""
    words = [
        sys.executable,
        "-m",
        "lilliput",
        "serve",
        str(file),
        "--port",
        "0",
        "--json",
        *options,
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        facts = json.loads(process.stdout.readline())
        assert [one["name"] for one in facts["classifiers"]] == ["tiny"]
        yield process, facts["url"]
    finally:
        process.kill()
        process.communicate()


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)


def head(length: int, path: str = "/predict") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def rest_of(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
