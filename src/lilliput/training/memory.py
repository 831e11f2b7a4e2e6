"""Memory of the processor: what a training step frees is kept for the next one."""

from __future__ import annotations

import ctypes
from functools import cache

# Parameters of mallopt as glibc's malloc.h numbers them.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEEP_ALL, _PAD_BYTES, _OWN_MAP_BYTES = -1, 256 << 20, 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory instead of giving it back to the system; whether it was understood.

    A step allocates and frees the same tens of megabytes again and again. Given back each time, every page of them
    (ten thousand a step for m1, forty thousand for m4) has to be faulted in and cleared anew: docs/experiments.md has
    what that costs. The most memory in use stays the same. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (
        OSError,
        AttributeError,
        TypeError,
    ):  # no such function, or, on Windows, no such library
        return False
    settings = (
        (_MMAP_THRESHOLD, _OWN_MAP_BYTES),
        (_TRIM_THRESHOLD, _KEEP_ALL),
        (_TOP_PAD, _PAD_BYTES),
    )
    return all([mallopt(parameter, value) == 1 for parameter, value in settings])
