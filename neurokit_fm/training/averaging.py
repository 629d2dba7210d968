"""Average: an exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """A running average of the parameters of a module, float32.

    Parameters
    ----------
    module : Module
    decay : float
        In [0, 1). The decay of update n, from 0, is ``min(decay, (1 + n) / (10 + n))``, so that a short run does not
        average its random start.

    Attributes
    ----------
    tensors : dict of str to Tensor
        By parameter name.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        self.tensors = {name: p.detach().clone().float() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, number: int) -> None:
        """Take in the weights after step `number`."""
        new = 1 - min(self.decay, (1 + number) / (10 + number))
        parameters = dict(module.named_parameters())
        current: list[Tensor] = [parameters[name].detach().float() for name in self.tensors]
        torch._foreach_lerp_(list(self.tensors.values()), current, new)

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """Put the average into a module for a while."""
        kept = {name: p.detach().clone() for name, p in module.named_parameters()}
        try:
            _put(module, self.tensors)
            yield
        finally:
            _put(module, kept)


@torch.no_grad()
def _put(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    for name, p in module.named_parameters():
        p.copy_(tensors[name])
