"""The published demonstration: a switching network with known couplings, to measure what a fit recovers.

Generator of arXiv:2310.15263 (published code), in the same order of draws; specs of sizes and seeds are its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nkfm_glmhmm.basis import exponential
from nkfm_glmhmm.layout import Array, Index
from nkfm_glmhmm.links import SIGMOID_FLOOR


@dataclass(frozen=True, eq=False)
class SwitchingNetwork:
    """Ground truth and data.

    Attributes
    ----------
    counts : list of ndarray, shape (T, N)
        One array a trial.
    states : list of ndarray, shape (T,), int64
    weights : ndarray, shape (S, N, N)
        [state, target, source].
    bias : ndarray, shape (N,)
    table : ndarray, shape (N, N, 3)
        Global probabilities of inhibitory, absent, excitatory.
    transitions : ndarray, shape (S, S)
    basis : ndarray, shape (H, 1)
    """

    counts: list[Array]
    states: list[Index]
    weights: Array
    bias: Array
    table: Array
    transitions: Array
    basis: Array


def switching_network(
    seed: int = 0, *, n_neurons: int = 20, n_states: int = 5, n_trials: int = 50, n_bins: int = 2000, n_lags: int = 5
) -> SwitchingNetwork:
    """Draw a network and its activity.

    Parameters
    ----------
    seed : int
    n_neurons, n_states, n_trials, n_bins, n_lags : int

    Notes
    -----
    ``p ~ Dirichlet(2 (.1, .8, .1))`` a pair; strength ``log(1 + 3u)`` and class drawn anew in each state; bias
    ``0.1 (u - 0.5)``; sigmoid link, Poisson counts, states that stay with 0.98. All trials advance together, one bin at a
    time, so the draws of the data differ from the published ones (which go trial by trial); the network's do not.
    """
    rng = torch.Generator().manual_seed(seed)
    shape = (n_states, n_neurons, n_neurons)
    usual = 2 * torch.tensor([0.1, 0.8, 0.1], dtype=torch.float64)
    gamma = torch._standard_gamma(usual.expand(n_neurons, n_neurons, 3), generator=rng)
    table = (gamma / gamma.sum(-1, keepdim=True)).clamp(min=1e-12)
    strength = torch.log1p(3 * torch.rand(shape, generator=rng, dtype=torch.float64))
    noise = -torch.log(-torch.log(torch.rand((*shape, 3), generator=rng, dtype=torch.float64)))
    adjacency = (table.log() + noise).argmax(-1) - 1  # (S, N, N)
    weights = adjacency * strength
    bias = 0.1 * (torch.rand(n_neurons, generator=rng, dtype=torch.float64) - 0.5)
    stay = 0.98 if n_states > 1 else 1.0
    transitions = torch.full((n_states, n_states), (1 - stay) / max(1, n_states - 1), dtype=torch.float64)
    transitions.fill_diagonal_(stay)
    basis = exponential(n_lags)
    counts, states = _simulate(weights, bias, transitions, basis, n_trials, n_bins, rng)
    return SwitchingNetwork(
        counts=list(counts.numpy()),
        states=list(states.numpy()),
        weights=weights.numpy(),
        bias=bias.numpy(),
        table=table.numpy(),
        transitions=transitions.numpy(),
        basis=basis,
    )


def _simulate(
    weights: Tensor, bias: Tensor, transitions: Tensor, basis: Array, n_trials: int, n_bins: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    n_states, neurons = weights.shape[:2]
    lags = len(basis)
    kernel = torch.from_numpy(np.ascontiguousarray(basis[::-1, 0]))  # oldest lag first
    counts = torch.zeros((n_trials, lags + n_bins, neurons), dtype=torch.float64)
    states = torch.zeros((n_trials, n_bins), dtype=torch.int64)
    for t in range(n_bins):
        odds = (
            torch.full((n_trials, n_states), 1 / n_states, dtype=torch.float64)
            if t == 0
            else transitions[states[:, t - 1]]
        )
        states[:, t] = torch.multinomial(odds, 1, generator=rng)[:, 0]
        history = (counts[:, t : t + lags] * kernel[:, None]).sum(1)  # (R, N)
        eta = bias + (weights[states[:, t]] @ history[..., None])[..., 0]
        rate = torch.sigmoid(eta) * (1 - SIGMOID_FLOOR) + SIGMOID_FLOOR
        counts[:, lags + t] = torch.poisson(rate, generator=rng)
    return counts[:, lags:], states
