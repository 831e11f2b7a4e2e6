"""A classifier says what its run or ensemble has said, to arrays and to files, and refuses what does not fit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lilliput
from lilliput.data.decode import decode
from lilliput.data.pack import Pack
from lilliput.delivery.classifier import OPENERS, Classifier
from lilliput.errors import RunError, UsageError
from lilliput.recipe import Recipe
from lilliput.results.combine import METHODS, combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run
from lilliput.training.weights import read_tensors, write_tensors

VIEWS = (["plain"], ["plain", "flip"], ["plain", "flip", "shift"])


@pytest.fixture(scope="module")
def runs(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three networks of different kinds and views."""
    folder = tmp_path_factory.mktemp("runs")
    plans = (
        "ConvReLU(F3-6) -> MaxPool -> FC(4)",
        "FCReLU(12) -> FC(4)",
        "ConvBNReLU(F3-6) -> GlobalPool -> FC(4)",
    )
    made = []
    for seed, (plan, views) in enumerate(zip(plans, VIEWS, strict=True)):
        values = {
            "name": "tiny",
            "seed": seed,
            "model": {"plan": plan},
            "training": {
                "epochs": 2,
                "batch_images": 12,
                "precision": "fp32",
                "memory_format": "contiguous",
            },
            "evaluation": {"views": views},
        }
        recipe = Recipe.model_validate(values)
        made.append(lilliput.train(recipe, tiny_pack, run=folder / f"tiny-{seed}", device="cpu"))
    return made


@pytest.fixture(scope="module")
def files(tiny_pack: Pack) -> list[Path]:
    """The files of the pack's val split, in its order."""
    split = tiny_pack["val"]
    place = tiny_pack.path.parent / "source" / "val"
    assert split.labels is not None
    folders = [tiny_pack.classes[k].id for k in split.labels]
    return [place / one / Path(name).name for one, name in zip(folders, split.names, strict=True)]


def assert_alike(said: np.ndarray, stored: np.ndarray) -> None:
    assert said.dtype == np.float32
    assert (said.argmax(1) == stored.argmax(1)).all()
    assert np.abs(said - stored).max() <= 1e-5


@pytest.mark.parametrize("number", range(3))
def test_a_run_says_what_it_has_stored(number: int, runs, tiny_pack, files):
    classifier = Classifier.load(runs[number].path)
    stored = runs[number].predictions("val").probabilities
    assert classifier.views == tuple(VIEWS[number])
    assert (classifier.size, classifier.name) == (16, f"tiny-{number}")
    assert classifier.classes == runs[number].classes
    assert_alike(classifier(tiny_pack["val"].images), stored)
    answers = classifier.predict(files, top=4)
    for answer, file, row in zip(answers, files, stored, strict=True):
        assert (answer.file, answer.error) == (str(file), "")
        assert answer.best and answer.best.id == classifier.classes[int(row.argmax())].id
        said = {guess.id: guess.probability for guess in answer.top}
        assert np.allclose([said[one.id] for one in classifier.classes], row, atol=1e-5)
        assert list(said.values()) == sorted(said.values(), reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_an_ensemble_says_what_it_has_stored(method: str, runs, tiny_pack, files, tmp_path):
    made = lilliput.ensemble(runs, to=tmp_path / "all", method=method)
    classifier = Classifier.load(made.path)
    members = [one.predictions("val") for one in made.members]
    combined = combine(members, made.weights, made.method).probabilities
    said = classifier(tiny_pack["val"].images)
    assert_alike(said, combined)
    # Weights that were chosen on halves of val are not those that its stored predictions come from.
    if made.chosen_on is None:
        assert_alike(said, made.predictions("val").probabilities)
    best = [answer.best.id for answer in classifier.predict(files) if answer.best]
    assert best == [classifier.classes[k].id for k in combined.argmax(1)]


def test_a_file_of_weights_is_enough(runs, tiny_pack, tmp_path):
    alone = shutil.copy(runs[2].weights_path, tmp_path / "alone.SAFETENSORS")
    classifier = lilliput.Classifier.load(alone)
    assert classifier.views == ("plain", "flip", "shift")
    stored = runs[2].predictions("val").probabilities
    assert_alike(classifier(tiny_pack["val"].images), stored)
    tensors, metadata = read_tensors(alone)
    del metadata["views"]  # as older versions wrote it
    write_tensors(tmp_path / "old.safetensors", tensors, metadata)
    assert Classifier.load(tmp_path / "old.safetensors").views == ("plain",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"classes": "[]"}, "0 classes for 4 outputs"),
        ({"classes": "[1, 2]"}, "names no classes"),
        ({"classes": "no JSON"}, "its metadata has no classes"),
        ({"views": '["sideways"]'}, "sideways"),
        ({"views": "[]"}, "not known"),
        ({"views": "3"}, "not known"),
        ({"image_size": "[16, 12]"}, "16 x 12|does not hold a network"),
        ({"plan": None}, "lacks 'plan'"),
    ],
)
def test_a_damaged_file_is_refused(change, problem, runs, tmp_path):
    tensors, metadata = read_tensors(runs[2].weights_path)
    metadata = {key: value for key, value in (metadata | change).items() if value is not None}
    write_tensors(tmp_path / "w.safetensors", tensors, metadata)
    with pytest.raises(RunError, match=problem):
        Classifier.load(tmp_path / "w.safetensors")


