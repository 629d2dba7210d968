"""The 4-D Fourier encoding of REVE."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurokit_fm import PositionalEncoding
from neurokit_fm.errors import ConfigError
from nkfm_pos4d.config import Fourier4dConfig


class Fourier4d(PositionalEncoding):
    r"""Fixed Fourier features of (x, y, z, t) plus a learned map of the same, normalised.

    $\mathrm{LN}(\mathrm{fourier}(p) + \mathrm{LN}(\mathrm{GELU}(W p)))$ with $p = (x, y, z, \text{step})$.

    Parameters
    ----------
    config : Fourier4dConfig
    width : int
        D, even, at most ``2 * freqs**4``.

    Raises
    ------
    ConfigError
        If there are fewer than D/2 frequency vectors, or D is odd.

    Notes
    -----
    Source: REVE, arXiv:2510.21585. The frequency grid is cut to its first D/2 vectors, x slowest; the published code
    crashes where the grid has exactly or fewer than D/2 of them (its own tiny configuration), here the second case is
    an error and the first works. The Fourier part repeats every ``(1 + 2 margin) / step_scale`` = 18 steps.

    Phases, the learned branch and the norms are computed in float32 whatever the model's dtype or autocast, because
    bfloat16 cannot tell neighbouring electrodes apart. An unknown coordinate (NaN) adds nothing to any phase and 0 to
    the learned branch.
    """

    config_class = Fourier4dConfig

    def __init__(self, config: Fourier4dConfig, width: int):
        super().__init__()
        if width % 2 or config.freqs**4 < width // 2:
            raise ConfigError(
                f"fourier-4d: {config.freqs}**4 = {config.freqs**4} frequency vectors cannot fill width {width} "
                f"(needs an even width of at most {2 * config.freqs**4}); raise freqs to "
                f"{math.ceil((width / 2) ** 0.25)}"
            )
        self.config = config
        self.width = width
        self.learned = nn.Linear(4, width, bias=False)
        self.learned_norm = nn.LayerNorm(width)
        self.norm = nn.LayerNorm(width)

    def fourier(self, coords: Tensor) -> Tensor:
        """Fixed part alone: coordinates (B, N, 4) in metres and steps to (B, N, D), cosines then sines."""
        period = 1 + 2 * self.config.margin_m
        metre = self.config.space_scale
        scale = coords.new_tensor([metre, metre, metre, self.config.step_scale])
        q = (coords * scale + self.config.margin_m).nan_to_num(0.0)  # (B, N, 4)
        axis = torch.arange(self.config.freqs, dtype=torch.float32, device=coords.device)
        grid = torch.cartesian_prod(axis, axis, axis, axis)[: self.width // 2]  # (D/2, 4) k_x slowest, k_t fastest
        k = grid * (2 * math.pi / period)  # (D/2, 4)
        phase = sum(q[..., i, None] * k[:, i] for i in range(4))  # (B, N, D/2) exact float32, no TF32
        assert isinstance(phase, Tensor)
        return torch.cat([phase.cos(), phase.sin()], dim=-1)

    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (B, N, 4), metres and seconds, to float32 vectors (B, N, D)."""
        device = "cpu" if coords.is_meta else coords.device.type  # autocast does not know the meta device
        with torch.autocast(device, enabled=False):
            steps = coords.float() / coords.new_tensor([1.0, 1.0, 1.0, self.config.step_s]).float()
            learned = F.gelu(F.linear(steps.nan_to_num(0.0), self.learned.weight.float()))
            return _norm(self.fourier(steps) + _norm(learned, self.learned_norm), self.norm)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight.float(), norm.bias.float(), norm.eps)
