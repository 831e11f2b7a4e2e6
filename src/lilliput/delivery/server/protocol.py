"""uvicorn's HTTP/1.1, with deadlines for clients who are slow to ask or to read, and a moment for late ones at the end.

uvicorn closes connections that are idle after an answer; one that never asks, asks a letter at a time, or does not read
its answer, it keeps. Told to leave, it closes those whose request it has not read yet, though it may have arrived.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lilliput.delivery.server.guard import CROWDED
from lilliput.delivery.server.limits import Limits

# Who reads an answer gets at least so many bytes of it in ``read_seconds``.
LEAST_BYTES = 16 << 10
# A request that is on its way when the server is told to leave has so long to arrive.
LATE_SECONDS = 0.5


class Connection(H11Protocol):
    """Closed when asking, or reading an answer, takes longer than ``limits`` allow, or when there are far too many."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        # Whatever the kernel does not take at once counts as unread: no bytes may wait in between unnoticed.
        transport.set_write_buffer_limits(high=0)
        _keep_little_unsent(transport)
        # Requests beyond the limit get an answer, 503; far beyond it not even that.
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
            return
        if len(self.connections) > self.limits.connections:
            self.app_state = {**self.app_state, CROWDED: True}
        self._watch()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is due, or is not read yet."""
        return self._is_answering() or self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget()
        self._expect_read(False)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Some of an answer is not read yet."""
        super().pause_writing()
        self._expect_read(True)

    def resume_writing(self) -> None:
        """All of it is."""
        self._expect_read(False)
        super().resume_writing()

    def shutdown(self) -> None:
        """Leave: at once behind an answer that is due, else when no request has come for a moment."""
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(LATE_SECONDS, self._leave)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, and know whether its head is whole."""
        super().data_received(data)
        self._watch()

    def _watch(self) -> None:
        if self._is_answering():
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.limits.head_seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if not self._is_answering() and not self.transport.is_closing():
            self.transport.close()

    def _leave(self) -> None:
        if not self._is_answering() and not self.transport.is_closing():
            super().shutdown()

    def _expect_read(self, is_expected: bool) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
        if is_expected:
            unread = self.transport.get_write_buffer_size()
            seconds = self.limits.read_seconds
            self._reading_timer = self.loop.call_later(seconds, self._check_read, unread)

    def _check_read(self, before: int) -> None:
        self._reading_timer = None
        if before - self.transport.get_write_buffer_size() < LEAST_BYTES:
            self.transport.abort()  # closing would wait until it is read
        else:
            self._expect_read(True)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _keep_little_unsent(transport: Any) -> None:
    """Let the kernel take no megabytes ahead, which it would hand on for minutes while nothing seems to be read."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Windows has none
    if option is not None:
        with suppress(OSError):  # of who has gone already
            kernels = transport.get_extra_info("socket")
            kernels.setsockopt(socket.IPPROTO_TCP, option, LEAST_BYTES)


def protocol_of(limits: Limits) -> type[asyncio.Protocol]:
    """Connections with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
