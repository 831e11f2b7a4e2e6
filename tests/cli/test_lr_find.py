from __future__ import annotations

import json
from pathlib import Path

import pytest

from lilliput.cli.app import run
from lilliput.data.pack import Pack

WORDS = [
    "toy-a",
    "model.plan=ConvReLU(F3-4) -> MaxPool -> FC(4)",
    "model.dropout=0.0",
    "training.precision=fp32",
    "training.memory_format=contiguous",
    "--device=cpu",
]


def test_points_and_figure_are_left_and_told(
    tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    to = tmp_path / "lr"
    options = ["--data", str(tiny_pack.path), "--to", str(to), "--steps", "40", "--json"]
    assert run(["lr-find", *WORDS, *options]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["folder"] == str(to)
    assert {"suggestion", "diverged", "points"} <= facts.keys()
    assert sorted(path.name for path in to.iterdir()) == [
        "lr-find.json",
        "lr-find.png",
        "points.csv",
    ]


@pytest.mark.parametrize("options", [["--low", "1"], ["--low", "0"], ["--steps", "3"]])
def test_a_sweep_that_is_none(
    options: list[str], tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    to = tmp_path / "lr"
    words = ["--data", str(tiny_pack.path), "--to", str(to), "--high", "0.5", *options]
    assert run(["lr-find", *WORDS, *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not to.exists()
