"""Persistence and linear autoregression: the baselines every other model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from nkfm_wormgraph.config import LinearConfig, PersistenceConfig
from nkfm_wormgraph.own import Array, OwnPast, Run, runs_of
from nkfm_wormgraph.population import SLOTS, Population, graph_of, over_time, score

EXAMPLE = SeriesContract(
    modality="calcium",
    sfreq=2.0,
    min_sfreq=1.0,
    window_s=20.0,
    min_window_s=3.0,
    normalise="none",
    channels=("AVAL", "AVAR", "RIML", "AIBL", "AVBR"),
)


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
        self.own = OwnPast(config.order).requires_grad_(False)
        if config.coupling != "none":
            self.coupling = nn.Parameter(torch.zeros(SLOTS, SLOTS), requires_grad=False)  # [from, to]

    def forward(self, batch: Batch) -> Features:
        """One token a step: the population expected next, in the 300 slots."""
        seen = Population.of(batch)
        change = self.own(seen)
        if self.config.coupling != "none":
            pushed = torch.einsum("bvt,vw->bwt", seen.spread(seen.x).to(change.dtype), self.coupling)
            change = change + seen.gather(pushed).masked_fill(~seen.known[..., None], 0)
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
        horizon = self.config.forecast.horizon
        runs = runs_of(recordings, self.contract, horizon)
        self.own.fit(runs, horizon=horizon, ridge=self.config.ridge)
        if self.config.coupling != "none":
            self.coupling.data = torch.from_numpy(self._couplings(runs, horizon)).to(self.coupling)
        return self

    def _couplings(self, runs: Sequence[Run], horizon: int) -> Array:
        """Ridge regression of what is left on the other neurons now, [from, to]."""
        own = self.own.weight.double().numpy()
        grams, crosses, where = [], [], []
        for x, slots in runs:
            design, change = self.own.equations(x, horizon)
            left = change - np.einsum("cti,ci->ct", design, own[slots])  # (C, T - h)
            now = x[:, :-horizon]
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
