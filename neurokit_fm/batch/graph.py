"""GraphStream: a batch of graphs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurokit_fm.batch.moving import moved


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphStream:
    """Typed edges between nodes, padded to the largest number of each.

    Attributes
    ----------
    edges : Tensor, shape (B, 2, E), int64
        Row 0 from, row 1 to; 0 in padding.
    weight : Tensor, shape (B, E), float32
    kind : Tensor, shape (B, E), int64
        Index into `kinds`.
    edge_mask : Tensor, shape (B, E), bool
        True where the edge is real.
    node_mask : Tensor, shape (B, V), bool
        True where the node is real.
    positions : Tensor, shape (B, V, 3), float32, metres
    kinds : tuple of str
    names : tuple of tuple of str, or None
    """

    edges: Tensor
    weight: Tensor
    kind: Tensor
    edge_mask: Tensor
    node_mask: Tensor
    positions: Tensor
    kinds: tuple[str, ...]
    names: tuple[tuple[str, ...], ...] | None = None

    def __len__(self) -> int:
        return int(self.edges.shape[0])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> GraphStream:
        """Move every tensor to `device`; cast `weight` alone to `dtype`."""
        return moved(self, device, dtype, "weight")
