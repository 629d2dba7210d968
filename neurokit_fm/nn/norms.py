"""RMSNorm, with its statistics in float32 whatever the input."""

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
