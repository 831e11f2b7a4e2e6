"""Opens what is to be served, listens, and leaves when it is told to, all accepted requests answered."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, cast

import uvicorn
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

from lilliput.data.decoding import cores
from lilliput.delivery.server.app import Service, build_app
from lilliput.delivery.server.door import turn_away, waiting_at
from lilliput.delivery.server.limits import Limits
from lilliput.delivery.server.looking import Served
from lilliput.delivery.server.opening import open_served
from lilliput.delivery.server.protocol import LATE_SECONDS, Connection, protocol_of
from lilliput.errors import UsageError


class Listening(NamedTuple):
    """Where the server is, and what it serves."""

    url: str
    served: tuple[Served, ...]


def serve(  # noqa: PLR0913
    paths: Sequence[Path],
    *,
    host: str,
    port: int,
    hosts: Sequence[str],
    limits: Limits,
    say: Callable[[str], None],
    ready: Callable[[Listening], None],
) -> int:
    """Serve until SIGTERM or Ctrl-C; then answer what was accepted, and return how many were not answered in time.

    ``hosts`` are further names to be called by; port 0 takes a free one. ``ready`` is called when requests are taken.
    Raises: UsageError when the place to listen at cannot be had; what opening the classifiers raises.
    """
    _allow_open_files(2 * limits.connections + 64)
    # What is wrong with a form is told to who sent it.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    with _bound(host, port) as listener, tempfile.TemporaryDirectory(prefix="lilliput-") as folder:
        # As many answers at once as there are cores want no second thread each.
        threads = max(1, cores() // limits.workers)
        served = open_served(paths, Path(folder), say, threads=threads)
        service = Service(served, limits)
        name = f"[{host}]" if ":" in host else host
        where = Listening(f"http://{name}:{listener.getsockname()[1]}/", served)
        app = build_app(service, [host, *hosts])
        server = _Server(_config(app, limits), service, lambda: ready(where))
        server.run(sockets=[listener])
        return server.unanswered


def _config(app: object, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # pyrefly: ignore
        http=protocol_of(limits),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.drain_seconds,
        h11_max_incomplete_event_size=limits.head_bytes,
    )


class _Server(uvicorn.Server):
    """uvicorn's, which tells when it listens, and whose end by a signal is a good one."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._ready = service, ready
        self.unanswered = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.is_leaving = True
        self.server_state.default_headers.append(CLOSE_HEADER)
        # Whoever has heard yes from the kernel by now, though it may not have heard back, has a moment to come in.
        if all([turn_away(listener) for listener in sockets or []]):
            await asyncio.sleep(LATE_SECONDS)
        late = [one for listener in sockets or [] for one in waiting_at(listener)]
        for server in self.servers:
            server.close()
        for one in late:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, one)
        await super().shutdown(sockets)

    async def _wait_tasks_to_complete(self) -> None:
        try:
            await super()._wait_tasks_to_complete()
        finally:  # by now, or when time is up, or at a second Ctrl-C
            connections = cast("set[Connection]", self.server_state.connections)
            self.unanswered = sum(one.is_busy for one in connections)
            if self.unanswered:  # the caller tells; uvicorn would with a traceback of each
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    def _connection(self) -> asyncio.Protocol:
        make = cast("type[H11Protocol]", self.config.http_protocol_class)
        return make(self.config, self.server_state, self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal once more at the end, which here would be an exit code of its own.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _allow_open_files(wanted: int) -> None:
    """Let this process have so many open files, if the system lets it: every connection is one."""
    try:
        import resource  # not on Windows, which counts sockets by themselves
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _bound(host: str, port: int) -> socket.socket:
    """A place to listen at, taken before the work of opening classifiers. Raises: UsageError."""
    if not host:
        raise UsageError("no place to listen at is named", "--host 127.0.0.1")
    if not 0 <= port < 1 << 16:
        raise UsageError(f"cannot listen at port {port}: ports are 0 to 65535", "--port 8000")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot listen at {host}: {error}", "--host 127.0.0.1") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise UsageError(
            f"cannot listen at {host}, port {port}: {reason}", "--port 0 takes a free one"
        ) from error
    return listener
