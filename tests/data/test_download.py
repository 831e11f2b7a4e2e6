"""The download against a server on this machine: whole, resumed, refused, wrong."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from lilliput.data import download
from lilliput.data.download import download_tiny_imagenet
from lilliput.errors import SourceError, StorageError

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several chunks
CHECKSUM = "md5:" + hashlib.md5(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and the ``Range`` of every request it got ("" for none)."""

    url: str = ""
    ranges: list[str] = field(default_factory=list)
    honours_range: bool = True
    cut_after: int | None = None
    status: int | None = None
    go_on: Event = field(default_factory=Event)  # cleared: it stops after half of the file


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    state.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.ranges.append(wanted)
            if state.status is not None:
                self.send_error(state.status)
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.honours_range else 0
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            if start:
                last = len(CONTENT) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(CONTENT)}")
            self.end_headers()
            end = len(CONTENT) if state.cut_after is None else start + state.cut_after
            half = (start + end) // 2
            self.wfile.write(CONTENT[start:half])
            self.wfile.flush()
            state.go_on.wait(20)
            self.wfile.write(CONTENT[half:end])

        def log_message(self, *_: object) -> None:
            pass

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.daemon_threads = True
    thread = Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{service.server_port}/tiny-imagenet-200.zip"
    yield state
    service.shutdown()
    thread.join()
    service.server_close()


def test_a_whole_download(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "cache" / "tiny.zip"
    seen: list[tuple[int, int]] = []
    path = download_tiny_imagenet(
        target, url=server.url, checksum=CHECKSUM, progress=lambda *now: seen.append(now)
    )
    assert path == target
    assert target.read_bytes() == CONTENT
    assert [entry.name for entry in target.parent.iterdir()] == ["tiny.zip"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "tiny.zip"
    server.cut_after = 600_000
    with pytest.raises(SourceError, match="broke off after") as caught:
        download_tiny_imagenet(target, url=server.url, checksum=CHECKSUM)
    here = (tmp_path / "tiny.zip.partial").stat().st_size
    assert 500_000 < here <= 600_000
    assert f"{here:,} bytes" in str(caught.value)
    assert "same command again" in caught.value.hint
    assert not target.exists()
    server.cut_after = None
    seen: list[tuple[int, int]] = []
    download_tiny_imagenet(
        target, url=server.url, checksum=CHECKSUM, progress=lambda *now: seen.append(now)
    )
    assert server.ranges == ["", f"bytes={here}-"]
    assert seen[0] == (here, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_a_server_that_cannot_resume_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "tiny.zip"
    (tmp_path / "tiny.zip.partial").write_bytes(CONTENT[:500_000])
    server.honours_range = False
    download_tiny_imagenet(target, url=server.url, checksum=CHECKSUM)
    assert server.ranges == ["bytes=500000-"]
    assert target.read_bytes() == CONTENT


def test_a_break_after_the_last_byte_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "tiny.zip.partial").write_bytes(CONTENT)
    path = download_tiny_imagenet(tmp_path / "tiny.zip", url=server.url, checksum=CHECKSUM)
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum_removes_what_came(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "tiny.zip"
    with pytest.raises(SourceError, match="not the expected file") as caught:
        download_tiny_imagenet(target, url=server.url, checksum="md5:" + "0" * 32)
    assert server.url in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_and_right_asks_nothing(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "tiny.zip"
    target.write_bytes(CONTENT)
    assert download_tiny_imagenet(target, url=server.url, checksum=CHECKSUM) == target
    assert server.ranges == []


def test_a_file_that_is_there_and_wrong_is_replaced(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "tiny.zip"
    target.write_bytes(b"half a page of HTML")
    download_tiny_imagenet(target, url=server.url, checksum=CHECKSUM)
    assert target.read_bytes() == CONTENT


class Second:
    """Another download to the same place, begun when the first has half of the file."""

    def __init__(self, server: Server, target: Path) -> None:
        self.server, self.target = server, target
        self.seen: list[tuple[int, int]] = []
        self.path: Path | None = None
        self.thread = Thread(target=self.run)

    def run(self) -> None:
        self.path = download_tiny_imagenet(
            self.target, url=self.server.url, checksum=CHECKSUM, progress=self.shown
        )

    def shown(self, *now: int) -> None:
        self.seen.append(now)  # the first goes on once this one is seen to wait
        self.server.go_on.set()

    def start(self, here: int, total: int) -> None:
        if here and not self.thread.ident:
            self.thread.start()


def test_the_second_of_two_waits_for_the_first(server: Server, tmp_path: Path) -> None:
    server.go_on.clear()
    target = tmp_path / "tiny.zip"
    second = Second(server, target)
    download_tiny_imagenet(target, url=server.url, checksum=CHECKSUM, progress=second.start)
    second.thread.join()
    assert second.path == target and target.read_bytes() == CONTENT
    assert server.ranges == [""]
    assert 0 < second.seen[0][0] < len(CONTENT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.zip"]


def test_the_second_of_two_goes_on_when_the_first_breaks_off(
    server: Server, tmp_path: Path
) -> None:
    server.go_on.clear()
    server.cut_after = 600_000
    second = Second(server, tmp_path / "tiny.zip")

    def start(here: int, total: int) -> None:
        second.start(here, total)
        if server.go_on.is_set():
            server.cut_after = None

    with pytest.raises(SourceError, match="broke off after"):
        download_tiny_imagenet(
            tmp_path / "tiny.zip", url=server.url, checksum=CHECKSUM, progress=start
        )
    second.thread.join()
    assert server.ranges[0] == "" and server.ranges[1].startswith("bytes=")
    assert (tmp_path / "tiny.zip").read_bytes() == CONTENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.zip"]


def test_what_a_killed_download_left_locks_nobody_out(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".tiny.zip.lock").touch()
    (tmp_path / "tiny.zip.partial").write_bytes(CONTENT[:500_000])
    download_tiny_imagenet(tmp_path / "tiny.zip", url=server.url, checksum=CHECKSUM)
    assert server.ranges == ["bytes=500000-"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.zip"]


def test_a_file_system_without_locks(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    path = download_tiny_imagenet(tmp_path / "tiny.zip", url=server.url, checksum=CHECKSUM)
    assert path.read_bytes() == CONTENT


def test_the_place_in_the_cache(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LILLIPUT_HOME", str(tmp_path))
    path = download_tiny_imagenet(url=server.url, checksum=CHECKSUM)
    assert path == tmp_path / "downloads" / "tiny-imagenet-200.zip"


def test_nobody_answers(server: Server, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/tiny-imagenet-200.zip"  # the discard port: nothing listens
    with pytest.raises(SourceError, match="cannot reach") as caught:
        download_tiny_imagenet(tmp_path / "tiny.zip", url=url)
    assert url in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "path" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 503])
def test_the_server_refuses(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(SourceError, match=f"answers {status}") as caught:
        download_tiny_imagenet(tmp_path / "tiny.zip", url=server.url)
    assert "path" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot reach"):
        download_tiny_imagenet(tmp_path / "tiny.zip", url="http://")


def test_a_full_disk_keeps_what_came(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: object, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "sync", full)
    with pytest.raises(StorageError, match="no space left"):
        download_tiny_imagenet(tmp_path / "tiny.zip", url=server.url, checksum=CHECKSUM)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.zip.partial"]


def test_a_place_below_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        download_tiny_imagenet(tmp_path / "file" / "tiny.zip", url=server.url)
    assert server.ranges == []
