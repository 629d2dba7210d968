"""Link functions: what turns a linear predictor into a mean, with its logarithm and slope.

Each is written so that the logarithm stays exact where the mean is tiny, and works in place on blocks that fit a cache.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurokit_fm.errors import UnknownName, did_you_mean

Link = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""Linear predictor to (mean, log of the mean, derivative of the mean), each of the same shape."""

LOWEST, HIGHEST = -500.0, 300.0
"""Predictors are held within these, where a mean is still a float64 above 0; a likelihood is flat beyond."""

EASY = (-10.0, 600.0)
"""Predictors for which log(1 + exp(eta)) may be computed as it stands: 2e-12 relative, at worst."""

SIGMOID_FLOOR = 1e-8
"""Least rate of the sigmoid link, counts a bin (arXiv:2310.15263, published code)."""


def softplus(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log(1 + exp(eta)); for very negative predictors its logarithm is the predictor itself."""
    low, high = eta.aminmax()
    if low > EASY[0] and high < EASY[1]:  # nothing cancels or overflows: half the work
        growth = eta.exp()
        whole = growth + 1
        mean = whole.log()
        return mean, mean.log(), growth.div_(whole)
    eta = eta.clamp(LOWEST)
    mean = eta.abs().neg_().exp_().log1p_()
    mean += eta.clamp(min=0)
    return mean, mean.log(), eta.sigmoid_()


def exponential(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """exp(eta)."""
    eta = eta.clamp(LOWEST, HIGHEST)
    mean = eta.exp()
    return mean, eta, mean


def sigmoid(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logistic function between 1e-8 and 1: a rate below one event a bin, so that simulations cannot explode."""
    share = eta.sigmoid()
    slope = share * (1 - share) * (1 - SIGMOID_FLOOR)
    mean = share.mul_(1 - SIGMOID_FLOOR).add_(SIGMOID_FLOOR)
    return mean, mean.log(), slope


def linear(eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The predictor itself; its logarithm is only defined where it is positive."""
    return eta, eta.clamp(min=1e-300).log(), torch.ones_like(eta)


LINKS: dict[str, Link] = {"softplus": softplus, "exp": exponential, "sigmoid": sigmoid, "linear": linear}
"""Every link by the name a configuration uses."""


def link(name: str) -> Link:
    """Look a link up by name.

    Examples
    --------
    >>> link("softplus")(torch.zeros(1, dtype=torch.float64))[0]
    tensor([0.6931], dtype=torch.float64)
    """
    if name not in LINKS:
        raise UnknownName(f"no link called {name!r}.{did_you_mean(name, LINKS)} Known: {', '.join(LINKS)}")
    return LINKS[name]
