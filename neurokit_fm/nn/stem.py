"""PatchStem: convolutions along each patch, normalised over all patches of a window."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.norms import GroupNorm


class PatchStem(nn.Module):
    """Convolution, GroupNorm, GELU; several times. Padding counts in no statistic.

    Parameters
    ----------
    layers : sequence of (features, kernel, stride, padding, groups)
        One convolution along the samples of a patch each, zero-padded at both ends of the patch.
    """

    def __init__(self, layers: Sequence[tuple[int, ...]]):
        super().__init__()
        widths = [1, *(layer[0] for layer in layers)]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, features, (1, kernel), stride=(1, stride), padding=(0, padding))
            for before, (features, kernel, stride, padding, _) in zip(widths, layers, strict=False)
        )
        self.norms = nn.ModuleList(GroupNorm(layer[4], layer[0]) for layer in layers)

    def forward(self, raw: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map raw patches (B, N, w), of which `mask` (B, N) says the real ones, to (B, N, F, L)."""
        x = raw[:, None]  # (B, 1, N, w)
        real = None if mask is None else mask[:, :, None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(norm(conv(x), real))  # (B, F, N, L)
        return x.transpose(1, 2)  # (B, N, F, L)


def stem_shape(layers: Sequence[tuple[int, ...]], length: int) -> tuple[int, int]:
    """Features F and steps L that a `PatchStem` makes of a patch of `length` samples.

    Raises
    ------
    ConfigError
        If a layer is no (features, kernel, stride, padding, groups), or nothing is left of the patch.
    """
    for layer in layers:
        if len(layer) != 5 or min(*layer[:3], layer[4]) < 1 or layer[0] % layer[4]:
            raise ConfigError(f"a layer is (features, kernel, stride, padding, groups), groups dividing; got {layer}")
        length = (length + 2 * layer[3] - layer[1]) // layer[2] + 1
    if not layers or length < 1:
        raise ConfigError(
            f"{len(layers)} layers leave {length} steps of a patch; use smaller kernels or longer patches"
        )
    return layers[-1][0], length
