"""The official Tiny ImageNet zip from its own server: resumed after a break, checked before it is used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which refuses to rename a file that another process writes to
    fcntl = None

from lilliput.data.home import home
from lilliput.errors import SourceError
from lilliput.results.atomic import storage_errors, sync

if TYPE_CHECKING:
    import requests

OFFICIAL_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
OFFICIAL_CHECKSUM = "md5:90528d7ca1a48142e341f4ef8d21d0de"
OFFICIAL_BYTES = 248_100_043

Progress = Callable[[int, int], None]
"""Told how many bytes are here and how many there will be (0: the server does not say)."""

_CHUNK_BYTES = 1 << 16
_TIMEOUT_SECONDS = 30
_WAIT_SECONDS = 0.2
_OK, _PARTIAL, _RANGE_BEYOND_END = 200, 206, 416


def download_tiny_imagenet(
    to: Path | None = None,
    *,
    url: str = OFFICIAL_URL,
    checksum: str = OFFICIAL_CHECKSUM,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Bring the official zip to the file ``to`` (default: a place in the cache); no request if it is there and right.

    What arrives goes to ``<to>.partial``, which is kept when the connection breaks: the next call asks for the rest.
    Only a file with the right checksum is renamed to ``to``. While another process downloads it, this one waits.

    Raises: SourceError when the server cannot be reached, refuses, breaks off, or sends something else; StorageError
    when the file cannot be written (what has arrived so far is kept).
    """
    import pooch  # it loads requests, which only a download needs

    def is_right(path: Path) -> bool:
        return path.is_file() and pooch.hashes.hash_matches(str(path), checksum)

    to = to or home() / "downloads" / "tiny-imagenet-200.zip"
    if is_right(to):
        return to
    partial = to.with_name(f"{to.name}.partial")
    with storage_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with _alone(to.with_name(f".{to.name}.lock"), lambda: progress(_size(partial), 0)):
            if is_right(to):  # another process has brought it meanwhile
                return to
            _fetch(url, partial, progress)
            if not is_right(partial):
                received = _size(partial)
                partial.unlink()
                raise SourceError(
                    f"{url} sent {received:,} bytes that are not the expected file (its checksum is not {checksum}); "
                    "they are removed",
                    f"try again, or {_by_hand()}",
                )
            sync(partial)
            os.replace(partial, to)
            sync(to.parent)
    return to


@contextmanager
def _alone(lock: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Only one process at a time gets past the file ``lock``; ``wait`` is called again and again until it does.

    The system lets go of the lock when its process dies, so there is none to be found stale.
    """
    if fcntl is None:
        yield
        return
    while True:
        with lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                time.sleep(_WAIT_SECONDS)
                continue
            except OSError:  # a file system that has no locks
                pass
            if not _is_still_at(file, lock):  # its last holder has removed it since it was opened
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _is_still_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _fetch(url: str, partial: Path, progress: Progress) -> None:
    """Run the resuming downloader; every failure of the network becomes a SourceError."""
    import requests

    try:
        ResumingDownloader(progress)(url, partial, None)
    except requests.HTTPError as error:
        status = error.response.status_code
        raise SourceError(
            f"cannot download {url}: the server answers {status} {error.response.reason}",
            _by_hand(),
        ) from error
    except requests.RequestException as error:
        here = _size(partial)
        if here:
            hint = f"run the same command again to go on from there, or {_by_hand()}"
            raise SourceError(
                f"the download of {url} broke off after {here:,} bytes", hint
            ) from error
        raise SourceError(f"cannot reach {url}: {_reason(error)}", _by_hand()) from error


class ResumingDownloader:
    """A pooch downloader that appends to what is there already (pooch's own begins anew)."""

    def __init__(self, progress: Progress = lambda done, total: None) -> None:
        self._progress = progress

    def __call__(self, url: str, output_file: str | Path, pooch: object | None) -> None:
        """Complete ``output_file``. Raises: requests.RequestException; the bytes so far stay in the file."""
        import requests

        path = Path(output_file)
        here = _size(path)
        # Compressed in transit, a range would count other bytes than the file has.
        headers = {"Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
            if here and answer.status_code == _RANGE_BEYOND_END:
                return  # everything is here: the checksum tells whether it is right
            answer.raise_for_status()
            resumed = here > 0 and answer.status_code == _PARTIAL and _begins_at(answer, here)
            with path.open("ab" if resumed else "wb") as stream:
                self._receive(answer, stream, here if resumed else 0)

    def _receive(self, answer: requests.Response, stream: BinaryIO, here: int) -> None:
        import requests

        length = int(answer.headers.get("Content-Length") or 0)
        total = here + length if length else 0
        self._progress(here, total)
        for chunk in answer.iter_content(_CHUNK_BYTES):
            stream.write(chunk)
            here += len(chunk)
            self._progress(here, total)
        if here < total:  # urllib3 before 2 takes a broken connection for the end
            raise requests.ConnectionError(f"{here} of {total} bytes")


def _begins_at(answer: requests.Response, here: int) -> bool:
    """Whether the server sends exactly the part that is missing."""
    return answer.headers.get("Content-Range", "").startswith(f"bytes {here}-")


def _reason(error: Exception) -> str:
    """The last cause in a chain of wrapped errors, in the system's own words."""
    text = str(error)
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
        text = str(error) or text
    return error.strerror if isinstance(error, OSError) and error.strerror else text


def _by_hand() -> str:
    return "if you have the zip already, give its path instead: lilliput prepare PATH/tiny-imagenet-200.zip"
