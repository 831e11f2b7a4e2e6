from __future__ import annotations

from dataclasses import replace

from lilliput.analysis.figures.throughput import draw_throughput
from lilliput.analysis.style import figure_style, to_png
from lilliput.results.throughput import (
    Benchmark,
    Ceiling,
    LoadingSpeed,
    Measured,
    TrainingSpeed,
)

ONE = TrainingSpeed(
    recipe="m1",
    plan="FC(2)",
    batch_images=64,
    multiply_adds=20,
    precision="fp32",
    memory_format="contiguous",
    lilliput=Measured((1000.0, 1200.0, 1300.0)),
    plain=Measured((500.0, 400.0, 450.0)),
    loader=Measured((9000.0,) * 3),
    ceiling=Measured((80.0,) * 3),
    lilliput_memory_bytes=1,
    plain_memory_bytes=1,
)


def test_every_number_stands_beside_its_bar() -> None:
    speeds = {"lilliput": Measured((50_000.0,) * 3), "plain": Measured((4_000.0,) * 3)}
    loading = LoadingSpeed(augmentation="flip", image_bytes=1, copy=Measured((10.0,) * 3), **speeds)
    limits = Ceiling(fp32=ONE.ceiling, bf16=ONE.ceiling, copy=ONE.ceiling)
    trainings = (ONE, replace(ONE, recipe="m4", lilliput=Measured((80.0, 81.0, 79.0))))
    found = Benchmark(machine={}, data={}, ceiling=limits, trainings=trainings, loading=loading)
    with figure_style():
        figure = draw_throughput(found)
        assert to_png(figure).startswith(b"\x89PNG")
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"1,200  Lilliput", "450  plain", "80  Lilliput", "50,000  Lilliput"} <= texts
    assert len(figure.axes[0].patches) == 6
