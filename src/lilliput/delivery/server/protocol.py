"""uvicorn's HTTP/1.1, with deadlines for clients who are slow before their request is known.

uvicorn closes connections that are idle after an answer; one that never asks, or asks a letter at a time, it keeps.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lilliput.delivery.server.guard import CROWDED
from lilliput.delivery.server.limits import Limits


class Connection(H11Protocol):
    """Closed when the head of a request takes longer than ``limits`` allow, or when there are far too many."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        # Requests beyond the limit get an answer, 503; far beyond it not even that.
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
            return
        if len(self.connections) > self.limits.connections:
            self.app_state = {**self.app_state, CROWDED: True}
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget()
        super().connection_lost(exc)

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

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol_of(limits: Limits) -> type[asyncio.Protocol]:
    """Connections with these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
