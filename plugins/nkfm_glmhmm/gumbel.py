"""Objectives of the published one-hot and Gaussian models, with torch gradients: to compare with, not to fit with.

Source: arXiv:2310.15263, published code in both its generations ("basis" and "kernel"). The fit uses the exact mixture
in `priors` instead; its notes say why.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

EPSILON = 1e-8
"""Added to rates inside logarithms by the published code."""


def gumbel_softmax_log_density(log_y: Tensor, log_p: Tensor, temperature: float) -> Tensor:
    """Log density of the Gumbel-softmax distribution on the simplex.

    Parameters
    ----------
    log_y : Tensor, shape (..., k)
        Logarithm of the point.
    log_p : Tensor, shape (..., k)
        Log-probabilities, up to a constant.
    temperature : float

    Returns
    -------
    Tensor, shape (...)
        Unbounded above near a corner for temperatures below 1.
    """
    k = log_y.shape[-1]
    base = math.lgamma(k) + (k - 1) * math.log(temperature)
    spread = torch.logsumexp(log_p - temperature * log_y, -1)
    return base - k * spread + (log_p - (temperature + 1) * log_y).sum(-1)


def relaxed_weights(
    logits: Tensor, strength: Tensor, *, noise: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """Weights (excitatory minus inhibitory share) x softplus strength.

    Parameters
    ----------
    logits : Tensor, shape (S, N, N, 3) or (S, N, N, 2)
        Inhibitory, (absent,) excitatory.
    strength : Tensor, shape (S, N, N)
        Before the softplus.
    noise : Tensor, shape of `logits`, optional
        Gumbel draws; shares are the softmax of (logits + noise) / temperature. Left out: of the logits.
    temperature : float
    """
    shares = logits.softmax(-1) if noise is None else ((logits + noise) / temperature).softmax(-1)
    return (shares[..., -1] - shares[..., 0]) * torch.nn.functional.softplus(strength)


def hard_weights(logits: Tensor, strength: Tensor) -> Tensor:
    """Weights with the most probable class of each connection."""
    one_hot = torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(strength)
    return (one_hot[..., -1] - one_hot[..., 0]) * torch.nn.functional.softplus(strength)


def adjacency_log_prior(logits: Tensor, table_logits: Tensor, temperature: float, *, as_published: bool) -> Tensor:
    """Log prior of all adjacencies at their noise-free shares, scalar.

    Parameters
    ----------
    logits : Tensor, shape (S, N, N, k)
    table_logits : Tensor, shape (N, N, k)
    temperature : float
    as_published : bool
        The basis code hands probabilities to a density that takes their logarithms; True repeats that.
    """
    log_p = table_logits.softmax(-1) if as_published else table_logits
    return gumbel_softmax_log_density(logits.log_softmax(-1), log_p, temperature).sum()


def entropy(logits: Tensor) -> Tensor:
    """Entropy of all adjacencies, nats, scalar."""
    return -(logits.softmax(-1) * logits.log_softmax(-1)).sum()


def tamed(logits: Tensor) -> Tensor:
    """Halve the logits of each connection in which a class has a log share below -20, once."""
    extreme = (logits.log_softmax(-1) < -20).any(-1, keepdim=True)
    return torch.where(extreme, logits / 2, logits)


def gaussian_log_prior(weights: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    """Log density of weights (S, N, N) around a common mean (N, N), scalar; the variance is floored at 1e-8."""
    variance = sd.square().clamp(min=1e-8)
    return -(0.5 * (variance.log() + (weights - mean).square() / variance) + 0.5 * math.log(2 * math.pi)).sum()


def expected_log_likelihood(
    log_lik: Tensor, gamma: Tensor, xi_sum: Tensor, initial: Tensor, transitions: Tensor, *, as_published: bool = False
) -> Tensor:
    """Expected complete log-likelihood Q of one trial.

    Parameters
    ----------
    log_lik, gamma : Tensor, shape (T, S)
    xi_sum, transitions : Tensor, shape (S, S)
    initial : Tensor, shape (S,)
    as_published : bool
        The published code adds posterior and log-probability of the first state where it should multiply them: a constant.
    """
    first = (gamma[0] + initial.log()).sum() if as_published else (gamma[0] * initial.log()).sum()
    return first + (xi_sum * transitions.log()).sum() + (gamma * log_lik).sum()


def poisson_log_likelihood(counts: Tensor, rates: Tensor) -> Tensor:
    """Of counts (T, N) under rates (S, T, N), summed over neurons as the published code does: (T, S)."""
    terms = counts * (rates + EPSILON).log() - rates - torch.lgamma(counts + 1)
    return terms.sum(-1).T


def floored_transitions(xi_sum: Tensor) -> Tensor:
    """Transition update of the basis code: log of the row-normalised counts, clamped at -8, softmax."""
    return (xi_sum / xi_sum.sum(-1, keepdim=True)).log().clamp(min=-8).softmax(-1)


def kernel_rates(counts: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Softplus rates of the kernel code.

    Parameters
    ----------
    counts : Tensor, shape (T, N)
    kernels : Tensor, shape (S, N, N, H)
        [state, target, source, lag]; the last index is lag 1.
    bias : Tensor, shape (S, N) or (N,)

    Returns
    -------
    Tensor, shape (S, T, N)
    """
    states, neurons, _, lags = kernels.shape
    padded = torch.nn.functional.pad(counts.T[None], (lags, -1))  # (1, N, H + T - 1)
    eta = torch.nn.functional.conv1d(padded, kernels.flatten(0, 1))[0]  # (S * N, T), state-major
    eta = eta.reshape(states, neurons, -1).transpose(1, 2)
    return torch.nn.functional.softplus(eta + bias.expand(states, neurons)[:, None])
