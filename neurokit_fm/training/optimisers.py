"""OptimiserConfig: an optimiser by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neurokit_fm.errors import ConfigError
from neurokit_fm.training.stable_adamw import StableAdamW

DEFAULTS = {"stable-adamw": ((0.92, 0.999), 1e-9), "adamw": ((0.9, 0.95), 1e-8)}
"""Betas and eps where a recipe leaves them out: those of REVE, and those usual for masked autoencoders."""


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """What turns gradients into steps.

    Attributes
    ----------
    name : {"stable-adamw", "adamw"}
    lr : float
        Peak learning rate.
    weight_decay : float
        Decoupled, on all parameters.
    betas : (float, float), optional
    eps : float, optional
    """

    name: Literal["stable-adamw", "adamw"] = "stable-adamw"
    lr: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] | None = None
    eps: float | None = None

    def __post_init__(self) -> None:
        if self.name not in DEFAULTS:
            raise ConfigError(f"optimiser must be one of {', '.join(DEFAULTS)}; got {self.name!r}")
        if self.lr <= 0 or self.weight_decay < 0:
            raise ConfigError(f"expected lr > 0 and weight_decay >= 0; got {self.lr:g} and {self.weight_decay:g}")

    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """Make the optimiser of some parameters."""
        betas, eps = DEFAULTS[self.name]
        kind = StableAdamW if self.name == "stable-adamw" else torch.optim.AdamW
        return kind(parameters, self.lr, betas=self.betas or betas, eps=self.eps or eps, weight_decay=self.weight_decay)
