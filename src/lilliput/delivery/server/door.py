"""The door: whoever is on the way in when the server is told to leave still comes in, and nobody behind them."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

_ATTACH_FILTER = 26  # Linux's SO_ATTACH_FILTER, which Python does not name
# What the kernel runs for every packet to the listener: those that begin a connection, marked SYN, are dropped.
_NO_BEGINNING = (
    (0x30, 0, 0, 13),  # load the byte of flags
    (0x45, 0, 1, 0x02),  # without SYN, skip one
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
)


def turn_away(listener: socket.socket) -> bool:
    """Let no new connection begin; those that have begun are still made. False where the kernel does not do so.

    Whoever is turned away asks again after a second, and is refused if ``listener`` has been closed by then.
    """
    if sys.platform != "linux":
        return False
    lines = b"".join(struct.pack("HBBI", *line) for line in _NO_BEGINNING)
    kept = ctypes.create_string_buffer(lines)
    program = struct.pack("HP", len(_NO_BEGINNING), ctypes.addressof(kept))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
    except OSError:
        return False
    return True


def waiting_at(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that have been made and that nobody has taken yet."""
    with suppress(OSError):  # at the end, that there are no more
        while True:
            yield listener.accept()[0]
