"""Persistence and linear autoregression: the baselines every other model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from nkfm_wormgraph.config import LinearConfig, PersistenceConfig
from nkfm_wormgraph.own import LinearPart, runs_of
from nkfm_wormgraph.population import Population, over_time, score

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
        self.linear = LinearPart(config.order, config.coupling, config.connectome).requires_grad_(False)

    def forward(self, batch: Batch) -> Features:
        """One token a step: the population expected next, in the 300 slots."""
        seen = Population.of(batch)
        prediction = (seen.x + self.linear(seen)).masked_fill(~seen.real, 0)
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
        c, horizon = self.config, self.config.forecast.horizon
        runs = runs_of(recordings, self.contract, horizon)
        self.linear.fit(runs, horizon=horizon, ridge=c.ridge, coupling_ridge=c.coupling_ridge)
        return self
