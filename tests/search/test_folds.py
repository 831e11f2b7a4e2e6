"""The real thing, small: the command on the toy set, its folds, its stop and its resumption."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from lilliput.cli import main
from lilliput.cli import search as command
from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.data.toy import write_toy_zip
from lilliput.recipe import load_recipe
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run
from lilliput.results.study import Study
from lilliput.search.folds import Folds, out_of_fold
from lilliput.search.trial import Proposal, Report, Result

SPACE = """
optimizer.learning_rate = { low = 0.005, high = 0.05, log = true }
model.plan.template = "Conv{kind}(F3-8) -> MaxPool -> MaxPool -> FC(200)"
model.plan.kind = { choices = ["ReLU", "Tanh"] }
"""
SMALL = [
    "training.batch_images=16",
    "training.precision=fp32",
    "training.memory_format=channels_last",
]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("search")
    write_toy_zip(folder / "toy.zip", train_images=4, val_images=2, test_images=1)
    return prepare(folder / "toy.zip", folder / "pack")


@pytest.fixture
def words(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SPACE, encoding="utf-8")
    options = [
        "--data",
        str(pack.path),
        "--space",
        "small.toml",
        "--trials",
        "2",
        "--device",
        "cpu",
    ]
    return ["search", "toy-a", *SMALL, "training.epochs=2", *options]


def test_every_fold_is_held_out_once(pack: Pack, tmp_path: Path) -> None:
    recipe = load_recipe(
        "toy-a", [*SMALL, "training.epochs=2", "model.plan=ConvReLU(F3-4) -> MaxPool -> FC(9)"]
    )
    folder = tmp_path / "trial"
    events = list(Folds(pack, folds=2, device="cpu")(Proposal(0, recipe, folder)))

    reports = [event for event in events if isinstance(event, Report)]
    assert [(report.step, report.steps) for report in reports] == [(n, 4) for n in range(1, 5)]
    result = events[-1]
    assert isinstance(result, Result)
    runs = [Run.open(folder / f"fold-{fold}") for fold in (1, 2)]
    accuracies = [run.history[-1].val_accuracy for run in runs]
    assert result.fold_values == tuple(accuracies)
    assert result.value == reports[-1].value == pytest.approx(np.mean(accuracies))
    # In the second fold the first one's end counts too.
    assert reports[2].value == pytest.approx((accuracies[0] + runs[1].history[0].val_accuracy) / 2)
    assert [run.recipe["data"]["fold"] for run in runs] == [1, 2]
    assert not any(run.checkpoints_path.exists() for run in runs)

    together = Predictions.load(folder / "heldout.npz")
    assert together.names == tuple(pack["train"].names)
    assert np.array_equal(together.labels, np.asarray(pack["train"].labels))
    share = (together.probabilities.argmax(1) == together.labels).mean()
    assert share == pytest.approx(result.value)
    assert "val" not in runs[0].splits_predicted


def test_out_of_fold_rows_keep_their_images() -> None:
    eye = np.eye(3, dtype=np.float32)
    parts = [
        Predictions(eye[[1, 2]], np.array([1, 2]), ("b", "c")),
        Predictions(eye[[0]], np.array([0]), ("a",)),
    ]
    together = out_of_fold(parts, ["a", "b", "unused", "c"])
    assert together.names == ("a", "b", "c")
    assert np.array_equal(together.probabilities, eye)


def test_the_command_from_the_space_to_the_best_recipe(
    words: list[str], pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert {Path(figure).stem for figure in facts["figures"]} == {"search", "parallel"}
    study = Study.open(Path(facts["study"]))
    assert study.name == "toy-a"
    assert study.facts["holdout"] == 0.1
    trial = study.best[0]
    predictions = study.predictions(trial)
    assert len(predictions) == trial.images < len(pack["train"])
    assert set(predictions.names) <= set(pack["train"].names)
    best = facts["best"][0]["recipe"]
    assert load_recipe(best).model.plan.startswith("Conv" + best_kind(study))
    assert (
        main(["train", best, "training.epochs=1", "--data", str(pack.path), "--device", "cpu"]) == 0
    )

    assert main(words) == 0  # nothing left to do
    out, err = capsys.readouterr()
    assert "best-1.toml" in out
    assert "trial 2" not in err


def best_kind(study: Study) -> str:
    return str(study.best[0].parameters["model.plan.kind"])


def test_a_stop_puts_the_trial_back_and_the_same_command_goes_on(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show, stopped = command.Screen.show, []

    def stop(screen: command.Screen, event: object) -> None:
        show(screen, event)
        if isinstance(event, Report) and not stopped:
            stopped.append(event)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command.Screen, "show", stop)
    assert main(words) == 130
    assert "back in the queue" in capsys.readouterr().err
    assert not list(Path("studies/toy-a/trials").iterdir())
    assert main(words) == 0
    assert "repeats trial 0" in capsys.readouterr().err
    states = [trial.state for trial in Study.open("studies/toy-a").trials]
    assert sorted(states) == ["complete", "complete", "failed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--folds", "3", "--holdout", "0.2"], "two ways"),
        (["--folds", "1"], "2 folds at least"),
        (["--holdout", "1.5"], "between 0 and 1"),
        (["--space", "m9"], "there is no space 'm9'"),
        (["--sampler", "grid"], "a grid needs choices"),
        (["--storage", "host/db"], "is not the address"),
        (["--trials", "0"], "--trials"),
    ],
)
def test_a_wrong_request_is_refused(
    changed: list[str], said: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    taken = {word for word in changed if word.startswith("--")}
    kept = list(words)
    for option in taken & set(kept):
        place = kept.index(option)
        del kept[place : place + 2]
    assert main([*kept, *changed]) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err
    assert not Path("studies").exists()


@pytest.mark.parametrize("name", ["a/../<b>é", "../up", "/there", "", ".", "two words"])
def test_a_study_is_named_as_a_folder_may_be(words, capsys, name: str) -> None:
    before = set(Path.cwd().parent.iterdir())
    assert main([*words, "--study", name]) == 2
    assert "no name for a folder" in capsys.readouterr().err
    assert not Path("studies").exists() and set(Path.cwd().parent.iterdir()) == before
