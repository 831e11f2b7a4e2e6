"""How much of what strangers send is in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lilliput.delivery.server.refusal import Refusal

Take = Callable[[int], None]
"""Says that so many more bytes are kept. Raises: Refusal when there would be too many."""


class Memory:
    """``most`` bytes for the bodies of all requests together. Called from the event loop alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def hold(self) -> Iterator[Take]:
        """What is taken within the block is free again after it."""
        mine = 0

        def take(count: int) -> None:
            nonlocal mine
            if self.held + count > self._most:
                raise Refusal(
                    503,
                    "MemoryFull",
                    "too many pictures are being sent at once",
                    "try again in a second",
                    {"Retry-After": "1", "Connection": "close"},
                )
            self.held += count
            mine += count

        try:
            yield take
        finally:
            self.held -= mine
