"""Observation families: log-likelihood of one observation with its score and expected information in the predictor.

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

Terms = tuple[Tensor, Tensor, Tensor]
"""Log-likelihood, its derivative in the predictor and the expected negative second derivative; all (M, N)."""


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
    def terms(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None) -> Terms:
        """Log-likelihood without its constant, score and information of observations at a predictor."""


class Poisson(Family):
    """Counts."""

    name, links = "poisson", ("softplus", "exp", "sigmoid")

    def wrong(self, x: Tensor) -> str:
        """What stands against these observations."""
        return "counts must not be negative" if bool((x < 0).any()) else ""

    def constant(self, x: Tensor) -> Tensor:
        """Part that depends on the observations only."""
        return -torch.lgamma(x + 1)

    def terms(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None) -> Terms:
        """Log-likelihood, score and information."""
        mean, log_mean, slope = link(eta)
        relative = slope / mean
        likelihood = (log_mean * x).sub_(mean)
        return likelihood, torch.addcmul(-slope, relative, x), relative.mul_(slope)


class Bernoulli(Family):
    """Spike or none, one of two choices; the sigmoid link without a floor."""

    name, links = "bernoulli", ("sigmoid",)

    def wrong(self, x: Tensor) -> str:
        """What stands against these observations."""
        return "" if bool(((x == 0) | (x == 1)).all()) else "observations must be 0 or 1"

    def terms(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None) -> Terms:
        """Log-likelihood, score and information."""
        p = eta.sigmoid()
        likelihood = eta * x - eta.clamp(min=0)
        likelihood -= eta.abs().neg_().exp_().log1p_()
        return likelihood, x - p, p * (1 - p)


class Gaussian(Family):
    """Calcium, band power, any real signal; one standard deviation a state and neuron."""

    name, links = "gaussian", ("linear", "softplus", "exp")

    def constant(self, x: Tensor) -> Tensor:
        """Part that depends on the observations only."""
        return torch.full_like(x, -0.5 * math.log(2 * math.pi))

    def first_scale(self, x: Tensor) -> Tensor:
        """Start of the dispersion."""
        return x.std(0, correction=0).clamp(min=LEAST_SD)

    def terms(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None) -> Terms:
        """Log-likelihood, score and information."""
        assert scale is not None
        mean, _, slope = link(eta)
        precision = scale**-2  # (N,)
        error = x - mean
        score = error * slope * precision
        likelihood = error.square_().mul_(-0.5 * precision) - scale.log()
        return likelihood, score, slope * slope * precision


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

    def terms(self, x: Tensor, eta: Tensor, link: Link, scale: Tensor | None) -> Terms:
        """Log-likelihood, score and information."""
        assert scale is not None
        mean, log_mean, slope = link(eta)
        both = mean + scale
        log_both = both.log()
        likelihood = torch.lgamma(x + scale) - torch.lgamma(scale) + scale * (scale.log() - log_both)
        likelihood += x * (log_mean - log_both)
        score = (x / mean - (x + scale) / both) * slope
        return likelihood, score, slope * slope * scale / (mean * both)


FAMILIES: dict[str, Family] = {f.name: f for f in (Poisson(), Bernoulli(), Gaussian(), NegativeBinomial())}
"""Families of independent neurons by name; ``categorical`` is the fifth, in `choice`."""
