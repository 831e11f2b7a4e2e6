"""Images a second of a strong policy: Lilliput's whole batches beside torchvision's and kornia's, in turns.

    python benchmarks/augment/run.py --data PACK    # torchvision and kornia where they are installed

The policy: crops with 4 pixels of margin, mirroring, TrivialAugment Wide, erasing a quarter of the images, CutMix.
Images lie in memory as bytes; a batch of 64 comes out as floats and targets. torchvision varies one image at a time,
for its policy and crops draw once per call, and mixes the batch. kornia varies batches of floats; it has no
TrivialAugment, so it runs RandAugment with one change. Beside it a step of resnet18 on 64 images, in fp32.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

IMAGES, BATCHES = 64, 12
Work = Callable[[], object]


def lilliputs(images: Tensor, labels: Tensor) -> Work:
    """By the pieces of ``lilliput train``, reading included."""
    import numpy as np

    from lilliput.data.augment import augmentations
    from lilliput.data.batches import Batches
    from lilliput.data.pack import Split
    from lilliput.data.selection import Selection
    from lilliput.recipe import AugmentRecipe

    recipe = AugmentRecipe(crop_pixels=4, flip=True, policy="trivial", erase=0.25, cutmix=1.0)
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
    count = len(images)
    boxes = np.full((count, 4), -1, np.int16)
    split = Split(pixels, labels.numpy(), boxes, tuple(map(str, range(count))))
    selection = Selection(split, np.arange(count), labels.numpy())
    made = augmentations(recipe, epochs=10**6)
    batches = Batches(selection, 200, batch_images=IMAGES, seed=1, augmentations=made)
    return _turns(batches.epoch)


def torchvisions(images: Tensor, labels: Tensor) -> Work:
    """By torchvision.transforms.v2."""
    from torchvision.transforms import v2

    one = v2.Compose(
        [
            v2.RandomCrop(64, padding=4, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.TrivialAugmentWide(),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomErasing(0.25),
        ]
    )
    mix = v2.CutMix(num_classes=200)

    def epoch(number: int) -> Iterator[object]:
        for chosen in torch.randperm(len(images)).split(IMAGES):
            yield mix(torch.stack([one(images[place]) for place in chosen]), labels[chosen])

    return _turns(epoch)


def kornias(images: Tensor, labels: Tensor) -> Work:
    """By kornia.augmentation."""
    import kornia.augmentation as ka

    every = ka.AugmentationSequential(
        ka.RandomCrop((64, 64), padding=4, padding_mode="reflect"),
        ka.RandomHorizontalFlip(),
        ka.auto.RandAugment(n=1, m=15),
        ka.RandomErasing(p=0.25),
        data_keys=["input"],
    )
    mix = ka.RandomCutMixV2(data_keys=["input", "class"], p=1.0, use_correct_lambda=True)

    def epoch(number: int) -> Iterator[object]:
        for chosen in torch.randperm(len(images)).split(IMAGES):
            yield mix(every(images[chosen].float() / 255), labels[chosen])

    return _turns(epoch)


def step(images: Tensor, labels: Tensor) -> Work:
    """A training step of resnet18, to hold the others against."""
    from lilliput.models.build import build_model
    from lilliput.notation import ZOO, parse

    model = build_model(
        parse(ZOO["resnet18"].notation), torch.zeros(3, 64, 64), torch.ones(3, 64, 64)
    )
    model = model.to(memory_format=torch.channels_last).train()

    def work() -> None:
        torch.nn.functional.cross_entropy(model(images[:IMAGES]), labels[:IMAGES]).backward()

    return work


def _turns(epoch: Callable[[int], Iterator[object]]) -> Work:
    """A batch at every call, epoch after epoch."""

    def all_epochs() -> Iterator[object]:
        number = 0
        while True:
            number += 1
            yield from epoch(number)

    batches = all_epochs()
    return lambda: next(batches)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Rounds in which all take turns; images a second of each."""
    import lilliput
    from lilliput.training.environment import processor
    from lilliput.training.memory import keep_freed_memory

    keep_freed_memory()
    train = lilliput.open_data(options.data)["train"]
    images = torch.from_numpy(train.images[:2048].copy()).permute(0, 3, 1, 2)
    labels = torch.from_numpy(train.labels[:2048].copy()).long()
    works: dict[str, Work] = {}
    for name, make in PEERS.items():
        try:
            works[name] = make(images, labels)
            works[name]()
        except ImportError as error:
            print(f"{name}: {error}", file=sys.stderr)
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.rounds):
        for name, work in works.items():
            batches = 1 if name == "resnet18 step" else BATCHES
            started = time.perf_counter()
            for _ in range(batches):
                work()
            rates[name].append(batches * IMAGES / (time.perf_counter() - started))
    packages = [one for one in ("lilliput", "torch", "torchvision", "kornia") if _has(one)]
    return {
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {one: version(one) for one in packages},
        "rounds": options.rounds,
        "images_per_second": rates,
    }


def _has(package: str) -> bool:
    try:
        return bool(version(package))
    except ImportError:
        return False


PEERS: dict[str, Callable[[Tensor, Tensor], Work]] = {
    "lilliput": lilliputs,
    "torchvision": torchvisions,
    "kornia": kornias,
    "resnet18 step": step,
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A strong policy, in turns with others")
    parser.add_argument("--data", type=Path, required=True, help="a pack of Tiny ImageNet")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results.json")
    options = parser.parse_args()
    results = measure(options)
    options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, found in results["images_per_second"].items():
        print(
            f"{name:14} {statistics.median(found):9,.0f} images/s  ({min(found):,.0f} .. {max(found):,.0f})"
        )
