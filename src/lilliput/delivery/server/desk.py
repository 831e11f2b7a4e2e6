"""The threads that decode and compute, and the queue before them, which has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from starlette.requests import Request

from lilliput.delivery.server.refusal import Refusal

P = ParamSpec("P")
T = TypeVar("T")


class Desk:
    """``workers`` pieces of work are done at once, ``queue`` more wait. Called from the event loop alone."""

    def __init__(self, workers: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lilliput")
        self._workers, self._queue = workers, queue
        self._taken = 0

    @property
    def working(self) -> int:
        """How many pieces of work are being done."""
        return min(self._taken, self._workers)

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for a thread."""
        return self._taken - self.working

    async def do(
        self, request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of ``work``, done in a thread; nothing is begun for a client who has gone.

        Raises: Refusal when the queue is full, or the client has gone; what ``work`` raises.
        """
        if self._taken >= self._workers + self._queue:
            raise Refusal(
                503,
                "QueueFull",
                f"{self.waiting} requests are waiting already",
                "try again in a second",
                {"Retry-After": "1"},
            )
        self._taken += 1
        job = self._pool.submit(work, *args, **kwargs)
        future = asyncio.wrap_future(job)
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((future, gone), return_when=asyncio.FIRST_COMPLETED)
            if not future.done() and job.cancel():
                raise Refusal(400, "ClientGone", "the client has gone")
            return await asyncio.shield(future)
        finally:
            gone.cancel()
            # A place is free when its work has ended, not when nobody waits for it any more.
            future.add_done_callback(self._leave)

    def close(self) -> None:
        """Wait for what is being done; what has not begun is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # known to whoever waited


async def _gone(request: Request) -> None:
    """Ends when the client has left; the whole body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
