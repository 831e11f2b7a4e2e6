"""Made-up results that every test may ask for, without torch and without training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.notation import ZOO
from lilliput.results.history import Epoch
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
ANIMALS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kite", "lynx")


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """So small a network gains nothing from threads, and on a busy machine they wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's own Chromium, by Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Visit:
    """A page opened in the browser, and everything it did that it should not."""

    def __init__(self, browser: Any, address: str, *, width: int = 1280, **context: Any) -> None:
        self.address = address
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **context)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self.page.on("request", self._requested)
        self.page.goto(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def may_ask_for(self, url: str) -> bool:
        return url == self.address or url.startswith("data:")

    def _requested(self, request: Any) -> None:
        if not self.may_ask_for(request.url):
            self.troubles.append(f"asked for {request.url}")


def named_classes(k: int) -> list[tuple[str, str]]:
    """``k`` classes with ids in sorted order."""
    return [(f"n{i:08d}", ANIMALS[i] if i < len(ANIMALS) else f"animal {i}") for i in range(k)]


def make_guesses(k: int, n: int, *, skill: float = 2.0, seed: int = 0) -> Predictions:
    """Predictions of ``n`` images that grow better with ``skill``, unevenly over the classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % k
    logits = random.normal(size=(n, k))
    logits[np.arange(n), labels] += skill * (0.4 + 1.2 * (labels * 7 % k) / k)
    odds = np.exp(logits)
    probabilities = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(probabilities, labels, tuple(f"val_{i}.JPEG" for i in range(n)))


def make_history(epochs: int, *, top: float = 0.25, worst: float = 5.3) -> list[Epoch]:
    """A plausible history that ends near accuracy ``top``."""
    random = np.random.default_rng(epochs)
    history = []
    for number in range(1, epochs + 1):
        done = 1 - np.exp(-4 * number / max(epochs, 2))
        noise = random.normal(scale=0.003)
        history.append(
            Epoch(
                epoch=number,
                seconds=31.5 + noise,
                learning_rate=0.01 * 0.85 ** ((number - 1) // 10),
                train_loss=worst * (1 - 0.42 * done) + noise,
                train_accuracy=float(np.clip(top * 1.25 * done + noise, 0, 1)),
                val_loss=worst * (1 - 0.35 * done) - noise,
                val_accuracy=float(np.clip(top * done - noise, 0, 1)),
                images_per_second=3170.0,
                peak_memory_bytes=1_500_000_000,
            )
        )
    return history


def smooth_filters(count: int, size: int) -> np.ndarray:
    """Edges and colour blobs float32[count, 3, size, size] as first layers learn them, with a little noise."""
    random = np.random.default_rng(count)
    y, x = np.mgrid[:size, :size] / max(size - 1, 1) - 0.5
    filters = []
    for number in range(count):
        angle, phase = random.uniform(0, np.pi), random.uniform(0, 2 * np.pi)
        wave = np.cos((4 if number % 3 else 1) * (x * np.cos(angle) + y * np.sin(angle)) + phase)
        colour = random.normal(size=3) if number % 2 else np.ones(3)
        filters.append(
            colour[:, None, None] * wave + random.normal(scale=0.1, size=(3, size, size))
        )
    return np.array(filters, dtype=np.float32) * 0.1


def fabricate_run(  # noqa: PLR0913
    folder: Path,
    *,
    recipe: str = "m1",
    classes: list[tuple[str, str]] | None = None,
    epochs: int = 12,
    n: int = 240,
    skill: float = 2.0,
    seed: int = 0,
    filters: tuple[int, int] = (16, 5),
    history: list[Epoch] | None = None,
) -> Run:
    """Write a finished run into ``folder`` as training would: ``filters`` are number and size of the first layer's."""
    classes = named_classes(12) if classes is None else classes
    plan = f"ConvReLU(F{filters[1]}-{filters[0]}) -> MaxPool -> FC({len(classes)})"
    toml = (
        f'name = "{recipe}"\nseed = {seed}\n\n[model]\nplan = "{recipe if recipe in ZOO else plan}"\n\n'
        f"[optimizer]\nl2 = 1e-4\n\n[training]\nepochs = {epochs}\nbatch_images = 128\n"
    )
    environment = {
        "versions": {"lilliput": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "numpy": "2.4.6"},
        "machine": {"cpu": "Some CPU @ 2.50 GHz", "cores": 2, "memory": 25_000_000_000},
        "runtime": {"device": "cpu", "precision": "fp32", "memory_format": "channels_last"},
        "command": [
            "lilliput",
            "train",
            recipe,
            "--data",
            "my pictures",
            f"training.epochs={epochs}",
        ],
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "data": {"path": "/data/my pictures", "fingerprint": "f00d" * 16, "counts": {"val": n}},
        "started": "2026-11-23T18:00:00+00:00",
    }
    run = Run.create(folder, toml, environment, classes)
    run.record(make_history(epochs) if history is None else history)
    run.log("epoch 1 ...")
    run.save_predictions("val", make_guesses(len(classes), n, skill=skill, seed=seed))
    tensors = {
        "0.mean": np.zeros((3, 64, 64), np.float32),
        "0.scale": np.ones(1, np.float32),
        "10.weight": np.zeros((4, 16, 3, 3), np.float32),
        "1.weight": smooth_filters(*filters),
    }
    metadata = {"plan": plan, "classes": json.dumps(classes), "image_size": "[64, 64]"}
    save_file(tensors, run.weights_path, {**metadata, "lilliput": "0.1.0"})
    return run


@pytest.fixture
def guesses() -> Callable[..., Predictions]:
    """``guesses(k, n, skill=..., seed=...)``: see :func:`make_guesses`."""
    return make_guesses


@pytest.fixture
def learning() -> Callable[..., list[Epoch]]:
    """``learning(epochs, top=...)``: see :func:`make_history`."""
    return make_history


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """``make_run("name", recipe=..., epochs=...)`` fabricates a finished run in the test's own folder."""

    def make(name: str = "m1-1", **settings) -> Run:
        return fabricate_run(tmp_path / name, **settings)

    return make


def fabricate_pack(folder: Path, *, classes: int = 4, train: int = 12, val: int = 4) -> Pack:
    """A pack of 16 x 16 pictures: noise around a colour that is the class's own."""
    random = np.random.default_rng(classes)
    for split, count in (("train", train), ("val", val)):
        for number in range(classes):
            place = folder / "source" / split / f"n{number:02d}"
            place.mkdir(parents=True)
            for i in range(count):
                pixels = random.normal(60, 40, (16, 16, 3))
                pixels[:, :, number % 3] += 25 * (1 + number // 3)
                image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                image.save(place / f"{i}.jpg", quality=95)
    return prepare(folder / "source", folder / "pack", size=16)


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """4 classes of 12 training and 4 validation pictures, 16 x 16. Not to be changed."""
    return fabricate_pack(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def other_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Other pictures, of 6 classes, four of which are called as in ``tiny_pack``."""
    return fabricate_pack(tmp_path_factory.mktemp("other"), classes=6, train=6)
