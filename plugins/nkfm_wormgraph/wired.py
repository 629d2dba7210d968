"""A network with the connections of the animal: sparse, signed by transmitter, gap junctions symmetric."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract
from neurokit_fm.batch.series import SeriesStream
from nkfm_wormgraph.config import WiredConfig
from nkfm_wormgraph.linear import EXAMPLE
from nkfm_wormgraph.own import LinearPart, runs_of
from nkfm_wormgraph.population import (
    SLOTS,
    Population,
    draw_hidden,
    graph_of,
    neurons,
    over_time,
    score,
    with_penalty,
)

SIGN = {"acetylcholine": 1.0, "GABA": -1.0}
"""Presynaptic transmitters whose effect is taken to have one sign. Glutamate both excites and, through chloride channels,
inhibits; monoamines act on receptors of both kinds."""


class WormWired(Model):
    r"""All 300 neurons run; those recorded are set to what was recorded, the others follow from the wiring.

    At each step recorded neurons take their measured value, then every neuron i moves by

    $$s_i \leftarrow s_i + \alpha_i \Big(b_i - s_i\lambda_i + \sum_j W_{ji} \tanh s_j + \sum_j G_{ij} (s_j - s_i)\Big)$$

    with W 0 where there is no chemical synapse and of the transmitter's sign where it has one, and G symmetric, not
    negative and 0 where there is no gap junction. The forecast of a recorded neuron is the linear one, whose couplings
    run along the same graph, plus this move times a gate that starts at 0.

    Notes
    -----
    A leaky rate model in the line of Kunert, Shlizerman & Kutz (2014), doi 10.1103/PhysRevE.89.052805, with fitted
    weights. Buffers hold the wiring, and are saved with the weights: loading needs no connectome.
    """

    name = "worm-wired"
    config_class = WiredConfig
    accepts = (SeriesStream,)
    example = WiredConfig(order=3)
    example_contract = EXAMPLE

    def __init__(self, config: WiredConfig, contract: SeriesContract):
        super().__init__(config, contract)
        chemical, gap, sign = wiring(config.connectome, signed=config.signed)
        self.register_buffer("chemical_mask", chemical)
        self.register_buffer("gap_mask", gap)
        self.register_buffer("sign", sign)
        inputs = chemical.sum(0, keepdim=True).clamp(min=1)  # (1, V)
        size = config.gain / inputs.sqrt()
        self.chemical = nn.Parameter(torch.where(sign[:, None] == 0, size * (torch.rand_like(chemical) * 2 - 1), _inverse_softplus(size)) * chemical)  # fmt: skip
        self.gap = nn.Parameter(_inverse_softplus(0.1 * config.gain / gap.sum(0).clamp(min=1).sqrt()).expand_as(gap) * gap)  # fmt: skip
        self.rate = nn.Parameter(torch.full((SLOTS,), -3.0))
        self.leak = nn.Parameter(torch.zeros(SLOTS))
        self.gate = nn.Parameter(torch.zeros(SLOTS))
        self.bias = nn.Parameter(torch.zeros(SLOTS))
        annotation = config.connectome
        self.linear = LinearPart(config.order, "full" if annotation == "all" else "graph", annotation)

    chemical_mask: Tensor
    gap_mask: Tensor
    sign: Tensor

    def weights(self) -> tuple[Tensor, Tensor]:
        """Chemical weights (V, V) [from, to], and gap conductances (V, V), symmetric and not negative."""
        signed = F.softplus(self.chemical) * self.sign[:, None]
        chemical = torch.where(self.sign[:, None] == 0, self.chemical, signed) * self.chemical_mask
        gap = F.softplus((self.gap + self.gap.T) / 2) * self.gap_mask
        return chemical, gap

    def forward(self, batch: Batch, *, hidden: Tensor | None = None) -> Features:
        """One token a step: the state of all 300 neurons."""
        seen = Population.of(batch, hidden=hidden)
        dtype = self.chemical.dtype
        given, there = seen.spread(seen.x.to(dtype)), seen.spread(seen.real.to(dtype)) > 0  # (B, V, T)
        chemical, gap = self.weights()
        total = gap.sum(0)
        rate, leak = torch.sigmoid(self.rate), F.softplus(self.leak)
        state = given.new_zeros(given.shape[:2])  # (B, V)
        states = []
        for t in range(given.shape[2]):
            state = torch.where(there[..., t], given[..., t], state)
            current = self.bias - leak * state + torch.tanh(state) @ chemical + state @ gap - total * state
            state = state + rate * current
            states.append(state)
        path = torch.stack(states, dim=1)  # (B, T, V)
        pushed = seen.gather((self.gate * path).mT - self.gate[:, None] * given)  # (B, C, T)
        prediction = (seen.x + self.linear(seen) + pushed).masked_fill(~seen.real, 0)
        return over_time(path, seen, prediction)

    def start(self, recordings: Sequence[Recording]) -> None:
        """Fit the linear part in closed form, so that training starts from linear autoregression."""
        horizon = self.config.forecast.horizon
        self.linear.fit(runs_of(recordings, self.contract, horizon), horizon=horizon)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Error of the forecast; with a generator, ``hide`` of the neurons are hidden."""
        hidden = draw_hidden(batch, self.config.forecast.hide if self.training else 0, generator)
        found = score(self(batch, hidden=hidden), batch, self.config.forecast, hidden)
        return with_penalty(found, self, self.config.forecast)


def wiring(annotation: str, *, signed: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Where connections may be, (V, V) each [from, to], and the sign of each neuron's synapses (V,), 0 = free."""
    free = torch.zeros(SLOTS)
    if signed:
        transmitters = neurons().columns["neurotransmitter"]
        free = torch.tensor([SIGN.get(str(name), 0.0) for name in transmitters])
    if annotation == "all":
        every = torch.ones(SLOTS, SLOTS) - torch.eye(SLOTS)
        return every, every.clone(), free
    graph = graph_of(annotation)
    chemical, gap = (torch.as_tensor((graph.adjacency(k) != 0).astype("float32")) for k in ("chemical", "gap-junction"))
    apart = 1 - torch.eye(SLOTS)
    return chemical[:SLOTS, :SLOTS], gap[:SLOTS, :SLOTS] * apart, free


def _inverse_softplus(x: Tensor) -> Tensor:
    return torch.log(torch.expm1(x))
