"""Cbramod: patches on a grid of channels and time, attention along one axis in half of each token, along the other in the rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Loss, Model, SeriesContract, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.attention import unless_full
from neurokit_fm.nn.blocks import Attention, FeedForward, TransformerConfig
from nkfm_cbramod.config import CONTRACT, CbramodConfig


class CrissCross(nn.Module):
    """One block: the first half of each token attends across channels, the second across time; then a feed-forward.

    Parameters
    ----------
    width, heads, hidden : int
    """

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        half = TransformerConfig(
            width=width // 2, heads=heads // 2, head_dim=width // heads, bias=True, qkv_bias=True, geglu=False
        )
        whole = TransformerConfig(width=width, mlp_ratio=(hidden + 0.5) / width, bias=True, geglu=False)
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across_channels, self.across_time = Attention(half), Attention(half)
        self.mlp = FeedForward(whole)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, C, P, D) to (B, C, P, D); `mask` (B, C, P) is True where a patch is real."""
        space, time = self.attention_norm(x).chunk(2, dim=-1)  # (B, C, P, D/2) each
        space = _along(self.across_channels, space.transpose(1, 2), None if mask is None else mask.transpose(1, 2))
        time = _along(self.across_time, time, mask)
        x = x + torch.cat([space.transpose(1, 2), time], dim=-1)
        return x + self.mlp(self.mlp_norm(x))  # type: ignore[no-any-return]


class Cbramod(Model):
    r"""The CBraMod encoder.

    Parameters
    ----------
    config : CbramodConfig
    contract : SeriesContract
        `nkfm_cbramod.config.CONTRACT` for the published weights.

    Notes
    -----
    Source: arXiv:2412.07236. A token is the sum of convolutions along its patch, a linear map of the patch's amplitude
    spectrum, and a depthwise convolution over the grid of channels and patches, which tells places apart: the order of
    channels means something, and it is the order in which a recording has them. The group norms of the convolutions
    and that grid see a whole window, of which padding is no part.

    The objective is the published one: half of the patches are replaced by a mask, and the mean square error of their
    samples is minimised. Deviation: no dropout.
    """

    name = "cbramod"
    config_class = CbramodConfig
    accepts = (SeriesStream,)
    order_aware = True
    example = CbramodConfig(
        depth=2, heads=4, hidden=40, stem=((4, 49, 25, 24, 2), (4, 3, 1, 1, 2)), out_width=200, reach=(3, 3)
    )
    example_contract = CONTRACT

    def __init__(self, config: CbramodConfig, contract: SeriesContract):
        super().__init__(config, contract)
        patch = {"length_s": config.patch_s, "hop_s": config.patch_s, "layers": config.stem, "order": "features"}
        self.tokenizer = build_part(tokenizers, {"name": "conv-patch", **patch}, width=None, sfreq=contract.sfreq)
        length, width = self.tokenizer.raw_width, self.tokenizer.width
        if width % config.heads:
            raise ConfigError(f"{config.heads} heads do not divide a width of {width}")
        self.spectrum = nn.Linear(length // 2 + 1, width)
        padding = (config.reach[0] // 2, config.reach[1] // 2)
        self.places = nn.Conv2d(width, width, config.reach, padding=padding, groups=width)
        self.blocks = nn.ModuleList(CrissCross(width, config.heads, config.hidden) for _ in range(config.depth))
        self.out = nn.Linear(width, config.out_width)
        self.hidden_patch: Tensor
        self.register_buffer("hidden_patch", torch.zeros(length))

    def forward(self, batch: Batch) -> Features:
        """Encode a batch: tokens are patches, channel by channel."""
        stream = batch.the(SeriesStream)
        raw = self.tokenizer.cut(stream)
        x = self.encode(raw.values, raw.mask, stream.values.shape[1])
        return Features(tokens=x, mask=raw.mask, coords=raw.coords, index=raw.index)

    def encode(self, values: Tensor, mask: Tensor, channels: int) -> Tensor:
        """Map raw patches (B, C*P, w), real where `mask` (B, C*P) is True, to features (B, C*P, E)."""
        real = unless_full(mask)
        x = self.tokenizer.embed(values.to(self.out.weight.dtype))  # (B, N, D)
        values = values if real is None else values.masked_fill(~real[..., None], 0)
        x = x + self.spectrum(torch.fft.rfft(values.float(), norm="forward").abs().to(x.dtype))
        x = x.view(len(x), channels, -1, x.shape[-1])  # (B, C, P, D)
        grid = None if real is None else real.view(len(real), channels, -1)  # (B, C, P)
        x = x if grid is None else x.masked_fill(~grid[..., None], 0)  # as beyond the edge of the grid
        x = x + self.places(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x, grid)
        return self.out(x).flatten(1, 2)  # type: ignore[no-any-return]

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Mean square error of the samples of hidden patches.

        Raises
        ------
        ConfigError
            If `out_width` is not the number of samples of a patch.
        """
        stream = batch.the(SeriesStream)
        raw = self.tokenizer.cut(stream)
        if self.config.out_width != self.tokenizer.raw_width:
            raise ConfigError(
                f"out_width={self.config.out_width} cannot be compared with patches of {self.tokenizer.raw_width} "
                "samples; pretraining needs them equal"
            )
        chance = torch.rand(raw.mask.shape, generator=generator, device=generator.device if generator else None)
        hidden = raw.mask & (chance.to(raw.mask.device) < self.config.mask_ratio)  # (B, N)
        seen = torch.where(hidden[..., None], self.hidden_patch.to(raw.values.dtype), raw.values)
        made = self.encode(seen, raw.mask, stream.values.shape[1]).float()
        target = raw.values.float().masked_fill(~hidden[..., None], 0)
        error = (made - target).square().mean(-1).masked_fill(~hidden, 0)  # (B, N)
        return Loss(total=error.sum() / hidden.sum().clamp(min=1))


def _along(attention: Attention, x: Tensor, mask: Tensor | None) -> Tensor:
    """Attend along the third axis of (B, K, L, D), within each of the K rows."""
    keys = None if mask is None else mask.flatten(0, 1)
    return attention(x.flatten(0, 1), keys, None).view_as(x)  # type: ignore[no-any-return]
