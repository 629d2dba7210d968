"""What a neuron's own past says about its next sample: a linear filter, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurokit_fm import Recording
from neurokit_fm.errors import DataError
from nkfm_wormgraph.population import SLOTS, Population, past, slot_by_name

Array = npt.NDArray[np.float64]
Run = tuple[Array, npt.NDArray[np.int64]]
"""Known traces (C, T) of an unbroken stretch, and their slots (C,)."""


RIDGE = 100.0
"""Penalty on a neuron's departure from the common weights, in samples, where a model does not say."""


class OwnPast(nn.Module):
    """The change expected of each neuron from its last `order` samples.

    The last row of the weights is common to all neurons; unknown ones use it. All are 0 until `fit`, which is
    persistence.

    Parameters
    ----------
    order : int
    """

    def __init__(self, order: int):
        super().__init__()
        self.order = order
        self.weight = nn.Parameter(torch.zeros(SLOTS + 1, order + 1))

    def forward(self, seen: Population) -> Tensor:
        """Change from now to the horizon, (B, C, T)."""
        weight = self.weight[seen.slot][:, :, None]  # (B, C, 1, order + 1)
        return (past(seen.x.to(weight.dtype), self.order) * weight[..., :-1]).sum(-1) + weight[..., -1]

    def fit(self, runs: Sequence[Run], *, horizon: int, ridge: float) -> None:
        """Least squares: the common weights first, then each neuron's departure from them under a ridge penalty."""
        size = self.order + 1
        gram, cross = np.zeros((SLOTS, size, size)), np.zeros((SLOTS, size))
        for x, slots in runs:
            design, change = self.equations(x, horizon)
            np.add.at(gram, slots, design.swapaxes(1, 2) @ design)
            np.add.at(cross, slots, np.einsum("cti,ct->ci", design, change))
        total = gram.sum(0)
        common = np.linalg.solve(total + 1e-6 * max(1.0, total.trace()) * np.eye(size), cross.sum(0))
        own = np.linalg.solve(gram + ridge * np.eye(size), (cross + ridge * common)[..., None])[..., 0]
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(np.concatenate([own, common[None]])))

    def equations(self, x: Array, horizon: int) -> tuple[Array, Array]:
        """Design (C, T - h, order + 1) and change (C, T - h) of traces (C, T)."""
        design = past(torch.from_numpy(x), self.order)[:, :-horizon].numpy()
        design = np.concatenate([design, np.ones((*design.shape[:2], 1))], axis=-1)
        return design, x[:, horizon:] - x[:, :-horizon]


def runs_of(recordings: Sequence[Recording], contract: Any, horizon: int) -> list[Run]:
    """Apply a `SeriesContract` and return all unbroken stretches that are longer than the horizon.

    Raises
    ------
    ContractError
        If a recording does not fit.
    DataError
        If one holds no known neuron, or every stretch is too short.
    """
    runs: list[Run] = []
    for recording in recordings:
        _, series = contract.apply(recording).series("calcium")
        slots = np.array([slot_by_name().get(name, -1) for name in series.channels.name])
        rows = np.flatnonzero(slots >= 0)
        if not len(rows):
            names = ", ".join(series.channels.name[:5])
            raise DataError(f"{recording.title}: no trace belongs to a known neuron; names begin {names}")
        long = [(a, b) for a, b in series.runs() if b - a > horizon]
        runs += [(series.read(a, b, rows).astype(np.float64), slots[rows]) for a, b in long]
    if not runs:
        raise DataError(f"no stretch is longer than the horizon of {horizon} steps")
    return runs
