"""What ``doctor`` says about training here: how long a step takes in each way, and which one would be taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lilliput.cli.console import bold, table

if TYPE_CHECKING:
    from lilliput.training.runtime import Runtime

# So many images of each, so that all of it takes a few seconds.
NETWORKS = {"m1": 64, "m4": 16}
PIXELS, CLASSES = 64, 200


@dataclass(frozen=True)
class Probed:
    """A ``network``, a batch of ``images``, milliseconds of a step each way, the way ``taken``, those that fail."""

    network: str
    images: int
    timings: dict[str, float]
    taken: str
    failures: dict[str, str]


def probe_machine() -> list[Probed]:
    """Every network with a batch of random pixels; every choice is left open."""
    return [_probe(network, images) for network, images in NETWORKS.items()]


def _probe(network: str, images: int) -> Probed:
    import torch

    from lilliput.data.batches import Batch
    from lilliput.data.statistics import empty_statistics
    from lilliput.models.build import build_model
    from lilliput.recipe import load_recipe
    from lilliput.training.probe import Probe, name_of
    from lilliput.training.runtime import THREADS, Runtime, find_device

    recipe = load_recipe(network)
    model = build_model(recipe.model.network(CLASSES), *empty_statistics(PIXELS, PIXELS))
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, PIXELS, PIXELS, 3), generator=random)
    targets = torch.eye(CLASSES)[torch.arange(images) % CLASSES]
    probe = Probe(recipe, model, Batch(pixels.to(torch.uint8).permute(0, 3, 1, 2), targets))
    before: Runtime = Runtime(find_device("auto"), "fp32", "channels_last", THREADS)
    chosen = probe.choose(before, recipe.training.epochs)
    torch.set_num_threads(THREADS)
    return Probed(network, images, probe.timings, name_of(chosen), probe.failures)


def describe_probe(probed: list[Probed]) -> str:
    """The probe as a table; the way that auto takes is marked."""
    lines = []
    for one in probed:
        rows = [
            [way, f"{ms:,.1f} ms", f"{1000 * one.images / ms:,.0f} images/s", _mark(way, one)]
            for way, ms in one.timings.items()
        ]
        rows += [[way, "fails", "", why] for way, why in one.failures.items()]
        lines += [
            bold(f"A training step of {one.network}, {one.images} images"),
            table(rows, right=(1, 2), indent="  "),
        ]
    return "\n".join(lines)


def probe_facts(probed: list[Probed]) -> list[dict[str, object]]:
    """The probe as plain values."""
    return [dict(asdict(one)) for one in probed]


def _mark(way: str, one: Probed) -> str:
    return "taken by auto" if way == one.taken else ""
