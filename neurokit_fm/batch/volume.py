"""VolumeStream: a batch of images on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurokit_fm.batch.moving import moved


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeStream:
    """Images of one grid size, with absent contrasts masked.

    Attributes
    ----------
    values : Tensor, shape (B, M, X, Y, Z), float32
    contrast_mask : Tensor, shape (B, M), bool
        True where the contrast was measured.
    affine : Tensor, shape (B, 4, 4), float64
        Voxel index to metres.
    contrasts : tuple of str
    """

    values: Tensor
    contrast_mask: Tensor
    affine: Tensor
    contrasts: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> VolumeStream:
        """Move every tensor to `device`; cast `values` alone to `dtype`."""
        return moved(self, device, dtype, "values")
