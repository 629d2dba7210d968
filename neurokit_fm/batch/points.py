"""PointStream: a batch of point processes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurokit_fm.batch.moving import moved


@dataclass(frozen=True, kw_only=True, eq=False)
class PointStream:
    """Event times of many sources, padded to the largest number of events and sources.

    Attributes
    ----------
    times : Tensor, shape (B, N), float32, seconds from the start of each window
    source : Tensor, shape (B, N), int64
        Row of the source; 0 in padding.
    mask : Tensor, shape (B, N), bool
        True where the event is real.
    marks : Tensor, shape (B, N, ...), float32, or None
    channel_mask : Tensor, shape (B, C), bool
        True where the source is real.
    positions : Tensor, shape (B, C, 3), float32, metres
    duration : Tensor, shape (B,), float32, seconds
    names : tuple of tuple of str, or None
    """

    times: Tensor
    source: Tensor
    mask: Tensor
    channel_mask: Tensor
    positions: Tensor
    duration: Tensor
    marks: Tensor | None = None
    names: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        return int(self.times.shape[0])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> PointStream:
        """Move every tensor to `device`; times keep their type, marks are cast to `dtype`."""
        return moved(self, device, dtype, "marks")
