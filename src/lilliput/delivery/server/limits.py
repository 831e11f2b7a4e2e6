"""Every number that bounds what a stranger can ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """``workers`` threads decode and compute; ``queue`` requests may wait for one, the next is told to come again.

    A body has ``body_bytes`` at most and ``body_seconds`` to arrive in; a request's head has ``head_seconds``, and an
    answer ``read_seconds`` to be read in, more if it is long. A request may hold ``files`` pictures; once those decoded
    have ``pixels`` together, the others are refused. Beyond ``connections`` open connections, or ``held_bytes`` of all
    bodies together, new requests are turned away. ``drain_seconds`` is how long accepted requests may take once the
    server has been told to leave.
    """

    workers: int = 2
    queue: int = 64
    body_bytes: int = 10 << 20
    body_seconds: float = 20.0
    head_seconds: float = 10.0
    read_seconds: float = 10.0
    keep_alive_seconds: int = 5
    head_bytes: int = 16 << 10
    held_bytes: int = 256 << 20
    files: int = 32
    pixels: int = 50_000_000
    connections: int = 1024
    drain_seconds: int = 60
