"""A recurrent network over the 300 slots: one hidden state for the whole population."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from nkfm_wormgraph.config import RecurrentConfig
from nkfm_wormgraph.linear import EXAMPLE
from nkfm_wormgraph.own import LinearPart, runs_of
from nkfm_wormgraph.population import SLOTS, Population, draw_hidden, over_time, score, with_penalty


class WormRecurrent(Model):
    """GRU or LSTM over values and mask of the 300 slots, added to a linear forecast from each neuron's own past.

    Notes
    -----
    After the recurrent cores of worm-graph (doi 10.1101/2024.02.13.580186). Deviations: the mask is an input beside the
    values, so that an absent neuron differs from one at its mean; the readout starts at 0 and the network predicts the
    change, so that it starts as persistence.
    """

    name = "worm-rnn"
    config_class = RecurrentConfig
    accepts = (SeriesStream,)
    example = RecurrentConfig(width=16, order=3)
    example_contract = EXAMPLE

    def __init__(self, config: RecurrentConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.embed = nn.Linear(2 * SLOTS, config.width)
        kind = nn.GRU if config.cell == "gru" else nn.LSTM
        self.core = kind(config.width, config.width, config.layers, batch_first=True)
        self.readout = nn.Linear(config.width, SLOTS)
        self.linear = LinearPart(config.order, config.coupling)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(self, batch: Batch, *, hidden: torch.Tensor | None = None) -> Features:
        """One token a step: the hidden state."""
        seen = Population.of(batch, hidden=hidden)
        dtype = self.readout.weight.dtype
        values = torch.cat([seen.spread(seen.x), seen.spread(seen.real.to(seen.x.dtype))], dim=1).mT  # (B, T, 2 V)
        states, _ = self.core(torch.tanh(self.embed(values.to(dtype))))  # (B, T, H)
        push = self.readout(states).mT  # (B, V, T)
        change = self.linear(seen) + seen.gather(push)
        return over_time(states, seen, (seen.x + change).masked_fill(~seen.real, 0))

    def start(self, recordings: Sequence[Recording]) -> None:
        """Fit the linear part in closed form, so that training starts from linear autoregression."""
        horizon = self.config.forecast.horizon
        self.linear.fit(runs_of(recordings, self.contract, horizon), horizon=horizon)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Error of the forecast; with a generator, ``hide`` of the neurons are hidden."""
        hidden = draw_hidden(batch, self.config.forecast.hide if self.training else 0, generator)
        found = score(self(batch, hidden=hidden), batch, self.config.forecast, hidden)
        return with_penalty(found, self, self.config.forecast)