def test_numbers_that_are_no_probabilities_are_refused(runs, tmp_path):
    tensors, metadata = read_tensors(runs[0].weights_path)
    spoilt = {name: tensor * float("nan") for name, tensor in tensors.items()}
    write_tensors(tmp_path / "w.safetensors", spoilt, metadata)
    with pytest.raises(RunError, match="no probabilities"):
        Classifier.load(tmp_path / "w.safetensors")(np.zeros((1, 16, 16, 3), np.uint8))


def test_what_is_no_classifier_is_refused(tiny_pack, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"")
    with pytest.raises(RunError, match=r"its ending is none of .*safetensors"):
        Classifier.load(tmp_path / "cat.jpg")
    with pytest.raises(RunError, match="is a pack"):
        Classifier.load(tiny_pack.path)
    with pytest.raises(RunError, match="nothing at"):
        Classifier.load(tmp_path / "missing")
    assert ".safetensors" in OPENERS


def test_members_that_do_not_fit_are_refused(runs, tmp_path):
    made = lilliput.ensemble(runs, to=tmp_path / "all")
    facts = made.facts
    facts["classes"] = facts["classes"][::-1]
    (made.path / "ensemble.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="other classes"):
        Classifier.load(Ensemble.open(made.path))


def test_a_device_that_is_not_here_is_refused(runs):
    with pytest.raises(UsageError, match="no device 'abacus'"):
        Classifier.load(runs[0], device="abacus")


def test_an_unknown_training_device_is_replaced(runs, tiny_pack, tmp_path):
    copy = Run(Path(shutil.copytree(runs[0].path, tmp_path / "copy")))
    elsewhere = {"device": "abacus:3", "precision": "bf16", "memory_format": "beads"}
    for runtime in (elsewhere, None, []):
        copy.save_environment({**copy.environment, "runtime": runtime})
        said = Classifier.load(copy)(tiny_pack["val"].images)
        if not torch.cuda.is_available():
            assert_alike(said, runs[0].predictions("val").probabilities)


@pytest.fixture(scope="module")
def classifier(runs) -> Classifier:
    return Classifier.load(runs[0])


@pytest.mark.parametrize(
    ("images", "problem", "hint"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), "float32, not uint8", "255"),
        (np.zeros((2, 3, 16, 16), np.uint8), r"\[2, 3, 16, 16\]", "transpose"),
        (np.zeros((16, 16), np.uint8), r"\[16, 16\], not \[n, height, width, 3\]", "RGB"),
        (np.zeros((2, 16, 16, 1), np.uint8), r"\[2, 16, 16, 1\]", "RGB"),
        (np.zeros((2, 16, 12, 3), np.uint8), r"16 x 12 pixels, tiny-0 takes 16 x 16", "predict"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, problem, hint, classifier):
    with pytest.raises(UsageError, match=problem) as caught:
        classifier(images)
    assert hint in caught.value.hint


def test_one_image_none_and_odd_arrays(classifier, tiny_pack):
    images = np.array(tiny_pack["val"].images[:4])
    said = classifier(images)
    assert classifier(images[1]).shape == (1, 4)
    assert np.allclose(classifier(images[1])[0], said[1], atol=1e-6)
    assert classifier(images[:0]).shape == (0, 4)
    images.flags.writeable = False
    assert np.allclose(classifier(images[::-1]), said[::-1], atol=1e-6)
    assert np.allclose(classifier(images[:, :, ::-1]), classifier(images[:, :, ::-1].copy()))


def test_many_images_are_asked_in_batches(classifier, tiny_pack):
    images = np.tile(tiny_pack["val"].images[:], (65, 1, 1, 1))
    said = classifier(images)
    assert len(said) == len(images) > 1000
    assert np.allclose(said[:16], said[-16:], atol=1e-6)


def test_pictures_of_any_size_are_cut_and_scaled_as_in_a_pack(classifier, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    seen = decode((tmp_path / "wide.png").read_bytes(), 16)
    [answer] = classifier.predict(tmp_path / "wide.png", top=1)
    assert answer.best and answer.best.probability == pytest.approx(classifier(seen).max())
    [(same, shown)] = classifier.answers([tmp_path / "wide.png"], top=1)
    assert same == answer
    assert np.array_equal(shown, seen)


def test_files_that_cannot_be_read_are_answered_too(classifier, files, tmp_path, monkeypatch):
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.jpg").write_bytes(files[0].read_bytes()[:200])
    bad = [tmp_path / name for name in ("text.jpg", "empty.jpg", "half.jpg", "missing.jpg", "")]
    answers = classifier.predict([files[0], *bad, "zero\0byte", files[1]])
    assert [bool(answer.error) for answer in answers] == [False, *[True] * 6, False]
    assert all(answer.top == () and answer.best is None for answer in answers[1:-1])
    assert "No such file" in answers[4].error
    [alone] = classifier.predict(files[0])
    assert [guess.id for guess in alone.top] == [guess.id for guess in answers[0].top]
    monkeypatch.setattr("lilliput.delivery.pictures.MAX_BYTES", 100)
    assert "larger than" in classifier.predict(files[0])[0].error


def test_files_come_a_few_at_a_time(classifier, files, monkeypatch):
    monkeypatch.setattr("lilliput.delivery.classifier.READ_IMAGES", 3)
    taken = []

    def endless():
        while True:
            taken.append(files[0])
            yield files[0]

    answers = classifier.answers(endless())
    assert [next(answers)[0].error for _ in range(4)] == [""] * 4
    assert len(taken) == 6


def test_top_is_at_least_one_and_at_most_all(classifier, files):
    assert len(classifier.predict(files[0], top=99)[0].top) == 4
    assert len(classifier.predict(files[0], top=1)[0].top) == 1
    with pytest.raises(UsageError, match="top = 0"):
        classifier.answers(files, top=0)


def test_the_verb_takes_folders_and_patterns(runs, files, tiny_pack):
    folder = tiny_pack.path.parent / "source" / "val"
    loaded = Classifier.load(runs[0])
    for classifier in (runs[0], str(runs[0].path), loaded):
        answers = lilliput.predict(classifier, folder, top=2)
        assert [answer.file for answer in answers] == [str(file) for file in files]
    assert len(lilliput.predict(loaded, [f"{folder}/*/0.jpg", files[0]])) == 5
    with pytest.raises(UsageError, match="no file fits"):
        lilliput.predict(loaded, f"{folder}/*.xyz")


def test_the_class_is_there_without_torch():
    program = "import lilliput, sys; lilliput.Classifier; lilliput.predict; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
