"""What the machine itself can do: products of matrices and copies of memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

_SIDES = (128, 8192)
_LONG_SECONDS = 0.03  # a product that takes so long shows what the machine can do
_COPIED_FLOATS = 1 << 25  # 128 MiB are more than any cache holds


def product_gflops(precision: str, device: torch.device, seconds: float) -> float:
    """GFLOP/s of products of two square matrices in ``precision``, fp32 or bf16, for about ``seconds``.

    The matrices are as large as it takes to keep the machine busy: where bf16 is emulated, the smallest do.
    """
    side, most = _SIDES
    while True:
        product = _product(side, precision, device)
        once = _time_of(product, device, 0)
        if once > _LONG_SECONDS or side == most:
            return 2 * side**3 / 1e9 / _time_of(product, device, seconds)
        side *= 2


def _product(side: int, precision: str, device: torch.device) -> Callable[[], object]:
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    one, other = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    into = torch.empty(side, side, device=device, dtype=kind)
    return lambda: torch.mm(one, other, out=into)


def copy_gigabytes_per_second(device: torch.device, seconds: float) -> float:
    """GB/s of copying from memory to memory, every byte counted twice: read and written."""
    source = torch.ones(_COPIED_FLOATS, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / 1e9 / _time_of(lambda: target.copy_(source), device, seconds)


def settle(device: torch.device) -> None:
    """Wait for what the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _time_of(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds that one go takes, after one to warm up: the mean over at least two."""
    work()
    settle(device)
    started, goes = time.perf_counter(), 0
    while goes < 2 or time.perf_counter() - started < seconds:
        work()
        goes += 1
        settle(device)
    return (time.perf_counter() - started) / goes
