from __future__ import annotations

import json

import pytest

from lilliput.cli import main
from lilliput.notation import ZOO


def test_models_lists_the_zoo_with_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [one["name"] for one in listed] == list(ZOO)
    m1 = next(one for one in listed if one["name"] == "m1")
    # By hand: three convolutions, then 8*8*32 -> 256 -> 200, all with biases.
    convolutions = (75 + 1) * 16 + (9 * 16 + 1) * 16 + (9 * 16 + 1) * 32
    assert m1["parameters"] == convolutions + (2048 + 1) * 256 + (256 + 1) * 200


def test_models_shows_one_network_layer_by_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "m1"]) == 0
    out = capsys.readouterr().out
    assert "16 x 64 x 64" in out
    assert "total" in out


def test_models_follows_size_and_classes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "m1", "--size", "32", "--classes", "10", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["image"] == [3, 32, 32]
    assert facts["layers"][0]["shape"] == [16, 32, 32]
    assert facts["layers"][-1]["shape"][0] == 10
    assert sum(one["parameters"] for one in facts["layers"]) == facts["parameters"]


def test_models_takes_any_notation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "ConvReLU(F3-8) -> MaxPool -> FC(10)", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["parameters"] == (27 + 1) * 8 + (8 * 32 * 32 + 1) * 10


def test_models_points_at_the_fault_in_a_notation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "ConvReLU(F3-8) -> MaxPol -> FC(10)"]) == 2
    err = capsys.readouterr().err
    assert "^" in err
    assert "MaxPool" in err
