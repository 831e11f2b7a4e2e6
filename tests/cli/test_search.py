"""``search`` as it is typed, and as it is called from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.results.study import Study

SMALL = [
    "model.plan=ConvReLU(F3-4) -> MaxPool -> FCReLU(6) -> FC(4)",
    "training.epochs=1",
    "training.batch_images=8",
    "training.precision=fp32",
    "training.memory_format=contiguous",
]
SPACE = """
[optimizer.learning_rate]
low = 0.001
high = 0.1
log = true

[model.dropout]
choices = [0.4, 0.6]
"""


@pytest.fixture
def space() -> str:
    Path("space.toml").write_text(SPACE, encoding="utf-8")
    return "space.toml"


@pytest.fixture
def words(tiny_pack: Pack, space: str) -> list[str]:
    return ["search", "m1", *SMALL, "--data", str(tiny_pack.path), "--space", space, "--device=cpu"]


def test_the_best_trials_are_named_and_their_recipes_train(words, tiny_pack, capsys) -> None:
    assert main([*words, "--trials=3", "--folds=2", "--best=2", "--sampler=random"]) == 0
    out, err = capsys.readouterr()
    assert "searching space for m1" in err
    assert "1/3  trial 0" in err and "3/3  trial 2" in err
    study = Study.open(Path("studies/m1"))
    best = study.best[0]
    assert f"best {100 * (best.value or 0):.1f} % on 2 folds of train" in out
    assert "best-2.toml" in out and "flattered" in out
    assert "lilliput train studies/m1/best-1.toml" in out
    assert (Path("studies/m1/figures") / "search.png").is_file()
    recipe = str(study.best_recipes[0])
    assert main(["train", recipe, "--data", str(tiny_pack.path), "--run=again"]) == 0


def test_json_tells_the_same_and_the_same_command_goes_on(words, capsys) -> None:
    asked = [*words, "--study=mine", "--holdout=0.25", "--json"]
    assert main([*asked, "--trials=2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert told["study"] == str(Path("studies/mine"))
    assert main([*asked, "--trials=2"]) == 0
    again, err = capsys.readouterr()
    assert json.loads(again) == told
    assert "trial 0" not in err, "what is done was done again"
    assert main([*asked, "--trials=3"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 3


def test_a_grid_needs_no_number_of_trials(words, capsys) -> None:
    Path("space.toml").write_text("[model.dropout]\nchoices = [0.4, 0.5, 0.6]\n", encoding="utf-8")
    assert main([*words, "--sampler=grid", "--holdout=0.25", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"]["complete"] == 3
    assert {one["parameters"]["model.dropout"] for one in told["best"]} == {0.4, 0.5, 0.6}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "--trials"),
        (["--trials=0"], "--trials"),
        (["--trials=2", "--folds=1"], "2 folds at least"),
        (["--trials=2", "--folds=2", "--holdout=0.1"], "two ways to judge"),
        (["--trials=2", "--holdout=1.5"], "a share between 0 and 1"),
        (["--trials=2", "--sampler=tpa"], "did you mean 'tpe'"),
        (["--trials=2", "--pruner=ashe"], "did you mean 'asha'"),
        (["--trials=2", "--study=a/b"], "is no name for a folder"),
        (["--trials=9", "--sampler=grid"], "grid"),
    ],
)
def test_what_no_study_can_be_is_refused_before_anything_is_written(
    words, more, message, capsys
) -> None:
    assert main([*words, *more]) == 2
    assert message in capsys.readouterr().err
    assert not Path("studies").exists()


def test_python_finds_the_same_as_the_command(words, tiny_pack, space, capsys) -> None:
    assert main([*words, "--trials=2", "--holdout=0.25", "--sampler=random", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    study = lilliput.run_search(
        "m1",
        tiny_pack,
        space,
        trials=2,
        holdout=0.25,
        sampler="random",
        overrides=SMALL,
        to="other",
        device="cpu",
    )
    assert study.path == Path("other")
    assert [dict(trial.parameters) for trial in study.best] == [
        one["parameters"] for one in told["best"]
    ]
    assert [trial.value for trial in study.best] == [one["value"] for one in told["best"]]
