"""Priors on the coupling weights: each is, between two steps of EM, a Gaussian with a centre and a precision for every weight.

The one-hot prior is a mixture; EM over its hidden classes makes it a Gaussian for the next step of the weights, so that
the exact log prior never falls. Densities of the published Gumbel-softmax model are in `gumbel`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


SPREAD = 0.5
"""Standard deviation of a present connection's magnitude, relative to its mean."""


def balanced_signs(table: Tensor) -> Tensor:
    """Class of each connection whose probability exceeds its average over all connections by the largest factor.

    The most probable class is nearly always "absent" where few connections exist; this rule weighs the three alike, as
    balanced accuracy does.

    Parameters
    ----------
    table : Tensor, shape (K, N, 3)
        Of `OneHotPrior`.

    Returns
    -------
    Tensor, shape (K, N), int64
        -1, 0 or 1.
    """
    return (table / table.mean((0, 1))).argmax(-1) - 1


class WeightPrior(ABC):
    """Prior of the weights W (S, F, N): features by target neurons.

    Attributes
    ----------
    centre : Tensor, shape (S, F, N) or scalar
    precision : Tensor, shape (S, F, N) or scalar
    """

    centre: Tensor
    precision: Tensor

    @abstractmethod
    def update(self, weights: Tensor) -> None:
        """Fit the prior's own parameters, and its Gaussian for the next step, to the weights."""

    @abstractmethod
    def log_density(self, weights: Tensor) -> Tensor:
        """Log prior of the weights and of the prior's own parameters, scalar, up to a constant."""

    def gradient(self, weights: Tensor) -> Tensor:
        """Of the Gaussian's log density, (S, F, N)."""
        return (self.centre - weights) * self.precision

    def penalty(self, weights: Tensor) -> Tensor:
        """Negative log density of the Gaussian without its constant, (S, N)."""
        return 0.5 * ((weights - self.centre).square() * self.precision).sum(1)


class Ridge(WeightPrior):
    """No learned prior: independent weights around 0, or a flat prior with `precision` 0."""

    def __init__(self, precision: float):
        self.centre = torch.zeros((), dtype=torch.float64)
        self.precision = torch.tensor(precision, dtype=torch.float64)

    def update(self, weights: Tensor) -> None:
        """Nothing to learn."""

    def log_density(self, weights: Tensor) -> Tensor:
        """Log prior, up to a constant."""
        return -self.penalty(weights).sum()


class GaussianPrior(WeightPrior):
    """Weights of every state around a common mean that is learned.

    Parameters
    ----------
    sd : float
        Standard deviation between states; 1/3 as published. It is fixed: learned with the mean, it shrinks to 0.
    ridge : float
        Precision of the common mean around 0.

    Notes
    -----
    arXiv:2310.15263, with the mean set to its best value between two steps instead of before each gradient step.
    """

    def __init__(self, weights: Tensor, sd: float, ridge: float):
        self.ridge, self.sd = ridge, sd
        self.precision = torch.tensor(sd**-2, dtype=torch.float64)
        self.update(weights)

    def update(self, weights: Tensor) -> None:
        """Fit the prior to the weights."""
        total = len(weights) * self.precision
        self.centre = (weights.sum(0) * self.precision / (total + self.ridge))[None]  # (1, F, N)

    def log_density(self, weights: Tensor) -> Tensor:
        """Log prior, up to a constant."""
        return -self.penalty(weights).sum() - 0.5 * self.ridge * self.centre.square().sum()


