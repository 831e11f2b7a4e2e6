"""``ablate`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import main
from lilliput.cli.ablate import _page
from lilliput.data.pack import Pack
from lilliput.results.ablation import Ablation, Value
from lilliput.search.design import read_design

SMALL = [
    "model.plan=ConvReLU(F3-4) -> MaxPool -> FCReLU(6) -> FC(4)",
    "training.epochs=1",
    "training.batch_images=8",
    "training.precision=fp32",
    "training.memory_format=contiguous",
    "--device=cpu",
]


@pytest.fixture
def data(tiny_pack: Pack) -> list[str]:
    return ["--data", str(tiny_pack.path), "--holdout=0.25"]


def test_the_table_has_means_intervals_and_differences(data, capsys) -> None:
    words = ["ablate", "nonlinearity", *data, "--seeds=2", *SMALL]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "the paper: Leaky ReLU and tanh make no noticeable difference" in out
    assert "1/6  ReLU, seed 1" in err
    assert Path("ablations/nonlinearity/figures/ablation.png").is_file()
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [value["name"] for value in told["values"]] == ["ReLU", "leaky ReLU", "tanh"]
    assert told["split"] == "heldout" and told["seeds"] == [1, 2]
    assert told["values"][0]["difference"] == 0
    assert "seed" not in err, "what is done was done again"


def test_one_seed_says_that_no_spread_is_known(data, capsys) -> None:
    assert main(["ablate", "m1", *data, "--vary=optimizer.l2=0,0.1", "--seeds=1", *SMALL]) == 0
    assert "One seed: no spread is known" in capsys.readouterr().out
    words = ["ablate", "m1", *data, "--vary=optimizer.l2=0,0.1", "--seeds=1", *SMALL, "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["values"][1]["p"] is None


def test_larger_ensembles_average_the_seeds(tiny_pack: Pack, capsys) -> None:
    words = ["ablate", "larger-ensembles", "--data", str(tiny_pack.path), "--seeds=3", *SMALL]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["split"] == "val"
    assert [row["subsets"] for row in told["sizes"]] == [3, 3, 1]
    assert Path(told["ensemble"], "figures/subsets.png").is_file()
    assert main(words) == 0
    assert "TOGETHER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["drop-hard"], 2, "add data.drop=FILE"),
        (["m1"], 2, "say what of m1 is varied"),
        (["m1", "--vary=l2"], 2, "does not say what is varied"),
        (["m1", "--vary=optimizer.l3=1,2"], 2, "did you mean 'optimizer.l2'?"),
        (["nonlinearty"], 2, "did you mean 'nonlinearity'?"),
        (["nonlinearity", "--seeds=0"], 2, "--seeds"),
    ],
)
def test_what_is_asked_wrongly_is_explained(words, code, message, data, capsys) -> None:
    assert main(["ablate", *words, *data[:2]]) == code
    assert message in capsys.readouterr().err
    assert not Path("ablations").exists()


def test_in_python_it_is_finished_too(tiny_pack: Pack, tmp_path: Path) -> None:
    changes = [one for one in SMALL if not one.startswith("--")]
    design = read_design("larger-ensembles", [], changes).changed(seeds=2)
    ablation = lilliput.ablate(design, tiny_pack, to=tmp_path / "a", device="cpu")
    assert (ablation.figures_path / "ablation.png").is_file()
    assert (ablation.path / "ensemble").is_dir()


def test_equal_differences_are_unknown_not_certain(tmp_path: Path) -> None:
    values = tuple(
        Value(name=name, changes=(), runs=("a", "b"), accuracy=accuracy)
        for name, accuracy in (("one", (0.30, 0.29)), ("other", (0.31, 0.30)))
    )
    ablation = Ablation(
        path=tmp_path,
        name="l2",
        claim="",
        recipe="m1",
        base={},
        fingerprint="f00d",
        seeds=(1, 2),
        split="heldout",
        values=values,
    )
    page = _page(ablation, None)
    row = next(line for line in page.splitlines() if line.startswith("other"))
    assert row.split()[-4:] == ["+1.00", "points", "-", "-"]
    assert "A dash: " in page
