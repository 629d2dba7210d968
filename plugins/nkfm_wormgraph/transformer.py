"""A transformer over neuron tokens: each token is a neuron at a step, at a place and a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, Recording, SeriesContract, encodings
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.nn.attention import attend
from neurokit_fm.nn.norms import RMSNorm
from nkfm_wormgraph.config import TransformerConfig
from nkfm_wormgraph.linear import EXAMPLE
from nkfm_wormgraph.own import LinearPart, runs_of
from nkfm_wormgraph.population import SLOTS, Population, draw_hidden, past, score, with_penalty


class SpaceTimeBlock(nn.Module):
    """Attention over the neurons of a step, causal attention over the past of a neuron, feed-forward; pre-norm."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(3))
        self.space, self.time = (nn.Linear(width, 3 * width, bias=False) for _ in range(2))
        self.from_space, self.from_time = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """(B, C, T, D) with real (B, C, T) to (B, C, T, D)."""
        b, c, t, d = x.shape
        across = self.norms[0](x).transpose(1, 2).reshape(b * t, c, d)  # neurons of each step
        q, k, v = self._split(self.space(across))
        mixed = attend(q, k, v, key_mask=real.transpose(1, 2).reshape(b * t, c))
        x = x + self.from_space(self._join(mixed)).view(b, t, c, d).transpose(1, 2)
        q, k, v = self._split(self.time(self.norms[1](x).reshape(b * c, t, d)))  # steps of each neuron
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.from_time(self._join(mixed)).view(b, c, t, d)
        out: Tensor = x + self.feed(self.norms[2](x))
        return out

    def _split(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        return x.view(b, n, 3, self.heads, d // (3 * self.heads)).permute(2, 0, 3, 1, 4)  # (3, B, H, N, d)

    def _join(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class WormTransformer(Model):
    """Tokens are (neuron, step): the last samples of a trace, who it is, where its soma lies and when it was.

    The forecast adds what the transformer says to a linear forecast from the neuron's own past; both start at 0, so that
    the untrained model is persistence. Any subset of neurons in any order will do. Time runs forward only: padding and
    later samples never reach an earlier token.

    Notes
    -----
    worm-graph (doi 10.1101/2024.02.13.580186) attends over steps whose vectors are the whole population; here neurons
    are tokens, because recordings share few of them, and attention is split into space and time, because all pairs of
    (neuron, step) are too many.
    """

    name = "worm-transformer"
    config_class = TransformerConfig
    accepts = (SeriesStream,)
    example = TransformerConfig(width=16, depth=1, heads=2, order=3, encoding={"name": "fourier-4d", "freqs": 3})
    example_contract = EXAMPLE

    def __init__(self, config: TransformerConfig, contract: SeriesContract):
        super().__init__(config, contract)
        self.embed = nn.Linear(config.order, config.width)
        self.identity = nn.Embedding(SLOTS + 1, config.width)
        nn.init.normal_(self.identity.weight, std=0.02)
        self.encoding = build_part(encodings, config.encoding, width=config.width)
        self.blocks = nn.ModuleList(SpaceTimeBlock(config.width, config.heads) for _ in range(config.depth))
        self.norm = RMSNorm(config.width)
        self.readout = nn.Linear(config.width, 1)
        self.linear = LinearPart(config.order, config.coupling)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(self, batch: Batch, *, hidden: Tensor | None = None) -> Features:
        """One token a neuron and step, channel-major."""
        seen = Population.of(batch, hidden=hidden, unlabelled=self.config.unlabelled)
        b, c, t = seen.x.shape
        values = past(seen.x.to(self.embed.weight.dtype), self.config.order)  # (B, C, T, order)
        coords = self._coords(seen)  # (B, C, T, 4)
        scaled = coords / coords.new_tensor([self.config.body_m] * 3 + [1.0])
        place = self.encoding(scaled.flatten(1, 2)).view(b, c, t, -1).to(values.dtype)
        x = self.embed(values) + self.identity(seen.slot)[:, :, None] + place  # (B, C, T, D)
        for block in self.blocks:
            x = block(x, seen.real)
        x = self.norm(x)
        change = self.linear(seen) + self.readout(x)[..., 0]
        channel, step = torch.meshgrid(torch.arange(c, device=x.device), torch.arange(t, device=x.device), indexing="ij")  # fmt: skip
        index = torch.stack([channel, step], dim=-1).flatten(0, 1).expand(b, -1, -1)
        prediction = (seen.x + change).masked_fill(~seen.real, 0)
        return Features(
            tokens=x.flatten(1, 2),
            mask=seen.real.flatten(1, 2),
            coords=coords.flatten(1, 2),
            index=index,
            extras={"prediction": prediction},
        )

    def start(self, recordings: Sequence[Recording]) -> None:
        """Fit the linear part in closed form, so that training starts from linear autoregression."""
        horizon = self.config.forecast.horizon
        self.linear.fit(runs_of(recordings, self.contract, horizon), horizon=horizon)

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Error of the forecast; with a generator, ``hide`` of the neurons are hidden."""
        hidden = draw_hidden(batch, self.config.forecast.hide if self.training else 0, generator)
        found = score(self(batch, hidden=hidden), batch, self.config.forecast, hidden)
        return with_penalty(found, self, self.config.forecast)

    def _coords(self, seen: Population) -> Tensor:
        b, c, t = seen.x.shape
        places = seen.stream.positions.masked_fill(~seen.stream.channel_mask[..., None], 0)  # (B, C, 3)
        when = torch.arange(t, device=seen.x.device, dtype=torch.float32) / seen.stream.sfreq
        return torch.cat([places[:, :, None].expand(b, c, t, 3), when[None, None, :, None].expand(b, c, t, 1)], dim=-1)
