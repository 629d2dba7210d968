"""Drawing states and observations from a model."""

from __future__ import annotations

import numpy as np
import torch

from neurokit_fm.errors import DataError
from nkfm_glmhmm.choice import class_log_probabilities
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.fit import Parameters
from nkfm_glmhmm.layout import Array, Index
from nkfm_glmhmm.links import link
from nkfm_glmhmm.paths import draw

LARGEST_COUNT = 1e4
"""Counts a bin beyond which a simulation has run away."""


def sample(
    parameters: Parameters,
    config: GlmHmmConfig,
    n_bins: int,
    rng: np.random.Generator,
    *,
    covariates: Array | None = None,
    inputs: Array | None = None,
) -> tuple[Array, Index]:
    """Draw one trial.

    Parameters
    ----------
    parameters, config :
        A fitted model.
    n_bins : int
    rng : numpy Generator
    covariates : ndarray, shape (n_bins, U), optional
    inputs : ndarray, shape (n_bins, U), optional

    Returns
    -------
    ndarray, shape (n_bins, N)
        Observations; for the categorical family one column of classes.
    ndarray, shape (n_bins,), int64
        States.

    Raises
    ------
    DataError
        If activity explodes: softplus and exponential links with strong excitation have no stationary state.
    """
    chain = parameters.chain
    path = draw(n_bins, chain.initial, chain.matrices(inputs), rng)
    outside = np.zeros((n_bins, 0)) if covariates is None else np.asarray(covariates, dtype=float)
    weights = parameters.weights.numpy()
    if config.family == "categorical":
        design = torch.from_numpy(np.concatenate([outside, np.ones((n_bins, 1))], 1))
        p = class_log_probabilities(parameters.weights, design).exp().numpy()[path, np.arange(n_bins)]  # (T, C)
        return (p.cumsum(1) < rng.random((n_bins, 1)) * p.sum(1, keepdims=True)).sum(1)[:, None].astype(float), path
    kernels, neurons = config.kernels(), weights.shape[2]
    lags = 0 if kernels is None else len(kernels)
    x = np.zeros((lags + n_bins, neurons))
    to_mean = link(config.link_name)
    for t in range(n_bins):
        recent = x[t : t + lags][::-1]  # (H, N), lag 1 first
        history = np.zeros(0) if kernels is None else (recent.T @ kernels).ravel()
        features = np.concatenate([history, outside[t], [1.0]])
        eta = features @ weights[path[t]]
        mean = to_mean(torch.from_numpy(eta)).numpy()
        if config.family == "gaussian":
            assert parameters.scale is not None
            x[lags + t] = mean + parameters.scale[path[t]].numpy() * rng.standard_normal(neurons)
            continue
        if not (mean < LARGEST_COUNT).all():
            raise DataError(
                f"activity explodes at bin {t} ({mean.max():.3g} events a bin); excitation is too strong to simulate with "
                f"the {config.link_name} link; the sigmoid link cannot explode"
            )
        if config.family == "bernoulli":
            x[lags + t] = rng.random(neurons) < mean
        elif config.family == "poisson":
            x[lags + t] = rng.poisson(mean)
        else:
            assert parameters.scale is not None
            r = parameters.scale[path[t]].numpy()
            x[lags + t] = rng.poisson(rng.gamma(r, mean / r))
    return x[lags:], path


def spectral_radius(couplings: Array) -> float:
    """Largest spectral radius of the coupling matrices (S, N, N); with the exponential link, above 1 means trouble."""
    return float(max(np.abs(np.linalg.eigvals(w)).max() for w in couplings))
