"""The one attention function: dense, padded or packed tokens, through the fastest kernel at hand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Runs:
    """Consecutive stretches of a flat token sequence; attention stays within each.

    Attributes
    ----------
    lengths : tuple of int
        Of each run; they add up to the number of tokens.
    offsets : Tensor, shape (runs + 1,), int32
        Cumulative lengths, from 0.
    """

    lengths: tuple[int, ...]
    offsets: Tensor

    @classmethod
    def of(cls, segment: Tensor) -> Runs:
        """Runs of equal segment in packed rows (R, L), flattened row by row; padding (-1) is a run of its own."""
        rows = torch.arange(len(segment), device=segment.device)[:, None]
        key = (segment + 1) + rows * (segment.max() + 2)  # (R, L) no run crosses a row
        _, counts = torch.unique_consecutive(key, return_counts=True)
        return cls(tuple(counts.tolist()), F.pad(counts.cumsum(0), (1, 0)).to(torch.int32))


def unless_full(mask: Tensor) -> Tensor | None:
    """Return a mask, or None where all of it is real: norms and kernels without a mask are faster."""
    return mask if mask.is_meta or not bool(mask.all()) else None


def attend(q: Tensor, k: Tensor, v: Tensor, *, key_mask: Tensor | None = None, runs: Runs | None = None) -> Tensor:
    r"""Softmax attention, $\mathrm{softmax}(q k^\top / \sqrt{d}) v$, bidirectional.

    Parameters
    ----------
    q, k, v : Tensor, shape (B, H, N, d)
    key_mask : Tensor, shape (B, N), bool, optional
        Padded tokens: True where a key is real. A row without any real key gives 0.
    runs : Runs, optional
        Packed tokens: the B*N tokens fall into these stretches and attend within their own only.

    Returns
    -------
    Tensor, shape (B, H, N, d)
        Values at padded queries are finite and mean nothing.

    Notes
    -----
    Packed tokens go through the variable-length flash kernel where torch has one (CUDA, half precision); elsewhere
    each run is its own call, which wastes nothing either. On two CPU cores this beats one padded call with a mask.
    """
    if runs is not None:
        return _attend_runs(q, k, v, runs)
    if key_mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    allowed = key_mask[:, None, None]  # (B, 1, 1, N)
    empty = ~key_mask.any(1)[:, None, None, None]  # (B, 1, 1, 1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed | empty)
    return out.masked_fill(empty, 0)


def _attend_runs(q: Tensor, k: Tensor, v: Tensor, runs: Runs) -> Tensor:
    rows = q.shape[0]
    if len(runs.lengths) == rows and len(set(runs.lengths)) == 1:  # one run a row: nothing to cut
        return F.scaled_dot_product_attention(q, k, v)
    flat = [x.transpose(1, 2).flatten(0, 1) for x in (q, k, v)]  # (R*L, H, d)
    if q.is_cuda and q.dtype in (torch.float16, torch.bfloat16):
        from torch.nn.attention.varlen import varlen_attn  # seconds to import, and of use here only

        longest = max(runs.lengths)
        out = varlen_attn(flat[0], flat[1], flat[2], runs.offsets, runs.offsets, longest, longest)
        assert isinstance(out, Tensor)
    else:
        pieces = zip(*(torch.split(x.transpose(0, 1), list(runs.lengths), dim=1) for x in flat), strict=True)
        out = torch.cat([F.scaled_dot_product_attention(a[None], b[None], c[None])[0] for a, b, c in pieces], dim=1)
        out = out.transpose(0, 1)  # (R*L, H, d)
    return out.view(rows, -1, *out.shape[1:]).transpose(1, 2)  # (R, H, L, d)
