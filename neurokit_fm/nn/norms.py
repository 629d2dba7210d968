"""Norms with their statistics in float32 whatever the input, and over real values only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    r"""$x / \sqrt{\mathrm{mean}(x^2) + \epsilon} \cdot w$ over the last axis (arXiv:1910.07467).

    Parameters
    ----------
    width : int
    eps : float
    """

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., D), float32 inside, the dtype of `x` outside."""
        return F.rms_norm(x.float(), (x.shape[-1],), eps=self.eps).to(x.dtype) * self.weight.to(x.dtype)


class GroupNorm(nn.Module):
    r"""$(x - \mu) / \sqrt{\sigma^2 + \epsilon} \cdot w + b$ over groups of features and all real places of a sample.

    Source: arXiv:1803.08494; that of torch where nothing is padded.

    Parameters
    ----------
    groups, width : int
        Number of groups, and of features F.
    eps : float
    """

    def __init__(self, groups: int, width: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.groups, self.eps = groups, eps

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise (B, F, N, L).

        Parameters
        ----------
        x : Tensor, shape (B, F, N, L)
        mask : Tensor, shape (B, N, L) or (B, N, 1), bool, optional
            True where a place is real; None = all.

        Returns
        -------
        Tensor, shape (B, F, N, L)
            0 where a place is not real, if there is a mask.
        """
        if mask is None:
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps)
        real = mask[:, None, None]  # (B, 1, 1, N, L or 1)
        b, f, *places = x.shape
        y = x.float().view(b, self.groups, f // self.groups, *places).masked_fill(~real, 0)  # (B, G, F/G, N, L)
        count = (mask.sum((1, 2)) * (x.shape[3] // mask.shape[2])).clamp(min=1)[:, None, None, None, None]
        share = 1 / (count * y.shape[2])
        centred = (y - y.sum((2, 3, 4), keepdim=True) * share).masked_fill(~real, 0)
        var = centred.square().sum((2, 3, 4), keepdim=True) * share
        out: Tensor = (centred * (var + self.eps).rsqrt()).flatten(1, 2)  # (B, F, N, L)
        out = out * self.weight.float()[:, None, None] + self.bias.float()[:, None, None]
        return out.masked_fill(~real[:, 0], 0).to(x.dtype)
