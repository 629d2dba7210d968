"""Generalised EM: exact E-step, closed form or a few gradient steps for the chain, one Fisher step for the emissions."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from nkfm_glmhmm.chain import Posterior, posterior
from nkfm_glmhmm.layout import Array, Layout

log = logging.getLogger(__name__)

LEAST_PROBABILITY = 1e-12
"""Floor of first-state and transition probabilities."""


class Emission(Protocol):
    """What the states emit: `Population` or `Choice`."""

    def log_likelihood(self) -> Array:
        """Of every bin under every state, (M, S)."""
        ...

    def log_prior(self) -> float:
        """Of the parameters."""
        ...

    def step(self, gamma: Array) -> None:
        """Raise the penalised expected log-likelihood, given the posteriors."""
        ...


@dataclass(frozen=True, eq=False)
class Chain:
    """First state, transitions and their priors.

    Attributes
    ----------
    initial : ndarray, shape (S,)
    transitions : ndarray, shape (S, S)
        [from, to]; with inputs the softmax of its logarithm plus `input_weights` @ input.
    input_weights : ndarray, shape (S, U), or None
        By state of arrival.
    concentration : float
        Dirichlet parameter of first state and rows of transitions, >= 1.
    stickiness : float
        Added to the Dirichlet parameter of staying.
    input_ridge : float
        Precision of the input weights around 0.
    learn_initial : bool
    """

    initial: Array
    transitions: Array
    input_weights: Array | None = None
    concentration: float = 1.1
    stickiness: float = 0.0
    input_ridge: float = 1.0
    learn_initial: bool = True

    def matrices(self, inputs: Array | None) -> Array:
        """Transition probabilities: (S, S), or (M, S, S) into each bin when they are driven by inputs."""
        if self.input_weights is None or inputs is None:
            return self.transitions
        logits = np.log(self.transitions)[None] + (inputs @ self.input_weights.T)[:, None]  # (M, S, S)
        return np.asarray(np.exp(log_softmax(logits, axis=2)))

    def log_prior(self) -> float:
        """Log Dirichlet and Gaussian densities, up to constants."""
        more = self.concentration - 1 + self.stickiness * np.eye(len(self.initial))
        value = float((more * np.log(self.transitions)).sum())
        if self.learn_initial:
            value += float((self.concentration - 1) * np.log(self.initial).sum())
        if self.input_weights is not None:
            value -= 0.5 * self.input_ridge * float((self.input_weights**2).sum())
        return value

    def updated(self, found: Posterior, layout: Layout, inputs: Array | None) -> Chain:
        """Return the chain that maximises (with inputs: raises) the expected log-likelihood and prior."""
        new = copy.copy(self)
        first = found.gamma[layout.starts[:-1]].sum(0) + self.concentration - 1
        if self.learn_initial and first.sum() > 0:
            object.__setattr__(new, "initial", _floored(first))
        prior = self.concentration - 1 + self.stickiness * np.eye(len(self.initial))
        if self.input_weights is None or inputs is None:
            counts = found.xi_sum + prior
            empty = counts.sum(1) <= 0
            rows = np.where(empty[:, None], self.transitions, counts)
            object.__setattr__(new, "transitions", _floored(rows))
            return new
        assert found.xi is not None
        base, weights = _driven(self, found.xi[layout.inner], inputs[layout.inner], prior)
        object.__setattr__(new, "transitions", base)
        object.__setattr__(new, "input_weights", weights)
        return new


def _floored(rows: Array) -> Array:
    share = np.maximum(rows / rows.sum(-1, keepdims=True), LEAST_PROBABILITY)
    return np.asarray(share / share.sum(-1, keepdims=True))


def _driven(chain: Chain, xi: Array, inputs: Array, prior: Array) -> tuple[Array, Array]:
    """A few quasi-Newton steps on base logits and input weights; never worse than where they start."""
    assert chain.input_weights is not None
    s, u = chain.input_weights.shape
    out = xi.sum(axis=2, keepdims=True)  # (M, S, 1)

    def objective(flat: Array) -> tuple[float, Array]:
        base, weights = flat[: s * s].reshape(s, s), flat[s * s :].reshape(s, u)
        log_base = log_softmax(base, axis=1)
        log_a = log_softmax(log_base[None] + (inputs @ weights.T)[:, None], axis=2)
        value = (xi * log_a).sum() + (prior * log_base).sum() - 0.5 * chain.input_ridge * (weights**2).sum()
        error = xi - out * np.exp(log_a)  # (M, S, S)
        to_base = error.sum(0) + prior
        to_base = to_base - np.exp(log_base) * to_base.sum(1, keepdims=True)
        to_weights = error.sum(1).T @ inputs - chain.input_ridge * weights
        return -float(value), -np.concatenate([to_base.ravel(), to_weights.ravel()])

    start = np.concatenate([np.log(chain.transitions).ravel(), chain.input_weights.ravel()])
    done = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 15})
    best = done.x if done.fun <= objective(start)[0] else start
    base = np.exp(log_softmax(best[: s * s].reshape(s, s), axis=1))
    return _floored(base), best[s * s :].reshape(s, u)


@dataclass(eq=False)
class Run:
    """One run of EM, and where it stands.

    Attributes
    ----------
    emission : Emission
    chain : Chain
    layout : Layout
    inputs : ndarray or None
    trace : list of float
        Penalised log-likelihood (evidence plus log priors) before each iteration, nats.
    """

    emission: Emission
    chain: Chain
    layout: Layout
    inputs: Array | None = None
    trace: list[float] = field(default_factory=list)

    def e_step(self) -> Posterior:
        """Posteriors under the current parameters."""
        return posterior(
            self.emission.log_likelihood(), self.layout, self.chain.initial, self.chain.matrices(self.inputs)
        )

    def iterate(
        self, n_iter: int, tolerance: float = 0.0, watch: Callable[[int, Posterior], None] | None = None
    ) -> Posterior:
        """Run up to `n_iter` iterations, and fewer once one gains less than `tolerance` nats a bin."""
        found = self.e_step()
        for step in range(n_iter):
            self.trace.append(self._objective(found))
            if watch is not None:
                watch(step, found)
            if len(self.trace) > 1 and step > 1:
                gain = (self.trace[-1] - self.trace[-2]) / self.layout.n_bins
                if gain < tolerance:
                    break
            self.emission.step(found.gamma)
            self.chain = self.chain.updated(found, self.layout, self.inputs)
            found = self.e_step()
        self.trace.append(self._objective(found))
        return found

    def _objective(self, found: Posterior) -> float:
        return float(found.evidence.sum()) + self.emission.log_prior() + self.chain.log_prior()
