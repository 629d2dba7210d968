"""What a training run leaves behind: one record a step, and the held-out loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one optimiser step did.

    Attributes
    ----------
    number : int
        From 0.
    total : float
        Loss before the step.
    parts : mapping of str to float
    lr : float
    grad_norm : float
        Before clipping.
    windows, tokens : int
        Size of the batch.
    """

    number: int
    total: float
    parts: Mapping[str, float]
    lr: float
    grad_norm: float
    windows: int
    tokens: int


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """How a training run went.

    Attributes
    ----------
    steps : tuple of Step
    held_out_start, held_out_end : float or None
        Loss in evaluation mode on the held-out slices, with the same hidden tokens both times; None = nothing held out.
    """

    steps: tuple[Step, ...]
    held_out_start: float | None = None
    held_out_end: float | None = None

    @property
    def total(self) -> npt.NDArray[np.float64]:
        """Loss at each step, shape (steps,)."""
        return np.array([step.total for step in self.steps])

    @property
    def lr(self) -> npt.NDArray[np.float64]:
        """Learning rate at each step, shape (steps,)."""
        return np.array([step.lr for step in self.steps])

    @property
    def parts(self) -> dict[str, npt.NDArray[np.float64]]:
        """Each part of the loss, shape (steps,); NaN where a step had none of that name."""
        names = dict.fromkeys(name for step in self.steps for name in step.parts)
        return {name: np.array([step.parts.get(name, math.nan) for step in self.steps]) for name in names}
