"""ConvPatchTokenizer: one token a channel and stretch of time, made by convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import Tokenizer, Tokens, tokenizers
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import build_part
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.attention import unless_full
from nkfm_convpatch.config import ConvPatchConfig


class GroupNorm(nn.Module):
    r"""$(x - \mu) / \sqrt{\sigma^2 + \epsilon} \cdot w + b$ over groups of features and all real patches of a sample.

    Source: arXiv:1803.08494; that of torch where nothing is padded.

    Parameters
    ----------
    groups, width : int
        Number of groups, and of features F.
    """

    def __init__(self, groups: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.groups, self.eps = groups, 1e-5

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Normalise (B, F, N, L); `mask` (B, N) is True where a patch is real, and where it is not the result is 0."""
        if mask is None:
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps)
        real = mask[:, None, None, :, None]  # (B, 1, 1, N, 1)
        b, f, *places = x.shape
        y = x.float().view(b, self.groups, f // self.groups, *places).masked_fill(~real, 0)  # (B, G, F/G, N, L)
        share = 1 / (mask.sum(1) * y.shape[2] * y.shape[4]).clamp(min=1)[:, None, None, None, None]
        centred = (y - y.sum((2, 3, 4), keepdim=True) * share).masked_fill(~real, 0)
        var = centred.square().sum((2, 3, 4), keepdim=True) * share
        out: Tensor = (centred * (var + self.eps).rsqrt()).flatten(1, 2)  # (B, F, N, L)
        out = out * self.weight.float()[:, None, None] + self.bias.float()[:, None, None]
        return out.masked_fill(~real[:, 0], 0).to(x.dtype)


class ConvPatchTokenizer(Tokenizer):
    """Cut each channel into patches; embed them by convolution, group norm and GELU, several times.

    The norms see all patches of a window at once. Raw values of padding are NaN, so that they count in no statistic; their
    embeddings mean nothing.

    Parameters
    ----------
    config : ConvPatchConfig
    width : int or None
        What the layers give, or None for just that.
    sfreq : float, Hz

    Attributes
    ----------
    width : int
        Of the embeddings.

    Raises
    ------
    ConfigError
        If patches are no whole number of samples, or the layers give another width.

    Notes
    -----
    Source: arXiv:2405.18765, the temporal encoder of section 2.2; arXiv:2412.07236 has the same with other sizes.
    """

    config_class = ConvPatchConfig
    accepts = (SeriesStream,)
    example = ConvPatchConfig(layers=((4, 49, 25, 24, 2), (4, 3, 1, 1, 2)))

    def __init__(self, config: ConvPatchConfig, width: int | None, sfreq: float):
        super().__init__()
        self.config = config
        part = {"name": "patch", "length_s": config.length_s, "hop_s": config.hop_s, "linear": False}
        self.patches = build_part(tokenizers, part, width=0, sfreq=sfreq)
        self.raw_width = self.patches.raw_width
        self.width = config.width(self.raw_width)
        if width not in (None, self.width):
            raise ConfigError(f"these layers give tokens of width {self.width}, not {width}")
        features = [1, *(layer[0] for layer in config.layers)]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, (1, kernel), stride=(1, stride), padding=(0, padding))
            for before, (after, kernel, stride, padding, _) in zip(features, config.layers, strict=False)
        )
        self.norms = nn.ModuleList(GroupNorm(layer[4], layer[0]) for layer in config.layers)

    def shortest_s(self, sfreq: float) -> float:
        """One patch."""
        return float(self.patches.shortest_s(sfreq))

    def cut(self, stream: SeriesStream) -> Tokens:
        """Return the patches (B, C*S, w), channel-major; NaN where a patch is not real."""
        tokens: Tokens = self.patches.cut(stream)
        return tokens.with_values(tokens.values.masked_fill(~tokens.mask[..., None], torch.nan))

    def embed(self, raw: Tensor) -> Tensor:
        """(B, N, w) to (B, N, D)."""
        real = unless_full(~raw.isnan().all(-1))  # (B, N)
        x = raw if real is None else raw.masked_fill(~real[..., None], 0)
        x = x[:, None]  # (B, 1, N, w)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(norm(conv(x), real))  # (B, F, N, L)
        return x.permute(0, 2, 1, 3).flatten(2) if self.config.order == "features" else x.permute(0, 2, 3, 1).flatten(2)
