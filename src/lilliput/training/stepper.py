"""How a step is carried out: one operation after the other, compiled, or captured once on the GPU and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lilliput.data.batches import Batch
from lilliput.models.shared import SeededDropout
from lilliput.training.optimizer import keep_rates_on
from lilliput.training.runtime import Runtime

Result = tuple[Tensor, Tensor]
"""The mean loss float32[] and which images are right bool[b]."""
TrainStep = Callable[[nn.Module, Batch, Optimizer, Runtime], Result]
Capture = Callable[
    [Callable[[], Result], Sequence[torch.Generator]], tuple[Callable[[], None], Result]
]
"""Records what a function does, without doing it: gives what does it, and where its results lie from then on."""

# In these, algorithms are chosen and what stays (momentum) is allocated, neither of which can be captured.
FIRST_STEPS = 3


class Stepper:
    """Takes the steps of a training as they are."""

    def __init__(self, step: Callable[[Batch], Result]) -> None:
        self.step = step

    def __call__(self, batch: Batch) -> Result:
        """One training step."""
        return self.step(batch)

    def resized(self, pixels: int) -> None:
        """From here on the model sees its images this high and wide."""


def make_stepper(
    train_step: TrainStep,
    model: nn.Module,
    optimizer: Optimizer,
    runtime: Runtime,
    batch_images: int,
    parts: int = 1,
) -> Stepper:
    """What takes the steps of a training in the runtime's way; the network sees a batch in so many equal ``parts``."""
    network = compiled(model, batch_images // parts) if runtime.step == "compiled" else model

    def step(batch: Batch) -> Result:
        return train_step(network, batch, optimizer, runtime)

    if runtime.step == "plain" or runtime.torch_device.type != "cuda":
        return Stepper(step)
    keep_rates_on(optimizer, runtime.torch_device)
    return Captured(step, model, batch_images, capture_on_cuda)


class Captured(Stepper):
    """Replays one step for all: the host hands over one thing instead of hundreds, and the GPU never waits for it.

    The step must read nothing that changes but its batch, tensors that stay in their place, and the model's dropout
    generators. Batches of another size than ``batch_images``, such as the last of an epoch, take it as it is. Results
    lie where those of the next step will: use them before it.
    """

    def __init__(
        self,
        step: Callable[[Batch], Result],
        model: nn.Module,
        batch_images: int,
        capture: Capture,
    ) -> None:
        super().__init__(step)
        self._model = model
        self._batch_images = batch_images
        self._capture = capture
        self._pixels = 0
        self._taken = 0
        self._replay: Callable[[Batch], Result] | None = None

    def __call__(self, batch: Batch) -> Result:
        """One training step; the first few as they are."""
        if len(batch.images) != self._batch_images:
            return self.step(batch)
        if self._taken < FIRST_STEPS:
            self._taken += 1
            return self.step(batch)
        if self._replay is None:
            self._replay = self._captured(batch)
        return self._replay(batch)

    def resized(self, pixels: int) -> None:
        """From here on the model sees its images this high and wide: what was captured no longer holds."""
        if pixels != self._pixels:
            self._pixels, self._taken, self._replay = pixels, 0, None

    def _captured(self, batch: Batch) -> Callable[[Batch], Result]:
        own = batch._replace(images=batch.images.clone(), targets=batch.targets.clone())
        replay, result = self._capture(partial(self.step, own), _generators(self._model))

        def take(batch: Batch) -> Result:
            own.images.copy_(batch.images)
            own.targets.copy_(batch.targets)
            replay()
            return result

        return take


def capture_on_cuda(
    step: Callable[[], Result], generators: Sequence[torch.Generator]
) -> tuple[Callable[[], None], Result]:
    """A step as a CUDA graph. Raises: RuntimeError when something in it has to wait for the GPU."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)  # so that reseeding it is heard
    # Other threads may go on allocating: the next batches are fetched meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = step()
    return graph.replay, result


def compiled(model: nn.Module, batch_images: int, backend: str = "inductor") -> nn.Module:
    """The model as PyTorch's compiler makes it, for batches of so many images; others take it as it is.

    To compile takes tens of seconds, at the first batch and whenever images change size. What was compiled in this
    process before is forgotten: the compiler gives up on code that it has met with too many networks.
    """
    torch.compiler.reset()
    return _Compiled(model, batch_images, backend)


class _Compiled(nn.Module):
    def __init__(self, model: nn.Module, batch_images: int, backend: str) -> None:
        super().__init__()
        self.model = model
        # Dropout draws from a generator of its own, at which the compiler would give up on everything around it.
        parts: list[nn.Module] = []
        for is_dropout, modules in groupby(model.children(), _is_dropout):
            stretch = nn.Sequential(*modules)
            whole = torch.compile(stretch, dynamic=False, backend=backend)
            parts.append(stretch if is_dropout else cast(nn.Module, whole))
        self.parts = nn.Sequential(*parts)
        self.batch_images = batch_images

    def forward(self, images: Tensor) -> Tensor:
        return (self.parts if len(images) == self.batch_images else self.model)(images)


def _is_dropout(module: nn.Module) -> bool:
    return any(isinstance(one, SeededDropout) for one in module.modules())


def _generators(model: nn.Module) -> list[torch.Generator]:
    dropouts = (module for module in model.modules() if isinstance(module, SeededDropout))
    return [one.generator for one in dropouts if one.generator is not None]
