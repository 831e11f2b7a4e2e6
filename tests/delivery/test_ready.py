from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.cli import main
from lilliput.delivery.classifier import Classifier
from lilliput.delivery.ready import READY, ready_made, with_classifier
from lilliput.errors import RunError, UsageError


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_is_small_and_knows_its_classes() -> None:
    classifier = Classifier.load(READY, device="cpu")
    assert ready_made().stat().st_size < 6_000_000
    assert (len(classifier.classes), classifier.size) == (200, 64)
    assert all(one.id.startswith("n") and one.name for one in classifier.classes)
    probabilities = classifier(np.full((2, 64, 64, 3), 128, np.uint8))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("word", ["cat.jpg", "CAT.PNG", "-", "photos", "photos/*"])
def test_a_picture_needs_no_classifier_before_it(word: str) -> None:
    os.mkdir("photos")
    assert with_classifier([word, "other"]) == (READY, (word, "other"))


@pytest.mark.parametrize("word", ["run", "some.safetensors", "m4.onnx", READY, "mistyped"])
def test_a_classifier_is_known_by_its_form(word: str) -> None:
    os.mkdir("run")
    Path("run", "recipe.toml").touch()
    assert with_classifier([word, "a.jpg"]) == (word, ("a.jpg",))


@pytest.mark.parametrize("name", ["noext", "photo.heic", "a[1].png", "-"])
def test_a_file_is_a_picture_unless_its_ending_is_a_classifiers(name: str) -> None:
    Path(name).touch()
    assert with_classifier([name]) == (READY, (name,))


@pytest.mark.parametrize("name", ["m1[1].onnx", "what?.safetensors", "*.PT2"])
def test_a_classifier_may_have_the_name_of_a_pattern(name: str) -> None:
    Path(name).touch()
    assert with_classifier([name, "a.jpg"]) == (name, ("a.jpg",))


@pytest.mark.parametrize("name", ["photos/", "photo.heic", "runs/m9"])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"neither a picture nor a folder at '{name}'"):
        with_classifier([name])


def test_pictures_are_labelled_straight_after_the_installation(capsys) -> None:
    Image.new("RGB", (100, 80), (40, 90, 200)).save("sky.png")
    assert main(["predict", "sky.png", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["classifier"], facts["labelled"]) == (READY, 1)
    assert len(facts["pictures"][0]["top"]) == 5


def test_a_folder_of_that_name_goes_first() -> None:
    Path(READY).mkdir()
    with pytest.raises(RunError, match="holds no result"):
        Classifier.load(READY)
