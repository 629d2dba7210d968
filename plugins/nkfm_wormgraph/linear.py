"""Persistence and linear autoregression: the baselines every other model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import DataError
from nkfm_wormgraph.config import LinearConfig, PersistenceConfig
from nkfm_wormgraph.population import SLOTS, Population, graph_of, over_time, past, score, slot_by_name

EXAMPLE = SeriesContract(
    modality="calcium",
    sfreq=2.0,
    min_sfreq=1.0,
    window_s=20.0,
    min_window_s=3.0,
    normalise="none",
    channels=("AVAL", "AVAR", "RIML", "AIBL", "AVBR"),
)

Array = npt.NDArray[np.float64]


class WormPersistence(Model):
    """The value h steps ahead is the value now. Has no parameters."""

    name = "worm-persistence"
    config_class = PersistenceConfig
    accepts = (SeriesStream,)
    example_contract = EXAMPLE

    def forward(self, batch: Batch) -> Features:
        """One token a step: the population in the 300 slots."""
        seen = Population.of(batch)
        return over_time(seen.spread(seen.x).mT, seen, seen.x)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Error of the forecast."""
        return score(self(batch), batch, self.config.forecast)


class WormLinear(Model):
    """Each neuron's change is a linear function of its own past, and of other neurons now.

    Weights of all neurons are first fitted in common; each neuron then departs from them as far as its data pay for it
    (ridge), so that a neuron never seen in training gets the common weights. Before it is fitted it is persistence.

    Notes
    -----
    Least squares in closed form on every unbroken stretch. Couplings are fitted to what the neuron's own past leaves
    unexplained; a neuron absent from a worm contributes nothing to that worm's equations.
    """

    name = "worm-linear"
    config_class = LinearConfig
    accepts = (SeriesStream,)
    example = LinearConfig(order=3, coupling="full", ridge=10, coupling_ridge=10)
    example_contract = EXAMPLE

    def __init__(self, config: LinearConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.own = nn.Parameter(torch.zeros(SLOTS, config.order + 1), requires_grad=False)
        self.common = nn.Parameter(torch.zeros(config.order + 1), requires_grad=False)
        if config.coupling != "none":
            self.coupling = nn.Parameter(torch.zeros(SLOTS, SLOTS), requires_grad=False)  # [from, to]

    def forward(self, batch: Batch) -> Features:
        """One token a step: the population expected next, in the 300 slots."""
        seen = Population.of(batch)
        weights = seen.gather(self.own[None].expand(len(batch), -1, -1))  # (B, C, order + 1)
        known = seen.known[..., None]
        weights = torch.where(known, weights, self.common.expand_as(weights))
        change = (past(seen.x, self.config.order) * weights[:, :, None, :-1]).sum(-1) + weights[..., -1:]
        if self.config.coupling != "none":
            pushed = torch.einsum("bvt,vw->bwt", seen.spread(seen.x), self.coupling)
            change = change + seen.gather(pushed).masked_fill(~known, 0)
        prediction = (seen.x + change).masked_fill(~seen.real, 0)
        return over_time(seen.spread(prediction).mT, seen, prediction)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Error of the forecast."""
        return score(self(batch), batch, self.config.forecast)

    def fit(self, recordings: Sequence[Recording], *, seed: int = 0) -> WormLinear:
        """Fit in closed form; `seed` is not needed.

        Raises
        ------
        ContractError, DataError
            If a recording does not fit, or holds no known neuron.
        """
        runs = [run for recording in recordings for run in self._runs(recording)]
        if not runs:
            raise DataError(f"no stretch is longer than the horizon of {self.config.forecast.horizon} steps")
        order = self.config.order
        gram, cross = np.zeros((SLOTS, order + 1, order + 1)), np.zeros((SLOTS, order + 1))
        for x, slots in runs:
            design, change = self._equations(x)  # (C, T, order + 1), (C, T)
            np.add.at(gram, slots, design.swapaxes(1, 2) @ design)
            np.add.at(cross, slots, np.einsum("cti,ct->ci", design, change))
        small = 1e-6 * np.eye(order + 1)
        common = np.linalg.solve(gram.sum(0) + max(1.0, gram.sum(0).trace()) * small, cross.sum(0))
        pull = self.config.ridge * np.eye(order + 1)
        own = np.linalg.solve(gram + pull, (cross + (pull @ common))[..., None])[..., 0]  # (SLOTS, order + 1)
        self.common.data = torch.from_numpy(common).to(self.common)
        self.own.data = torch.from_numpy(own).to(self.own)
        if self.config.coupling != "none":
            self.coupling.data = torch.from_numpy(self._couplings(runs, own)).to(self.coupling)
        return self

    def _runs(self, recording: Recording) -> list[tuple[Array, npt.NDArray[np.int64]]]:
        """Known traces (C, T) of each unbroken stretch, and their slots."""
        contract = self.contract
        assert isinstance(contract, SeriesContract)
        _, series = contract.apply(recording).series(contract.modality)
        slots = np.array([slot_by_name().get(name, -1) for name in series.channels.name])
        if not (slots >= 0).any():
            raise DataError(f"{recording.title}: no trace belongs to a known neuron; names begin {', '.join(series.channels.name[:5])}")  # fmt: skip
        rows = np.flatnonzero(slots >= 0)
        long = [(a, b) for a, b in series.runs() if b - a > self.config.forecast.horizon]
        return [(series.read(a, b, rows).astype(np.float64), slots[rows]) for a, b in long]

    def _equations(self, x: Array) -> tuple[Array, Array]:
        h = self.config.forecast.horizon
        design = past(torch.from_numpy(x), self.config.order)[:, :-h].numpy()
        design = np.concatenate([design, np.ones((*design.shape[:2], 1))], axis=-1)
        return design, x[:, h:] - x[:, :-h]

    def _couplings(self, runs: Sequence[tuple[Array, npt.NDArray[np.int64]]], own: Array) -> Array:
        """Ridge regression of what is left on the other neurons now, [from, to]."""
        grams, crosses, where = [], [], []
        for x, slots in runs:
            design, change = self._equations(x)
            left = change - np.einsum("cti,ci->ct", design, own[slots])  # (C, T)
            now = x[:, : left.shape[1]]
            grams.append(now @ now.T)
            crosses.append(now @ left.T)  # [from, to]
            where.append(slots)
        allowed = np.ones((SLOTS, SLOTS), dtype=bool)
        if self.config.coupling == "graph":
            graph = graph_of(self.config.connectome)
            allowed = (graph.adjacency("chemical") != 0) | (graph.adjacency("gap-junction") != 0)
        np.fill_diagonal(allowed, False)
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
                penalty = self.config.coupling_ridge * np.eye(len(use))
                out[use, slot] = np.linalg.solve(gram[np.ix_(use, use)] + penalty, cross[use])
        return out
