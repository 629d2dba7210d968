"""What the tokenizer's training minimises: a reconstruction in time, shape, amplitude and phase."""

from __future__ import annotations

import torch
from torch import Tensor


def target_of(windows: Tensor) -> Tensor:
    """Standardise windows (..., L): mean 0, unbiased standard deviation (plus 1e-6) 1."""
    windows = windows.float()
    return (windows - windows.mean(-1, keepdim=True)) / (windows.std(-1, keepdim=True) + 1e-6)


def correlation(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Pearson correlation of windows (..., L), 1e-6 added to the product of deviations: (...)."""
    a, b = (x.float() - x.float().mean(-1, keepdim=True) for x in (reconstruction, target))
    deviations = (a.square().mean(-1) * b.square().mean(-1)).clamp(min=1e-20).sqrt()
    return (a * b).mean(-1) / (deviations + 1e-6)


def reconstruction_losses(reconstruction: Tensor, target: Tensor, real: Tensor | None = None) -> dict[str, Tensor]:
    r"""Parts of the objective, each a mean over windows that are real.

    Parameters
    ----------
    reconstruction, target : Tensor, shape (..., L)
    real : Tensor, shape (...), bool or float, optional
        Weights of the windows; those of 0 do not count.

    Returns
    -------
    dict
        ``time`` (mean absolute error), ``pcc`` (mean correlation), ``amplitude`` and ``phase`` (mean absolute differences of
        the Fourier transforms of Hamming-windowed signals; phases are not wrapped).

    Notes
    -----
    Source: arXiv:2505.18185. See `total_of`.
    """
    reconstruction, target = reconstruction.float(), target.float()
    weight = torch.ones_like(target[..., 0]) if real is None else real.to(target.dtype)
    weight = weight / weight.sum().clamp(min=1e-9)

    def mean(x: Tensor) -> Tensor:
        return (x.mean(-1) * weight).sum()

    taper = torch.hamming_window(target.shape[-1], device=target.device, dtype=target.dtype)
    made, wanted = (torch.fft.rfft(x * taper, norm="ortho") for x in (reconstruction, target))
    return {
        "time": mean((reconstruction - target).abs()),
        "pcc": (correlation(reconstruction, target) * weight).sum(),
        "amplitude": mean((made.abs() - wanted.abs()).abs()),
        "phase": mean((made.angle() - wanted.angle()).abs()),
    }


def total_of(parts: dict[str, Tensor], commitment: Tensor, phase: float = 0.5) -> Tensor:
    """Sum the parts up: time + exp(-pcc) + commitment + amplitude + phase, the last with a weight (published: 1 / 2)."""
    return parts["time"] + torch.exp(-parts["pcc"]) + commitment + parts["amplitude"] + phase * parts["phase"]


def balance(real: Tensor, kind: Tensor) -> Tensor:
    """Weights of windows (B, C, n) such that the sensor types (B, C) that a batch has count the same."""
    weight = torch.zeros(real.shape, device=real.device)
    for number in range(3):
        mine = real & (kind == number)[..., None]
        weight = weight + mine / mine.sum().clamp(min=1)
    return weight
