"""Biot: each channel's spectrogram is a sentence; all sentences go through one transformer with linear attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Model, SeriesContract, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import DataError
from neurokit_fm.nn.attention import unless_full
from neurokit_fm.nn.blocks import FeedForward, TransformerConfig
from nkfm_biot.config import CONTRACT_16, BiotConfig

FRAMES = 1000
"""Rows of the table of times."""


class LinearAttention(nn.Module):
    r"""Attention whose cost grows with the number of tokens: $\mathrm{softmax}_d(q)\, d^{-1/2}\, (\mathrm{softmax}_n(k)^\top v)$.

    Source: arXiv:1812.01243.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D) to (B, N, D); `mask` (B, N) is True where a token is real."""
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.queries, self.keys, self.values))
        if mask is not None:  # (B, H, N, d) each
            k = k.masked_fill(~mask[:, None, :, None], torch.finfo(k.dtype).min)
        context = k.float().softmax(dim=2).to(v.dtype).transpose(2, 3) @ v  # (B, H, d, d)
        mixed = (q.float().softmax(dim=3) * q.shape[3] ** -0.5).to(v.dtype) @ context  # (B, H, N, d)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class LinearBlock(nn.Module):
    """Linear attention and feed-forward, each after a layer norm and with a residual connection."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = LinearAttention(width, heads)
        self.mlp = FeedForward(TransformerConfig(width=width, mlp_ratio=4, bias=True, geglu=False))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.mlp(self.mlp_norm(x))  # type: ignore[no-any-return]


class Biot(Model):
    """The BIOT encoder.

    Parameters
    ----------
    config : BiotConfig
    contract : SeriesContract
        `nkfm_biot.config.CONTRACT_16` or `CONTRACT_18` for the published weights.

    Notes
    -----
    Source: arXiv:2305.10351. A token is a linear map of the amplitude spectrum of a frame (rectangular window), plus the
    vector of its channel and a sinusoid of its step. Channels are told apart by their row alone, so their order means
    something; row i is the i-th channel of the input. The summary of a window is the mean over its tokens. Deviation: no
    dropout.
    """

    name = "biot"
    config_class = BiotConfig
    accepts = (SeriesStream,)
    order_aware = True
    example = BiotConfig(width=32, depth=2, heads=4, channels=8)
    example_contract = CONTRACT_16

    def __init__(self, config: BiotConfig, contract: SeriesContract):
        super().__init__(config, contract)
        part = {"name": "patch", "length_s": config.frame_s, "hop_s": config.hop_s, "linear": False}
        self.tokenizer = build_part(tokenizers, part, width=config.width, sfreq=contract.sfreq)
        self.spectrum = nn.Linear(self.tokenizer.raw_width // 2 + 1, config.width)
        self.channels = nn.Embedding(config.channels, config.width)
        self.times: Tensor
        self.register_buffer("times", sinusoids(FRAMES, config.width)[None])
        self.blocks = nn.ModuleList(LinearBlock(config.width, config.heads) for _ in range(config.depth))

    def forward(self, batch: Batch) -> Features:
        """Encode a batch.

        Raises
        ------
        DataError
            If there are more channels or frames than rows in the tables.
        """
        stream = batch.the(SeriesStream)
        raw = self.tokenizer.cut(stream)
        channels = stream.values.shape[1]
        frames = raw.values.shape[1] // channels
        for label, found, most in (("channels", channels, self.config.channels), ("frames", frames, FRAMES)):
            if found > most:
                raise DataError(f"biot has learned {most} {label}, and this input has {found}; choose {most} at most")
        values = raw.values.float()
        if self.config.percentile is not None:
            values = values / self._magnitude(stream).repeat_interleave(frames, dim=1)
        real = unless_full(raw.mask)
        values = values if real is None else values.masked_fill(~real[..., None], 0)
        x = self.spectrum(torch.fft.rfft(values).abs().to(self.spectrum.weight.dtype))  # (B, C*F, D)
        x = x + (self.channels.weight[:channels, None] + self.times[0, :frames].to(x.dtype)).flatten(0, 1)
        for block in self.blocks:
            x = block(x, real)
        return Features(tokens=x, mask=raw.mask, coords=raw.coords, index=raw.index)

    def _magnitude(self, stream: SeriesStream) -> Tensor:
        """Percentile of the magnitude of each channel's real samples, (B, C, 1), interpolated linearly."""
        assert self.config.percentile is not None
        rank = self.config.percentile / 100 * (stream.time_mask.sum(1) - 1).clamp(min=0)  # (B,)
        ordered = stream.values.float().abs().masked_fill(~stream.time_mask[:, None], torch.inf).sort(dim=2).values
        low = rank.long()[:, None, None].expand(*ordered.shape[:2], 1)
        below, above = ordered.gather(2, low), ordered.gather(2, (low + 1).clamp(max=ordered.shape[2] - 1))
        part = (rank - rank.floor())[:, None, None]
        return torch.where(part > 0, below + part * (above - below), below) + 1e-8  # `above` may be padding


def sinusoids(steps: int, width: int) -> Tensor:
    """Sines (even entries) and cosines (odd) of the step, (steps, width), after arXiv:1706.03762."""
    even = torch.arange(0, width + width % 2, 2)
    phase = torch.arange(steps)[:, None] * torch.exp(even * (-math.log(1e4) / (width + width % 2)))  # (steps, width/2)
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(1)[:, :width].contiguous()
