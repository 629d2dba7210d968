"""Crew: the processes that train one model together; one alone, or several through accelerate."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from neurokit_fm.errors import need
from neurokit_fm.hub.load import usable
from neurokit_fm.nn.blocks import Block

Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
"""Optimiser of some parameters."""


class Crew(ABC):
    """What the training loop asks of the processes around it.

    Attributes
    ----------
    rank, world : int
        Number of this process, and how many there are.
    device : torch.device
    sharded : bool
        Whether each process holds only a part of the weights.
    """

    rank: int
    world: int
    device: torch.device
    sharded: bool

    @property
    def about(self) -> dict[str, Any]:
        """How many processes, on what, for the log."""
        return {"processes": self.world, "sharded": self.sharded, "device": str(self.device)}

    @abstractmethod
    def join(self, objective: nn.Module, make: Make) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Make gradients of the objective, on `device` already, the mean over all processes; and its optimiser."""

    @abstractmethod
    def hold(self, objective: nn.Module) -> AbstractContextManager[Any]:
        """Keep gradients local for a while."""

    @abstractmethod
    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, the same on each."""

    @abstractmethod
    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in order of rank."""

    @abstractmethod
    def whole(self, tensor: Tensor) -> Tensor:
        """Put a tensor together that the processes share; all must call this."""

    @abstractmethod
    def like(self, value: Tensor, place: Tensor) -> Tensor:
        """Return a tensor on the device, in the type and with the division of another."""

    @abstractmethod
    def wait(self) -> None:
        """Go on when all processes are here."""


class Alone(Crew):
    """One process."""

    def __init__(self, device: torch.device):
        self.rank, self.world, self.device, self.sharded = 0, 1, device, False

    def join(self, objective: nn.Module, make: Make) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Make the optimiser."""
        return objective, make(trained(objective))

    def hold(self, objective: nn.Module) -> AbstractContextManager[Any]:
        """Nothing to do."""
        return nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """Return the values."""
        return values

    def gather(self, value: Any) -> list[Any]:
        """Return the value in a list."""
        return [value]

    def whole(self, tensor: Tensor) -> Tensor:
        """Return the tensor."""
        return tensor

    def like(self, value: Tensor, place: Tensor) -> Tensor:
        """Move and cast."""
        return value.to(place.device, place.dtype)

    def wait(self) -> None:
        """Nothing to do."""


class Launched(Crew):
    """Several processes that `accelerate launch` started: replicas, or shards with its ``--use_fsdp``.

    Shards are torch's (`fully_shard`, known as FSDP 2), one a transformer block and one for the rest, for accelerate has
    them on accelerators only. Precision is the recipe's business; that of the launcher is not used.
    """

    def __init__(self) -> None:
        self.accelerator = need("accelerate", "training in several processes", extra="train").Accelerator(
            mixed_precision="no"
        )
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.device = self.accelerator.device
        self.sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"

    def join(self, objective: nn.Module, make: Make) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Wrap the objective, or shard it where it is."""
        if not self.sharded:
            joined: nn.Module = self.accelerator.prepare(objective)
            return joined, make(trained(objective))
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.world,))
        for block in [module for module in objective.modules() if isinstance(module, Block)]:
            fully_shard(block, mesh=mesh)
        fully_shard(objective, mesh=mesh)
        return objective, make(trained(objective))

    @contextmanager
    def hold(self, objective: nn.Module) -> Iterator[None]:
        """Do not exchange gradients."""
        from torch.distributed.fsdp import FSDPModule

        if isinstance(objective, FSDPModule):
            objective.set_requires_gradient_sync(False)
            yield
            objective.set_requires_gradient_sync(True)
        else:
            with self.accelerator.no_sync(objective):
                yield

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        total: Tensor = self.accelerator.reduce(values.to(self.device), reduction="sum")
        return total

    def gather(self, value: Any) -> list[Any]:
        """Collect over all processes."""
        found: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(found, value)
        return found

    def whole(self, tensor: Tensor) -> Tensor:
        """Put shards together."""
        from torch.distributed.tensor import DTensor  # takes a second to import, and one process never needs it

        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def like(self, value: Tensor, place: Tensor) -> Tensor:
        """Move, cast and divide into shards."""
        from torch.distributed.tensor import DTensor, distribute_tensor

        value = value.to(place.device, place.dtype)
        if isinstance(place, DTensor):
            return distribute_tensor(value, place.device_mesh, place.placements)
        return value

    def wait(self) -> None:
        """Wait for all processes."""
        self.accelerator.wait_for_everyone()


def trained(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that learn."""
    return [p for p in module.parameters() if p.requires_grad]


def launched() -> bool:
    """Whether this process was started as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def crew_for(device: str) -> Crew:
    """Return the processes this one belongs to.

    Parameters
    ----------
    device : str
        Of a process alone; ``"auto"`` is an accelerator if there is one.
    """
    if launched():
        return Launched()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Alone(usable(device))


def first() -> bool:
    """Whether this process speaks for all."""
    return os.environ.get("RANK", "0") == "0"
