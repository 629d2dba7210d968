"""Link functions: what turns a linear predictor into a mean, with its logarithm and slope.

Each is written so that the logarithm stays exact where the mean is tiny, and fills buffers that fit a cache: one pass over
memory costs as much as a transcendental function.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neurokit_fm.errors import UnknownName, did_you_mean

LOWEST, HIGHEST = -500.0, 300.0
"""Predictors are held within these, where a mean is still a float64 above 0; a likelihood is flat beyond."""

EASY = (-16.0, 600.0)
"""Predictors for which log(1 + exp(eta)) may be computed as it stands: 1e-9 relative, at worst, at the lower end."""

SIGMOID_FLOOR = 1e-8
"""Least rate of the sigmoid link, counts a bin (arXiv:2310.15263, published code)."""


class Link(ABC):
    """One link; all tensors have the same shape."""

    def __call__(self, eta: Tensor) -> Tensor:
        """Mean at a predictor."""
        return self.mean(eta, torch.empty_like(eta))

    @abstractmethod
    def mean(self, eta: Tensor, out: Tensor) -> Tensor:
        """Mean at a predictor, into `out`."""

    def log_mean(self, eta: Tensor, mean: Tensor, out: Tensor) -> Tensor:
        """Logarithm of a mean that `mean` has filled, into `out`."""
        return torch.log(mean, out=out)

    @abstractmethod
    def slope(self, mean: Tensor) -> Tensor:
        """Derivative of the mean in the predictor, where the mean is this."""


class Softplus(Link):
    """log(1 + exp(eta))."""

    def mean(self, eta: Tensor, out: Tensor) -> Tensor:
        """Mean, into `out`."""
        torch.exp(eta, out=out).add_(1).log_()
        if float(eta.amin()) < EASY[0] or not math.isfinite(float(out.sum())):  # few, and each cancels or overflows
            hard = (eta < EASY[0]) | (eta > EASY[1])
            there = eta[hard].clamp(LOWEST)
            out[hard] = there.abs().neg().exp().log1p() + there.clamp(min=0)
        return out

    def slope(self, mean: Tensor) -> Tensor:
        """1 - exp(-mean)."""
        slope = torch.neg(mean).exp_().neg_().add_(1)
        if float(mean.amin()) < 1e-7:  # few, and each would cancel
            tiny = mean < 1e-7
            slope[tiny] = -torch.expm1(-mean[tiny])
        return slope


class Exponential(Link):
    """exp(eta)."""

    def mean(self, eta: Tensor, out: Tensor) -> Tensor:
        """Mean, into `out`."""
        return torch.clamp(eta, LOWEST, HIGHEST, out=out).exp_()

    def log_mean(self, eta: Tensor, mean: Tensor, out: Tensor) -> Tensor:
        """The predictor itself."""
        return torch.clamp(eta, LOWEST, HIGHEST, out=out)

    def slope(self, mean: Tensor) -> Tensor:
        """The mean itself."""
        return mean


class Sigmoid(Link):
    """Logistic function between 1e-8 and 1: a rate below one event a bin, so that simulations cannot explode."""

    def mean(self, eta: Tensor, out: Tensor) -> Tensor:
        """Mean, into `out`."""
        return torch.sigmoid(eta, out=out).mul_(1 - SIGMOID_FLOOR).add_(SIGMOID_FLOOR)

    def slope(self, mean: Tensor) -> Tensor:
        """Of the part above the floor."""
        return (mean - SIGMOID_FLOOR) * (1 - mean) / (1 - SIGMOID_FLOOR)


class Linear(Link):
    """The predictor itself."""

    def mean(self, eta: Tensor, out: Tensor) -> Tensor:
        """Mean, into `out`."""
        return out.copy_(eta)

    def slope(self, mean: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(mean)


LINKS: dict[str, Link] = {"softplus": Softplus(), "exp": Exponential(), "sigmoid": Sigmoid(), "linear": Linear()}
"""Every link by the name a configuration uses."""


def link(name: str) -> Link:
    """Look a link up by name.

    Examples
    --------
    >>> link("softplus")(torch.zeros(1, dtype=torch.float64))
    tensor([0.6931], dtype=torch.float64)
    """
    if name not in LINKS:
        raise UnknownName(f"no link called {name!r}.{did_you_mean(name, LINKS)} Known: {', '.join(LINKS)}")
    return LINKS[name]
