"""How fast this machine trains and loads, beside plain PyTorch and its own limits: ``bench.json``. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from lilliput.notation import LayerTrace
from lilliput.results.atomic import write_text


@dataclass(frozen=True)
class Measured:
    """One value per round, in the order of the rounds; a round measures everything once, so rounds can be paired."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value that half of the rounds stay below."""
        return median(self.rounds)

    def over(self, other: Measured) -> Measured:
        """The quotient, round by round."""
        return Measured(tuple(a / b for a, b in zip(self.rounds, other.rounds, strict=True)))

    def times(self, factor: float) -> Measured:
        """The same in another unit."""
        return Measured(tuple(one * factor for one in self.rounds))

    def describe(self, digits: int = 0, *, percent: bool = False) -> str:
        """Median and spread as text: ``"1,234 (1,200 .. 1,250)"``."""
        factor, unit = (100, " %") if percent else (1, "")
        middle, low, high = (
            f"{one * factor:,.{digits}f}"
            for one in (self.median, min(self.rounds), max(self.rounds))
        )
        return f"{middle}{unit} ({low} .. {high})"

    def to_json(self) -> dict[str, object]:
        """Median, spread, number of rounds, and every round."""
        ends = {"min": min(self.rounds), "max": max(self.rounds), "n": len(self.rounds)}
        return {"median": self.median, **ends, "rounds": list(self.rounds)}


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The machine's own limits: products of square matrices in GFLOP/s (a multiply-add is two), copies in GB/s.

    A copy counts every byte twice, read and written.
    """

    fp32: Measured
    bf16: Measured
    copy: Measured

    def to_json(self) -> dict[str, object]:
        """All of it as plain values."""
        return {
            "fp32_gflops": self.fp32.to_json(),
            "bf16_gflops": self.bf16.to_json(),
            "copy_gigabytes_per_second": self.copy.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class TrainingSpeed:
    """One recipe: images per second of Lilliput, of plain PyTorch, and of Lilliput's loader alone; bytes of memory.

    ``multiply_adds`` are those of a training step, per image; ``precision`` and ``memory_format`` are what the probe
    chose for Lilliput; ``ceiling`` is the GFLOP/s of a matrix product in that precision, in the same rounds.
    """

    recipe: str
    plan: str
    batch_images: int
    multiply_adds: int
    precision: str
    memory_format: str
    lilliput: Measured
    plain: Measured
    loader: Measured
    ceiling: Measured
    lilliput_memory_bytes: int
    plain_memory_bytes: int

    @property
    def ratio(self) -> Measured:
        """How many times as fast as plain PyTorch."""
        return self.lilliput.over(self.plain)

    @property
    def loader_share(self) -> Measured:
        """The share of a step's time that reading and augmenting take."""
        return self.lilliput.over(self.loader)

    @property
    def gflops(self) -> Measured:
        """The network's arithmetic in GFLOP/s."""
        return self.lilliput.times(2 * self.multiply_adds / 1e9)

    @property
    def ceiling_share(self) -> Measured:
        """The network's arithmetic as a share of the matrix product's."""
        return self.gflops.over(self.ceiling)

    def to_json(self) -> dict[str, object]:
        """All of it as plain values."""
        plain = ("recipe", "plan", "batch_images", "multiply_adds", "precision", "memory_format")
        measured = {
            "lilliput_images_per_second": self.lilliput,
            "plain_images_per_second": self.plain,
            "ratio": self.ratio,
            "loader_images_per_second": self.loader,
            "loader_share": self.loader_share,
            "gflops": self.gflops,
            "ceiling_gflops": self.ceiling,
            "ceiling_share": self.ceiling_share,
        }
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: one.to_json() for name, one in measured.items()},
            "lilliput_memory_bytes": self.lilliput_memory_bytes,
            "plain_memory_bytes": self.plain_memory_bytes,
        }


@dataclass(frozen=True, kw_only=True)
class LoadingSpeed:
    """Reading and augmenting alone, in images per second; ``augmentation`` names what is done to every image.

    ``copy`` is what the machine copies in GB/s, in the same rounds.
    """

    augmentation: str
    image_bytes: int
    lilliput: Measured
    plain: Measured
    copy: Measured

    @property
    def ratio(self) -> Measured:
        """How many times as fast as plain PyTorch."""
        return self.lilliput.over(self.plain)

    @property
    def copy_share(self) -> Measured:
        """Of what copying the bytes of the images would take."""
        return self.lilliput.times(2 * self.image_bytes / 1e9).over(self.copy)

    def to_json(self) -> dict[str, object]:
        """All of it as plain values."""
        return {
            "augmentation": self.augmentation,
            "image_bytes": self.image_bytes,
            "lilliput_images_per_second": self.lilliput.to_json(),
            "plain_images_per_second": self.plain.to_json(),
            "ratio": self.ratio.to_json(),
            "copy_share": self.copy_share.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Everything one ``bench`` measured; ``machine`` and ``data`` say on what."""

    machine: Mapping[str, object]
    data: Mapping[str, object]
    ceiling: Ceiling
    trainings: tuple[TrainingSpeed, ...]
    loading: LoadingSpeed

    def to_json(self) -> dict[str, object]:
        """The content of ``bench.json``."""
        return {
            "machine": dict(self.machine),
            "data": dict(self.data),
            "ceiling": self.ceiling.to_json(),
            "trainings": [one.to_json() for one in self.trainings],
            "loading": self.loading.to_json(),
        }

    def save(self, folder: Path) -> None:
        """Write ``bench.json``. Raises: StorageError."""
        write_text(folder / "bench.json", json.dumps(self.to_json(), indent=2) + "\n")


def training_multiply_adds(layers: tuple[LayerTrace, ...]) -> int:
    """What a training step costs per image: forward, for the gradient of what is learned, and of what a layer takes in.

    The latter is not needed before the first layer that learns: nobody asks for the gradient of the pixels.

    >>> from lilliput.notation import parse, trace
    >>> training_multiply_adds(trace(parse("FCReLU(10) -> FC(2)"), (3, 1, 1)))
    120
    """
    total, has_learned = 0, False
    for layer in layers:
        learns = layer.parameters > 0
        total += layer.multiply_adds * (1 + learns + has_learned)
        has_learned = has_learned or learns
    return total
