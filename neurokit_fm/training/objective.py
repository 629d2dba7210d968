"""Objective: a model's loss as a module, so that it can be wrapped, compiled and run in low precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from neurokit_fm.batch.batch import Batch
from neurokit_fm.contract import SeriesContract
from neurokit_fm.errors import ConfigError
from neurokit_fm.model import Loss, Model, Pretrainable
from neurokit_fm.nn.blocks import stacks

LossOf = Callable[[Model, Batch, torch.Generator], Loss]
"""Loss of a model on a batch, all randomness but dropout from the generator."""


def own_loss(model: Model, batch: Batch, generator: torch.Generator) -> Loss:
    """Return the model's own self-supervised loss."""
    assert isinstance(model, Pretrainable)  # see `trainable`
    return model.loss(batch, generator=generator)


def trainable(model: Model) -> SeriesContract:
    """Return the contract of a model that can be pre-trained.

    Raises
    ------
    ConfigError
        If it has no objective, or takes something else than sampled signals.
    """
    if not isinstance(model, Pretrainable):
        raise ConfigError(f"{model.name} has no self-supervised loss; train a model that has one, such as 'mae'")
    if not isinstance(model.contract, SeriesContract):
        raise ConfigError(
            f"pretrain takes models of sampled signals; {model.name} has a {model.contract.layout} contract"
        )
    return model.contract


class Objective(nn.Module):
    """What the training loop minimises.

    Parameters
    ----------
    model : Model
    loss : callable
        See `LossOf`.
    bf16 : bool
        Compute under autocast; weights, gradients and the loss stay float32.
    """

    def __init__(self, model: Model, loss: LossOf = own_loss, *, bf16: bool = False):
        super().__init__()
        self.model, self.loss, self.bf16 = model, loss, bf16

    def forward(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts, float32 scalars."""
        device = next(self.model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            loss = self.loss(self.model, batch, generator)
        return loss.total.float(), {name: part.detach().float() for name, part in loss.parts.items()}


def recompute_activations(model: Model) -> None:
    """Let the layers of a model keep their input only and compute the rest again for the gradient.

    Less memory, a third more work, the same numbers. Layers are those of `stacks`, of whatever class.

    Raises
    ------
    ConfigError
        If it has none.
    """
    layers = [layer for stack in stacks(model).values() for layer in stack]
    if not layers:
        raise ConfigError(
            f"recompute=true needs a model made of layers (a ModuleList or Sequential); {model.name} has none"
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
