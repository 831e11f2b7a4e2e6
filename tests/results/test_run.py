"""The run folder: nothing overwritten, everything read back, damage named."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lilliput.errors import RunError, StorageError
from lilliput.results import run as run_module
from lilliput.results.run import Run

CLASSES = [("n1", "ant"), ("n2", "bee")]
RECIPE = 'name = "tiny"\n[training]\nepochs = 2\n'


def test_a_new_run_is_read_back(tmp_path: Path):
    created = Run.create(tmp_path / "deep" / "run", RECIPE, {"command": "é\udcff"}, CLASSES)
    run = Run.open(created.path)
    assert run.name == "run"
    assert run.recipe == {"name": "tiny", "training": {"epochs": 2}}
    assert run.recipe_toml == RECIPE
    assert run.environment["command"] == "é\udcff"
    assert [(c.id, c.name) for c in run.classes] == CLASSES
    assert run.history == ()
    assert run.splits_predicted == ()
    assert not run.is_finished


def test_record_log_and_predict(tmp_path: Path, learning, guesses):
    run = Run.create(tmp_path, RECIPE, {}, CLASSES)
    run.record(learning(1))
    run.record(learning(2))
    run.log("one")
    run.log("two \udcff\n")
    run.save_predictions("val", guesses(2, 8))
    run.save_predictions("heldout", guesses(2, 8))
    assert run.history == tuple(learning(2))
    assert run.log_path.read_text() == "one\ntwo \\udcff\n"
    assert run.splits_predicted == ("heldout", "val")
    assert len(run.predictions("val")) == 8
    with pytest.raises(RunError, match=r"no predictions at .*test\.npz"):
        run.predictions("test")


def test_finished_means_all_epochs_and_weights(make_run, learning):
    run = make_run(epochs=3)
    assert run.is_finished
    run.record(learning(2))
    assert not run.is_finished
    run.record(learning(3))
    run.weights_path.unlink()
    assert not run.is_finished


def test_create_refuses_a_folder_in_use(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RunError, match="already holds something") as caught:
        Run.create(tmp_path, RECIPE, {}, CLASSES)
    assert "--resume" in caught.value.hint
    assert "--run" in caught.value.hint
    with pytest.raises(StorageError):
        Run.create(tmp_path / "mine.txt", RECIPE, {}, CLASSES)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_create_leaves_nothing_when_the_disk_is_full(tmp_path: Path, monkeypatch):
    def full(path: Path, content: str) -> None:
        path.touch()
        raise StorageError("no space left")

    monkeypatch.setattr(run_module, "write_text", full)
    with pytest.raises(StorageError):
        Run.create(tmp_path / "run", RECIPE, {}, CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_open_says_what_is_missing(tmp_path: Path):
    with pytest.raises(RunError, match="there is no run at"):
        Run.open(tmp_path / "none")
    with pytest.raises(RunError, match=r"no recipe\.toml and no environment\.json"):
        Run.open(tmp_path)
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(RunError, match=r"not a run folder: no environment\.json"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match="is a file"):
        Run.open(tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("file", "content", "read"),
    [
        ("recipe.toml", b"name = ", "recipe"),
        ("recipe.toml", b"\xff", "recipe"),
        ("environment.json", b"{", "environment"),
        ("environment.json", b"[]", "environment"),
        ("environment.json", b"[" * 100_000, "environment"),
        ("environment.json", b"{}", "classes"),
        ("environment.json", b'{"classes": [1]}', "classes"),
        ("history.csv", b"nonsense", "history"),
    ],
)
def test_damage_names_the_file(tmp_path: Path, file: str, content: bytes, read: str):
    run = Run.create(tmp_path, RECIPE, {}, CLASSES)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(RunError, match=file):
        getattr(run, read)


def test_weights_and_their_metadata(make_run):
    run = make_run()
    assert run.weights()["1.weight"].shape == (16, 3, 5, 5)
    assert run.weights()["1.weight"].dtype == np.float32
    assert json.loads(run.weights_metadata()["image_size"]) == [64, 64]


def test_hostile_weights_are_refused(make_run):
    run = make_run()
    good = run.weights_path.read_bytes()
    header = b'{"t":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    bfloat16 = len(header).to_bytes(8, "little") + header + b"\0\0"
    for content in (b"", b"garbage" * 20, b"\xff" * 99, b"\x80\x04.", good[:-5], bfloat16):
        run.weights_path.write_bytes(content)
        with pytest.raises(RunError, match=r"weights\.safetensors"):
            run.weights()
    run.weights_path.unlink()
    with pytest.raises(RunError, match="there are no weights"):
        run.weights_metadata()


def test_folders_are_numbered_above_the_highest(tmp_path: Path):
    (tmp_path / "m1-9").mkdir()
    (tmp_path / "m1-x").mkdir()
    (tmp_path / "m2-30").touch()
    assert Run.next_folder(tmp_path, "m1") == tmp_path / "m1-10"
    assert Run.next_folder(tmp_path / "new", "m1") == tmp_path / "new" / "m1-1"
    assert Run.next_folder(tmp_path, "../a b/..").parent == tmp_path


def test_folders_claimed_at_once_all_differ(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: Run.next_folder(tmp_path, "m1"), range(40)))
    assert len(set(folders)) == 40
    Run.create(folders[0], RECIPE, {}, CLASSES)


def test_a_folder_claimed_after_looking_is_passed_over(tmp_path: Path, monkeypatch):
    (tmp_path / "m1-1").mkdir()
    (tmp_path / "m1-2").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(()))
    assert Run.next_folder(tmp_path, "m1") == tmp_path / "m1-3"


def test_a_run_holds_no_pickle(make_run):
    files = [file for file in make_run().path.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {
        ".toml",
        ".json",
        ".csv",
        ".txt",
        ".npz",
        ".safetensors",
    }
