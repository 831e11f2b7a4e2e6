from __future__ import annotations

import json
from pathlib import Path

import pytest

from lilliput.notation import parse, trace
from lilliput.results.throughput import (
    Benchmark,
    Ceiling,
    LoadingSpeed,
    Measured,
    TrainingSpeed,
    training_multiply_adds,
)


def fabricate_benchmark() -> Benchmark:
    """Two rounds: 1,000 and 1,200 images a second where plain PyTorch makes 500 and 400."""
    training = TrainingSpeed(
        recipe="m1",
        plan="ConvReLU(F5-16) -> FC(2)",
        batch_images=64,
        multiply_adds=20_000_000,
        precision="fp32",
        memory_format="channels_last",
        lilliput=Measured((1000.0, 1200.0)),
        plain=Measured((500.0, 400.0)),
        loader=Measured((20_000.0, 12_000.0)),
        ceiling=Measured((80.0, 96.0)),
        lilliput_memory_bytes=800_000_000,
        plain_memory_bytes=900_000_000,
    )
    loading = LoadingSpeed(
        augmentation="flip",
        image_bytes=12_288,
        lilliput=Measured((40_000.0, 50_000.0)),
        plain=Measured((4_000.0, 4_000.0)),
        copy=Measured((10.0, 10.0)),
    )
    limits = Ceiling(fp32=Measured((80.0,)), bf16=Measured((160.0,)), copy=Measured((10.0,)))
    machine = {"processor": "Some CPU", "threads": 2, "device": "cpu"}
    return Benchmark(
        machine=machine, data={}, ceiling=limits, trainings=(training,), loading=loading
    )


def test_ratios_are_taken_round_by_round() -> None:
    training = fabricate_benchmark().trainings[0]
    assert training.ratio == Measured((2.0, 3.0))
    assert training.ratio.median == 2.5
    assert training.loader_share == Measured((0.05, 0.1))


def test_distance_to_the_machines_limits() -> None:
    found = fabricate_benchmark()
    # 2 x 20 million x 1,000 images a second are 40 GFLOP/s; reading and writing 12,288 bytes 40,000 times 0.98 GB/s.
    assert found.trainings[0].gflops.rounds[0] == pytest.approx(40)
    assert found.trainings[0].ceiling_share.rounds == pytest.approx((0.5, 0.5))
    assert found.loading.copy_share.rounds[0] == pytest.approx(0.098304)


def test_a_measurement_in_words() -> None:
    assert Measured((1000.0, 1200.0, 4321.0)).describe() == "1,200 (1,000 .. 4,321)"
    assert Measured((0.05, 0.1)).describe(1, percent=True) == "7.5 % (5.0 .. 10.0)"


def test_bench_json(tmp_path: Path) -> None:
    fabricate_benchmark().save(tmp_path)
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["trainings"][0]["ratio"] == {
        "median": 2.5,
        "min": 2.0,
        "max": 3.0,
        "n": 2,
        "rounds": [2.0, 3.0],
    }
    assert written["ceiling"]["fp32_gflops"]["median"] == 80


def test_multiply_adds_of_a_step() -> None:
    """Forward, weights and inputs of each layer; the pixels of the first need no gradient."""
    layers = trace(parse("ConvReLU(F3-2) -> FC(5)"), (3, 4, 4))
    first, second = 2 * 16 * 27, 5 * 32
    assert training_multiply_adds(layers) == 2 * first + 3 * second


def test_what_is_not_learned_is_only_computed_forward() -> None:
    layers = trace(parse("Whiten(F2-4,S2) -> ConvReLU(F3-2) -> FC(5)"), (3, 4, 4))
    whiten, conv, last = (layer.multiply_adds for layer in layers)
    assert training_multiply_adds(layers) == whiten + 2 * conv + 3 * last
