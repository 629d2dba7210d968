"""What is linear in a forecast: a neuron's own past and the other neurons now, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurokit_fm import Recording
from neurokit_fm.errors import DataError
from nkfm_wormgraph.population import SLOTS, Population, graph_of, past, slot_by_name

Array = npt.NDArray[np.float64]
Run = tuple[Array, npt.NDArray[np.int64]]
"""Known traces (C, T) of an unbroken stretch, and their slots (C,)."""


RIDGE, COUPLING_RIDGE = 100.0, 3000.0
"""Penalties on a neuron's departure from the common weights and on couplings, in samples."""


class LinearPart(nn.Module):
    """The change expected of each neuron, linear in its last `order` samples and in the other neurons' last ones.

    The last row of the weights is common to all neurons; unknown ones use it. All are 0 until `fit`, which is
    persistence.

    Parameters
    ----------
    order : int
    coupling : {"none", "full", "graph"}
        Which other neurons enter: none, all, or those with a synapse or gap junction in `connectome`.
    connectome : str
    """

    def __init__(self, order: int, coupling: str = "none", connectome: str = "cook2019"):
        super().__init__()
        self.order = order
        self.weight = nn.Parameter(torch.zeros(SLOTS + 1, order + 1))
        self.coupling: nn.Parameter | None = None
        if coupling != "none":
            self.coupling = nn.Parameter(torch.zeros(SLOTS, SLOTS))  # [from, to]
            self.register_buffer("allowed", _allowed(connectome if coupling == "graph" else "all"))

    allowed: Tensor

    def forward(self, seen: Population) -> Tensor:
        """Change from now to the horizon, (B, C, T)."""
        weight = self.weight[seen.slot][:, :, None]  # (B, C, 1, order + 1)
        change = (past(seen.x.to(weight.dtype), self.order) * weight[..., :-1]).sum(-1) + weight[..., -1]
        if self.coupling is None:
            return change
        pushed = torch.einsum("bvt,vw->bwt", seen.spread(seen.x.to(weight.dtype)), self.coupling * self.allowed)
        return change + seen.gather(pushed).masked_fill(~seen.known[..., None], 0)

    def fit(self, runs: Sequence[Run], *, horizon: int, ridge: float = RIDGE, coupling_ridge: float = COUPLING_RIDGE) -> None:  # fmt: skip
        """Least squares: the common weights, each neuron's departure from them, then couplings to what is left; ridge."""
        size = self.order + 1
        gram, cross = np.zeros((SLOTS, size, size)), np.zeros((SLOTS, size))
        for x, slots in runs:
            design, change = self._equations(x, horizon)
            np.add.at(gram, slots, design.swapaxes(1, 2) @ design)
            np.add.at(cross, slots, np.einsum("cti,ct->ci", design, change))
        total = gram.sum(0)
        common = np.linalg.solve(total + 1e-6 * max(1.0, total.trace()) * np.eye(size), cross.sum(0))
        solved = np.linalg.solve(gram + ridge * np.eye(size), (cross + ridge * common)[..., None])[..., 0]
        own: Array = np.asarray(solved, dtype=np.float64)
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(np.concatenate([own, common[None]])))
            if self.coupling is not None:
                self.coupling.copy_(torch.from_numpy(self._couplings(runs, own, horizon, coupling_ridge)))

    def _equations(self, x: Array, horizon: int) -> tuple[Array, Array]:
        """Design (C, T - h, order + 1) and change (C, T - h) of traces (C, T)."""
        design = past(torch.from_numpy(x), self.order)[:, :-horizon].numpy()
        design = np.concatenate([design, np.ones((*design.shape[:2], 1))], axis=-1)
        return design, x[:, horizon:] - x[:, :-horizon]

    def _couplings(self, runs: Sequence[Run], own: Array, horizon: int, ridge: float) -> Array:
        """Ridge regression of what is left on the other neurons now, [from, to].

        A neuron that is absent from a worm contributes nothing to that worm's equations.
        """
        grams, crosses, where = [], [], []
        for x, slots in runs:
            design, change = self._equations(x, horizon)
            left = change - np.einsum("cti,ci->ct", design, own[slots])  # (C, T - h)
            now = x[:, :-horizon]
            grams.append(now @ now.T)
            crosses.append(now @ left.T)  # [from, to]
            where.append(slots)
        allowed = self.allowed.cpu().numpy() > 0
        out = np.zeros((SLOTS, SLOTS))
        for slot in np.unique(np.concatenate(where)):
            gram, cross = np.zeros((SLOTS, SLOTS)), np.zeros(SLOTS)
            for g, c, slots in zip(grams, crosses, where, strict=True):
                at = np.flatnonzero(slots == slot)
                if len(at):
                    gram[np.ix_(slots, slots)] += g
                    cross[slots] += c[:, at[0]]
            use = np.flatnonzero(allowed[:, slot] & (np.diag(gram) > 0))
            if len(use):
                penalty = ridge * np.eye(len(use))
                out[use, slot] = np.linalg.solve(gram[np.ix_(use, use)] + penalty, cross[use])
        return out


def _allowed(annotation: str) -> Tensor:
    """Pairs that may be coupled, (V, V) [from, to], 0 on the diagonal."""
    apart = 1 - torch.eye(SLOTS)
    if annotation == "all":
        return apart
    graph = graph_of(annotation)
    wired = (graph.adjacency("chemical") != 0) | (graph.adjacency("gap-junction") != 0)
    return torch.as_tensor(wired.astype("float32")) * apart


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
