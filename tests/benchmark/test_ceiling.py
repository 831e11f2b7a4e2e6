from __future__ import annotations

import pytest
import torch

from lilliput.benchmark import ceiling
from lilliput.benchmark.ceiling import copy_gigabytes_per_second, product_gflops

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_product_takes_some_time(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "_SIDES", (16, 64))
    assert 0 < product_gflops(precision, CPU, 0) < 1e6


def test_a_product_is_larger_where_small_ones_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []
    monkeypatch.setattr(ceiling, "_product", lambda side, *_: sides.append(side))
    monkeypatch.setattr(ceiling, "_time_of", lambda *_: 1e-3 if len(sides) < 3 else 1.0)
    assert product_gflops("fp32", CPU, 0) == pytest.approx(2 * 512**3 / 1e9)
    assert sides == [128, 256, 512]


def test_a_copy_takes_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "_COPIED_FLOATS", 1024)
    assert 0 < copy_gigabytes_per_second(CPU, 0) < 1e6
