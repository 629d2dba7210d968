"""Observation families: log-likelihood of one observation, and what makes its score and expected information.

The choice among several classes is not here: its predictors belong together (`choice`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from nkfm_glmhmm.links import Link

LEAST_SD = 1e-4
"""Floor of a Gaussian standard deviation, relative to that of all observations of the neuron."""


class Family(ABC):
    """One kind of observation.

    Attributes
    ----------
    name : str
    links : tuple of str
        Links it can be used with, the usual one first.
    """

    name: str
    links: tuple[str, ...]

    def wrong(self, x: Tensor) -> str:
        """What stands against observations (M, N) of this family, or an empty string."""
        return ""

    def constant(self, x: Tensor) -> Tensor:
        """Part of the log-likelihood that depends on the observations only, (M, N)."""
        return torch.zeros_like(x)

    def first_scale(self, x: Tensor) -> Tensor | None:
        """Start of the dispersion of each neuron (N,), or None if the family has none."""
        return None

    @abstractmethod
    def likelihood(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None, mean: Tensor, out: Tensor) -> None:
        """Fill `mean`, and `out` with the log-likelihood without its constant, of observations at a predictor; all (M, N)."""

    @abstractmethod
    def variance(self, mean: Tensor, scale: Tensor | None) -> Tensor:
        """Variance of an observation at its mean, (M, N)."""

    def sensitivity(self, mean: Tensor, link: Link, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Slope of the mean in the predictor, and slope over variance; (M, N) each.

        In every family here the score is (x - mean) times the second, the expected information their product.
        """
        slope = link.slope(mean)
        return slope, slope / self.variance(mean, scale)


class Poisson(Family):
    """Counts."""

    name, links = "poisson", ("softplus", "exp", "sigmoid")

    def wrong(self, x: Tensor) -> str:
        """What stands against these observations."""
        return "counts must not be negative" if bool((x < 0).any()) else ""

    def constant(self, x: Tensor) -> Tensor:
        """Part that depends on the observations only."""
        return -torch.lgamma(x + 1)

    def likelihood(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None, mean: Tensor, out: Tensor) -> None:
        """Fill mean and log-likelihood."""
        link.log_mean(eta, link.mean(eta, mean), out).mul_(x).sub_(mean)

    def variance(self, mean: Tensor, scale: Tensor | None) -> Tensor:
        """The mean."""
        return mean


class Bernoulli(Family):
    """Spike or none, one of two choices; the sigmoid link without a floor."""

    name, links = "bernoulli", ("sigmoid",)

    def wrong(self, x: Tensor) -> str:
        """What stands against these observations."""
        return "" if bool(((x == 0) | (x == 1)).all()) else "observations must be 0 or 1"

    def likelihood(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None, mean: Tensor, out: Tensor) -> None:
        """Fill mean and log-likelihood."""
        torch.sigmoid(eta, out=mean)
        torch.abs(eta, out=out).neg_().exp_().log1p_().add_(eta.clamp(min=0)).neg_().add_(eta * x)

    def variance(self, mean: Tensor, scale: Tensor | None) -> Tensor:
        """Of a choice."""
        return mean * (1 - mean)

    def sensitivity(self, mean: Tensor, link: Link, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Slope, which is the variance itself, and 1: also where a choice is certain."""
        return self.variance(mean, scale), torch.ones_like(mean)


class Gaussian(Family):
    """Calcium, band power, any real signal; one standard deviation a state and neuron."""

    name, links = "gaussian", ("linear", "softplus", "exp")

    def constant(self, x: Tensor) -> Tensor:
        """Part that depends on the observations only."""
        return torch.full_like(x, -0.5 * math.log(2 * math.pi))

    def first_scale(self, x: Tensor) -> Tensor:
        """Start of the dispersion."""
        return x.std(0, correction=0).clamp(min=LEAST_SD)

    def likelihood(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None, mean: Tensor, out: Tensor) -> None:
        """Fill mean and log-likelihood."""
        assert scale is not None
        link.mean(eta, mean)
        torch.sub(x, mean, out=out).square_().mul_(-0.5 * scale**-2).sub_(scale.log())

    def variance(self, mean: Tensor, scale: Tensor | None) -> Tensor:
        """Of the neuron."""
        assert scale is not None
        return scale.square()


class NegativeBinomial(Family):
    """Counts more variable than Poisson; `scale` is the number of failures r, one a state and neuron."""

    name, links = "negative-binomial", ("softplus", "exp")

    def wrong(self, x: Tensor) -> str:
        """What stands against these observations."""
        return "counts must not be negative" if bool((x < 0).any()) else ""

    def constant(self, x: Tensor) -> Tensor:
        """Part that depends on the observations only."""
        return -torch.lgamma(x + 1)

    def first_scale(self, x: Tensor) -> Tensor:
        """Start of the dispersion."""
        return x.new_full((x.shape[1],), 5.0)

    def likelihood(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None, mean: Tensor, out: Tensor) -> None:
        """Fill mean and log-likelihood."""
        assert scale is not None
        log_both = (link.mean(eta, mean) + scale).log_()
        link.log_mean(eta, mean, out).sub_(log_both).mul_(x)
        out += torch.lgamma(x + scale) - torch.lgamma(scale) + scale * (scale.log() - log_both)

    def variance(self, mean: Tensor, scale: Tensor | None) -> Tensor:
        """Larger than the mean."""
        assert scale is not None
        return mean * (1 + mean / scale)


FAMILIES: dict[str, Family] = {f.name: f for f in (Poisson(), Bernoulli(), Gaussian(), NegativeBinomial())}
"""Families of independent neurons by name; ``categorical`` is the fifth, in `choice`."""
