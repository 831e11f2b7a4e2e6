"""The processes of one training: who they are, what they hand each other, how they agree, and who of them is gone.

A training asks its :class:`World` and need not know how many processes there are: that of a single one does nothing.
Between two steps all processes agree on what is next; gradients are averaged while they are computed
(DistributedDataParallel).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from lilliput.data.share import Share
from lilliput.errors import ProcessError, UsageError
from lilliput.models.build import share_batch

if TYPE_CHECKING:
    from lilliput.training.loop import TrainingState

GO_ON, SAVE, LEAVE = range(3)
"""What a process wishes after a step. The strongest wish of all is what all of them do."""

TIMEOUT_MINUTES = 10
# Who has not moved in so many calls of ``beat`` is taken for dead; counted in calls and not in seconds, so that a
# machine that sleeps does not kill a training. When something has broken already, a few seconds tell who is gone.
SILENT_BEATS, ROLL_CALL_SECONDS = 15, 6.0
_T = TypeVar("_T")


class World(Share):
    """The processes of one training, seen from one of them. This one is alone."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def join(self, model: nn.Module) -> nn.Module:
        """The model, with the first process's weights, that averages its gradients over all processes."""
        return model

    def share_step(self, model: nn.Module, images: int) -> None:
        """Tell the model that its next batch has so many images over all processes."""

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        return values

    def collect(self, state: TrainingState) -> None:
        """Move what all processes have counted to the first one's state; what is no number stays so everywhere."""

    def gather(self, rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """All ``count`` rows, of which each process has its part."""
        return rows

    def hand_out(self, value: _T) -> _T:
        """What the first process gives here, for all of them; it must be picklable."""
        return value

    def agree(self, wish: int) -> int:
        """The strongest wish of all processes."""
        return wish

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block in which processes wait for each other. Raises: ProcessError when one is gone, or is not heard."""
        yield


ALONE = World()


@dataclass(frozen=True)
class Group(World):
    """Several processes, each on a ``device`` of this kind: cuda or cpu.

    What they say to each other goes through ``store``, numbers through torch's process group: NCCL for those on GPUs,
    gloo for those on processors.
    """

    local_rank: int = 0
    device: str = "cpu"
    store: Any = field(default=None, compare=False, repr=False)
    _heard: list[int] = field(default_factory=lambda: [0, 0], compare=False, repr=False)

    @classmethod
    def of_environment(cls, variables: Mapping[str, str], device: str = "auto") -> Group:
        """Join the processes that RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT name, as torchrun sets them.

        On GPUs each process of a machine has one of its own. Waits until all processes are there.
        Raises: UsageError when there is no such GPU; ProcessError when the others do not come.
        """
        rank, size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
        local_rank = int(variables.get("LOCAL_RANK", "0"))
        kind = _device(device, local_rank, int(variables.get("LOCAL_WORLD_SIZE", "1")))
        patience = timedelta(minutes=TIMEOUT_MINUTES)
        try:
            store, *_ = next(iter(distributed.rendezvous("env://", rank, size, timeout=patience)))
            # A line of its own: torch waits in the other, and then nothing else gets through.
            group = cls(rank, size, local_rank, kind, store.clone())  # pyrefly: ignore
            group._wait_for_all()
            backend = "gloo" if kind == "cpu" else "cpu:gloo,cuda:nccl"
            distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=patience
            )
        except distributed.DistError as error:
            raise ProcessError(
                f"process {rank} of {size} cannot reach the others: {_first_line(error)}",
                "all of them need the same MASTER_ADDR and MASTER_PORT, and a way through the firewall",
            ) from error
        return group

    def _wait_for_all(self) -> None:
        # Not within the store, where no signal would be heard.
        self.store.set(f"here/{self.rank}", "")
        everyone = [f"here/{rank}" for rank in range(self.size)]
        ends = time.monotonic() + 60 * TIMEOUT_MINUTES
        while not self.store.check(everyone):
            if time.monotonic() > ends:
                raise ProcessError(f"the {self.size} processes have not all begun", "begin anew")
            time.sleep(0.05)

    def join(self, model: nn.Module) -> nn.Module:
        """The model, with the first process's weights, that averages its gradients over all processes."""
        joined = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
        # Once is enough: batch normalisation keeps the statistics of the whole batch, so they stay the same everywhere.
        joined.broadcast_buffers = False
        return joined

    def share_step(self, model: nn.Module, images: int) -> None:
        """Tell the model that its next batch has so many images over all processes."""
        share_batch(model, images, self.part(images))

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        values = values.clone()
        distributed.all_reduce(values)
        return values

    def collect(self, state: TrainingState) -> None:
        """Move what all processes have counted to the first one's state; what is no number stays so everywhere."""
        state.sums.copy_(self.total(state.sums))
        right = state.right.to(torch.uint8)
        distributed.all_reduce(right, distributed.ReduceOp.MAX)
        state.right.copy_(right)
        if not self.is_first:
            state.sums *= 0

    def gather(self, rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """All ``count`` rows, of which each process has its part."""
        own = torch.zeros(-(-count // self.size), *rows.shape[1:])
        own[: len(rows)] = torch.from_numpy(rows)
        everyones = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(everyones, own)
        parts = [Share(rank, self.size).part(count) for rank in range(self.size)]
        pairs = zip(everyones, parts, strict=True)
        return np.concatenate([one[: part.stop - part.start].numpy() for one, part in pairs])

    def hand_out(self, value: _T) -> _T:
        """What the first process gives here, for all of them; it must be picklable."""
        values = [value]
        with self.together():
            distributed.broadcast_object_list(values, device=torch.device("cpu"))
        return values[0]

    def agree(self, wish: int) -> int:
        """The strongest wish of all processes."""
        strongest = torch.tensor(wish)  # on the CPU: nobody waits for a GPU
        distributed.all_reduce(strongest, distributed.ReduceOp.MAX)
        return int(strongest)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block in which processes wait for each other. Raises: ProcessError when one is gone, or is not heard."""
        try:
            yield
        except RuntimeError as error:
            # gloo has no error of its own.
            if isinstance(error, distributed.DistError) or "gloo" in str(error):
                raise self._broken(error) from error
            raise

    def _broken(self, error: RuntimeError) -> ProcessError:
        gone = self.missing()
        if not gone:
            return ProcessError(f"the processes have lost each other: {_first_line(error)}")
        return lost(gone, self.size)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process of every machine goes through the block before the others of that machine do."""
        key = f"passed/{self.rank - self.local_rank}"
        while self.local_rank and not self.store.check([key]):
            time.sleep(0.1)  # not within the store, where no signal would be heard
        yield
        self.store.set(key, "")

    def beat(self) -> int | None:
        """Say that this process lives. Gives the next one's rank when that one has long not said so."""
        neighbour = (self.rank + 1) % self.size
        try:
            self.store.add(f"beat/{self.rank}", 1)
            count = self.store.add(f"beat/{neighbour}", 0)
        except RuntimeError:  # the store, unless torchrun keeps it, goes with the first process
            neighbour, count = 0, self._heard[0]
        calls = self._heard[1] + 1 if count == self._heard[0] else 0
        self._heard[:] = count, calls
        return neighbour if count and calls >= SILENT_BEATS else None

    def missing(self) -> list[int]:
        """The processes that do not ``beat`` within a few seconds."""
        try:
            before = self._beats()
            ends = time.monotonic() + ROLL_CALL_SECONDS
            while time.monotonic() < ends:
                time.sleep(0.2)
                now = self._beats()
                silent = [rank for rank in range(self.size) if now[rank] == before[rank]]
                if not silent:
                    break
            return [rank for rank in silent if rank != self.rank]
        except RuntimeError:
            return [0]  # it had the store

    def _beats(self) -> list[int]:
        return [self.store.add(f"beat/{rank}", 0) for rank in range(self.size)]

    def may_tell(self) -> bool:
        """Whether this process is the first that wants to tell what went wrong; the others stay silent."""
        try:
            return self.store.add("told", 1) == 1
        except RuntimeError:
            return True

    def end(self) -> None:
        """Leave, once all processes have come this far."""
        with suppress(RuntimeError):
            distributed.barrier()
            distributed.destroy_process_group()


def lost(gone: Sequence[int], size: int) -> ProcessError:
    """What is to be said of processes that are gone."""
    which = f"process {gone[0]} of {size} is"
    if len(gone) > 1:
        which = f"processes {', '.join(map(str, gone))} of {size} are"
    return ProcessError(
        f"{which} gone (counted from 0), so the training has ended",
        "the same command with --resume goes on from the last checkpoint",
        gone,
    )


def _device(asked: str, local_rank: int, local_size: int) -> str:
    """What every process trains on; a GPU each where there are GPUs. Raises: UsageError."""
    if not distributed.is_available():
        raise UsageError("this PyTorch cannot train with several processes", "train with one")
    if asked not in {"auto", "cuda", "cpu"}:
        raise UsageError(
            f"several processes cannot share the device '{asked}'", "--device cuda, or --device cpu"
        )
    gpus = 0 if asked == "cpu" else torch.cuda.device_count()
    if not gpus and asked != "cuda":
        return "cpu"
    if local_size > gpus:
        raise UsageError(
            f"{local_size} processes on a machine of {gpus} GPUs: each needs one of its own",
            "fewer processes, or --device cpu",
        )
    torch.cuda.set_device(local_rank)
    return "cuda"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
