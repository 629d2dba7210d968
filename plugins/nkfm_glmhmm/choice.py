"""A choice among C classes, driven by covariates: the behavioural GLM-HMM."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.layout import Array
from nkfm_glmhmm.population import HALVINGS, INTERCEPT_PRECISION
from nkfm_glmhmm.priors import WeightPrior


def class_log_probabilities(weights: Tensor, design: Tensor) -> Tensor:
    """Log-probability of every class in every bin.

    Parameters
    ----------
    weights : Tensor, shape (S, F, C - 1), float64
        Logits of all classes but the last, whose logit is 0 (Ashwood et al. 2022).
    design : Tensor, shape (M, F), float64

    Returns
    -------
    Tensor, shape (S, M, C)
    """
    logits = design @ weights  # (S, M, C - 1)
    return torch.cat([logits, torch.zeros_like(logits[..., :1])], -1).log_softmax(-1)


class Choice:
    """Weights of S policies; each step is a damped Newton step with the exact Hessian.

    Parameters
    ----------
    trials : Trials
        `x` (M, 1) holds classes 0 .. C - 1.
    weights : Tensor, shape (S, F + 1, C - 1), float64
        The last row of a state is its intercept.
    prior : WeightPrior
    """

    def __init__(self, trials: Trials, weights: Tensor, prior: WeightPrior):
        self.trials, self.weights, self.prior = trials, weights.clone(), prior
        self.design = torch.cat([trials.design, trials.design.new_ones(len(trials.design), 1)], 1)  # (M, F + 1)
        self.chosen = trials.x[:, 0].long()
        self.one_hot = torch.nn.functional.one_hot(self.chosen, weights.shape[2] + 1)[:, :-1].double()  # (M, C - 1)
        self.seen = torch.from_numpy(trials.seen)
        self._evaluate()

    def log_likelihood(self) -> Array:
        """Of every bin under every state, (M, S), nats; 0 where a bin was not seen."""
        value = self.log_p.gather(2, self.chosen.expand(len(self.weights), -1)[..., None])[..., 0]  # (S, M)
        return np.ascontiguousarray((value * self.seen).T.numpy())

    def log_prior(self) -> float:
        """Log prior of the weights, up to a constant."""
        bias = self.weights[:, -1].square().sum()
        return float(self.prior.log_density(self.weights[:, :-1]) - 0.5 * INTERCEPT_PRECISION * bias)

    def step(self, gamma: Array) -> None:
        """Raise the penalised expected log-likelihood of every state."""
        weight = torch.from_numpy(np.ascontiguousarray(gamma.T)) * self.seen  # (S, M)
        move = torch.stack([self._newton(s, w) for s, w in enumerate(weight)])
        start, before = self.weights, self._objective(weight)
        size = torch.ones_like(before)  # (S,)
        for attempt in range(HALVINGS + 1):
            self.weights = start + move * size[:, None, None]
            self._evaluate()
            worse = ~(self._objective(weight) >= before - 1e-12 * (1 + before.abs()))
            if not bool(worse.any()):
                break
            size[worse] = size[worse] * 0.4 if attempt < HALVINGS - 1 else 0.0
        self.prior.update(self.weights[:, :-1])

    def _evaluate(self) -> None:
        self.log_p = class_log_probabilities(self.weights, self.design)

    def _objective(self, weight: Tensor) -> Tensor:
        likelihood = self.log_p.gather(2, self.chosen.expand(len(weight), -1)[..., None])[..., 0]
        bias = 0.5 * INTERCEPT_PRECISION * self.weights[:, -1].square().sum(1)
        return (weight * likelihood).sum(1) - self.prior.penalty(self.weights[:, :-1]).sum(1) - bias

    def _newton(self, s: int, weight: Tensor) -> Tensor:
        p = self.log_p[s, :, :-1].exp()  # (M, C - 1)
        features, classes = self.weights.shape[1:]
        gradient = self.design.T @ ((self.one_hot - p) * weight[:, None])  # (F + 1, C - 1)
        gradient[:-1] += self.prior.gradient(self.weights[:, :-1])[s]
        gradient[-1] -= INTERCEPT_PRECISION * self.weights[s, -1]
        curve = torch.diag_embed(p) - p[:, :, None] * p[:, None]  # (M, C - 1, C - 1)
        hessian = torch.einsum("tf,tcd,tg->fcgd", self.design, curve * weight[:, None, None], self.design)
        precision = self.prior.precision.expand_as(self.weights[:, :-1])[s]
        own = torch.cat([precision, precision.new_full((1, classes), INTERCEPT_PRECISION)]).flatten()
        matrix = hessian.reshape(features * classes, features * classes)
        matrix = matrix + torch.diag(own + 1e-10 * (1 + matrix.diagonal().amax()))
        factor = torch.linalg.cholesky_ex(matrix)[0]
        return torch.cholesky_solve(gradient.reshape(-1, 1), factor).reshape(features, classes)
