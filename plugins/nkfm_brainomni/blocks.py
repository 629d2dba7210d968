"""Criss-cross blocks: half of each token's width looks along time, the other half across latent sources."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm.nn.norms import RMSNorm

TABLE = 240
"""Rows of the published table of rotations."""


class Rope(nn.Module):
    """Rotation of queries and keys by their place in time.

    One ladder of frequencies for the whole width: the first head rotates fastest, the last hardly at all.

    Parameters
    ----------
    width : int
        Of all heads together.
    mode : {"exact", "released"}
        See `BrainOmniConfig`. Released weights carry ``freqs`` (width / 2) and ``rotate`` (240, width / 2).
    """

    def __init__(self, width: int, mode: Literal["exact", "released"]):
        super().__init__()
        self.width, self.mode = width, mode
        if mode == "released":
            freqs = _ladder(width)
            self.freqs = nn.Buffer(freqs.bfloat16().float())
            self.rotate = nn.Buffer(torch.outer(torch.arange(TABLE, dtype=torch.float32), freqs).cos())

    def forward(self, x: Tensor) -> Tensor:
        """(..., W, D), all heads side by side, to the same."""
        pairs = x.float().reshape(*x.shape[:-1], -1, 2)  # (..., W, D/2, 2) neighbours are real and imaginary part
        n = x.shape[-2]
        if self.mode == "released" and n <= TABLE:
            damped: Tensor = pairs * self.rotate[:n, :, None].float()
            return damped.flatten(-2).to(x.dtype)
        freqs = _ladder(self.width).to(x.device) if self.mode == "exact" else self.freqs.float()
        angle = torch.outer(torch.arange(n, device=x.device, dtype=torch.float32), freqs)  # (W, D/2)
        real, imaginary = pairs.unbind(-1)
        turned = (real * angle.cos() - imaginary * angle.sin(), real * angle.sin() + imaginary * angle.cos())
        return torch.stack(turned, dim=-1).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Self-attention over the second to last axis, with or without places."""

    def __init__(self, width: int, heads: int, dropout: float, rope: Rope | None):
        super().__init__()
        self.heads, self.dropout, self.rope = heads, dropout, rope
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, A, N, D) to the same; `mask` (B, N) is True where a key is real."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.rope is not None:
            q, k = self.rope(q), self.rope(k)
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(2, 3) for y in (q, k, v))  # (B, A, H, N, d)
        allowed = None if mask is None else mask[:, None, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, allowed, self.dropout if self.training else 0.0)
        return self.proj(mixed.transpose(2, 3).flatten(3))  # type: ignore[no-any-return]


class CrissCross(nn.Module):
    """One block, pre-norm."""

    def __init__(self, width: int, heads: int, dropout: float, rope: Literal["exact", "released"]):
        super().__init__()
        half = width // 2
        self.attention_norm = RMSNorm(width)
        self.time = Attention(half, heads // 2, dropout, Rope(half, rope))
        self.space = Attention(half, heads // 2, dropout, None)
        self.mlp_norm = RMSNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, K, W, D) to the same; `mask` (B, W) is True where a moment is real."""
        along, across = self.attention_norm(x).chunk(2, dim=-1)
        across = self.space(across.transpose(1, 2)).transpose(1, 2)
        x = x + torch.cat([across, self.time(along, mask)], dim=-1)  # halves change places
        return x + self.dropout(self.down(F.selu(self.up(self.mlp_norm(x)))))  # type: ignore[no-any-return]


def _ladder(width: int) -> Tensor:
    return 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