class OneHotPrior(WeightPrior):
    """Presence and sign of each connection drawn from one global table, strength free in each state.

    Parameters
    ----------
    weights : Tensor, shape (S, F, N)
        Where to start.
    n_bases : int
        Weights of one connection (consecutive features), which share their class. Features beyond the couplings get a ridge.
    usual : Tensor, shape (K, N, 3) or (3,)
        Expected shares of inhibitory, absent and excitatory connections: one triple for all, or one for each pair.
    concentration : float
        Weight of `usual`, in states.
    absent_sd : float
        Standard deviation of the weight of an absent connection.
    ridge : float

    Attributes
    ----------
    table : Tensor, shape (K, N, 3)
        Global class probabilities p of [source, target].
    classes : Tensor, shape (S, K, N, 3)
        Class probabilities in each state, given its weights.
    strength, spread : float
        Mean magnitude of a present connection, learned, and its standard deviation, half the mean at the start: learned as
        well, from weights it has itself pulled together, it would shrink to 0.

    Notes
    -----
    The structure of arXiv:2310.15263 (one-hot class x strength, class drawn from a global table) with another relaxation:
    instead of Gumbel-softmax noise and gradient steps, the class is summed over exactly. The weight of a connection is
    Normal(-m, v), Normal(0, absent_sd^2) or Normal(m, v) by class; EM over the classes (as in EMVS, Rockova & George 2014)
    gives each weight a Gaussian for its next Fisher step. Reason: the published density is unbounded and needs clipping,
    noise makes evidence fall, and the sum costs no more than a ridge.
    """

    def __init__(
        self, weights: Tensor, n_bases: int, usual: Tensor, concentration: float, absent_sd: float, ridge: float
    ):
        self.n_bases, self.ridge = n_bases, ridge
        self.n_sources = usual.shape[0] if usual.ndim == 3 else weights.shape[1] // n_bases
        shape = (self.n_sources, weights.shape[2], 3)
        self.usual = (usual if usual.ndim == 3 else usual[None, None]).expand(shape)
        self.concentration, self.absent_variance = concentration, absent_sd**2
        self.table = self.usual / self.usual.sum(-1, keepdim=True)
        present = self._couplings(weights).abs()
        strong = present > 2 * absent_sd
        self.strength = max(float(present[strong].mean()) if bool(strong.any()) else 0.0, 4 * absent_sd)
        self.spread = SPREAD * self.strength
        self.update(weights)

    def _couplings(self, weights: Tensor) -> Tensor:
        count = self.n_sources * self.n_bases
        return weights[:, :count].reshape(len(weights), self.n_sources, self.n_bases, -1)  # (S, K, B, N)

    def _class_terms(self, weights: Tensor) -> Tensor:
        """Log p(weight, class) of each connection, (S, K, N, 3)."""
        w = self._couplings(weights)
        centres = (-self.strength, 0.0, self.strength)
        variances = (self.spread**2, self.absent_variance, self.spread**2)
        terms = [
            (-0.5 * ((w - m).square() / v + math.log(v) + LOG_2PI)).sum(2)
            for m, v in zip(centres, variances, strict=True)
        ]
        return torch.stack(terms, -1) + self.table.log()

    def update(self, weights: Tensor) -> None:
        """Fit the prior to the weights."""
        self.classes = self._class_terms(weights).softmax(-1)
        counts = self.classes.sum(0) + self.concentration * self.usual
        self.table = counts / counts.sum(-1, keepdim=True)
        w = self._couplings(weights)
        minus, plus = self.classes[:, :, None, :, 0], self.classes[:, :, None, :, 2]  # (S, K, 1, N)
        mass = float((minus + plus).sum()) * self.n_bases
        if mass > 1:
            self.strength = max(float(((plus - minus) * w).sum()) / mass, 2 * math.sqrt(self.absent_variance))
        self._surrogate(weights)

    def _surrogate(self, weights: Tensor) -> None:
        """Gaussian whose log density, up to a constant, is the expected log prior over the classes."""
        self.classes = self._class_terms(weights).softmax(-1)
        minus, absent, plus = self.classes.unbind(-1)  # (S, K, N)
        precision = (minus + plus) / self.spread**2 + absent / self.absent_variance
        centre = (plus - minus) * self.strength / self.spread**2 / precision
        count = self.n_sources * self.n_bases
        self.precision = torch.full_like(weights, self.ridge)
        self.precision[:, :count] = precision[:, :, None].expand(-1, -1, self.n_bases, -1).flatten(1, 2)
        self.centre = torch.zeros_like(weights)
        self.centre[:, :count] = centre[:, :, None].expand(-1, -1, self.n_bases, -1).flatten(1, 2)

    def log_density(self, weights: Tensor) -> Tensor:
        """Log prior, up to a constant."""
        classes = self._class_terms(weights).logsumexp(-1).sum()
        table = self.concentration * (self.usual * self.table.log()).sum()
        rest = weights[:, self.n_sources * self.n_bases :]
        return classes + table - 0.5 * self.ridge * rest.square().sum()

    def sharpen(self, absent_sd: float, weights: Tensor) -> None:
        """Narrow what counts as absent, keeping what was learned."""
        self.absent_variance, self.spread = absent_sd**2, SPREAD * self.strength
        self.update(weights)
