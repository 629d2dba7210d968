"""The population GLM of every state: likelihood of all bins, and one Fisher step on its weights.

Two passes over the bins an iteration, in blocks that fit a cache. The first, on the bins where a state is possible,
gathers gradient and Gram matrix; the second evaluates the stepped weights, which is also the next E-step: two tall matrix
products and one Gram matrix a state, nothing is computed twice. float64 throughout.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.families import Family
from nkfm_glmhmm.layout import Array
from nkfm_glmhmm.links import Link
from nkfm_glmhmm.newton import direction
from nkfm_glmhmm.priors import WeightPrior

BLOCK = 65536
"""Elements of one block of (bins, neurons): 256 kB."""

NEGLIGIBLE = 1e-8
"""Bins in which a state is less probable than this do not enter its gradient. They do enter its objective."""

INTERCEPT_PRECISION = 1e-3
"""Of the weak prior of the intercept around 0, which keeps a silent neuron's from running away."""

HALVINGS = 10

VARIANCE_COUNT, VARIANCE_SHARE = 2.0, 0.01
"""Prior of a Gaussian variance: worth so many bins, at this share of the neuron's variance; no state shrinks to a point."""


class Population:
    """Weights of S states on N neurons, with the terms of every bin under them.

    Parameters
    ----------
    trials : Trials
    family, link :
        From `families` and `links`.
    weights : Tensor, shape (S, F + 1, N), float64
        Where to start; the last row of a state is its intercept.
    prior : WeightPrior
    shared_bias : bool
        One intercept for all states.
    free : Tensor, shape (F, N), bool, or None
        False where a weight is held at 0.
    scale : Tensor, shape (S, N), or None
        Dispersion to start from.
    """

    def __init__(
        self,
        trials: Trials,
        family: Family,
        link: Link,
        weights: Tensor,
        prior: WeightPrior,
        *,
        shared_bias: bool = False,
        free: Tensor | None = None,
        scale: Tensor | None = None,
    ):
        self.family, self.link, self.prior, self.shared_bias, self.free = family, link, prior, shared_bias, free
        self.trials, self.weights = trials, weights.clone()
        self.design = torch.cat([trials.design, trials.design.new_ones(len(trials.design), 1)], 1)  # (M, F + 1)
        states, neurons, bins = len(weights), weights.shape[2], len(trials.x)
        first = family.first_scale(trials.x[torch.from_numpy(trials.seen)])
        self.scale = scale if scale is not None or first is None else first.expand(states, neurons).clone()
        self.usual = first  # (N,)
        self.sizes = weights.new_ones((states, neurons))  # step lengths that were accepted last
        self.unseen = torch.from_numpy(~trials.seen) if not trials.seen.all() else None
        self.constant = family.constant(trials.x).sum(1)  # (M,)
        self.rows = max(64, BLOCK // neurons)
        self.likelihood, self.mean = torch.empty((2, states, bins, neurons), dtype=torch.float64)
        self.totals = torch.empty((states, bins), dtype=torch.float64)
        self._evaluate()

    def log_likelihood(self) -> Array:
        """Of every bin under every state, shape (M, S), nats; 0 where a bin was not seen."""
        out = self.totals + self.constant
        if self.unseen is not None:
            out[:, self.unseen] = 0
        return out.T.numpy()

    def log_prior(self) -> float:
        """Log prior of weights and intercepts, up to a constant."""
        bias = self.weights[:1, -1] if self.shared_bias else self.weights[:, -1]
        value = self.prior.log_density(self.weights[:, :-1]) - 0.5 * INTERCEPT_PRECISION * bias.square().sum()
        if self.scale is not None and self.usual is not None and self.family.name == "gaussian":
            variance = self.scale.square()
            value = value - 0.5 * VARIANCE_COUNT * (variance.log() + VARIANCE_SHARE * self.usual**2 / variance).sum()
        return float(value)

    def step(self, gamma: Array) -> None:
        """Raise the penalised expected log-likelihood of every neuron, given the posteriors (M, S)."""
        weight = torch.from_numpy(np.ascontiguousarray(gamma.T))  # (S, M)
        if self.unseen is not None:
            weight[:, self.unseen] = 0
        move = self._direction(weight)
        before = self._objective(weight)
        start = self.weights
        size = (2 * self.sizes).clamp(max=1.0)  # (S, N)
        pending = torch.ones_like(before, dtype=torch.bool)
        for attempt in range(HALVINGS + 1):
            self.weights = start + move * size[:, None]
            self._evaluate(None if attempt == 0 else pending)
            after = self._objective(weight, pending, before)
            pending = ~(after >= before - 1e-12 * (1 + before.abs()))
            if not bool(pending.any()):
                break
            size[pending] = size[pending] * 0.4 if attempt < HALVINGS - 1 else 0.0
        self.sizes = size.clamp(min=0.01)
        if self.scale is not None:
            self._rescale(weight)
        self.prior.update(self.weights[:, :-1])

    def _evaluate(self, chosen: Tensor | None = None) -> None:
        """Fill `likelihood`, `mean` and `totals` for the current weights, of all or some (S, N) neurons."""
        for s in range(len(self.weights)):
            if chosen is None or bool(chosen[s].all()):
                self._evaluate_all(s)
            elif bool(chosen[s].any()):
                self._evaluate_some(s, chosen[s].nonzero()[:, 0])

    def _evaluate_all(self, s: int) -> None:
        """Every neuron of one state."""
        scale = None if self.scale is None else self.scale[s]
        eta = torch.empty_like(self.mean[s, : self.rows])
        for first in range(0, len(self.design), self.rows):
            part = slice(first, first + self.rows)
            x, mean, out = self.trials.x[part], self.mean[s, part], self.likelihood[s, part]
            here = torch.mm(self.design[part], self.weights[s], out=eta[: len(x)])
            self.family.likelihood(x, here, self.link, scale, mean, out)
            torch.sum(out, 1, out=self.totals[s, part])

    def _evaluate_some(self, s: int, columns: Tensor) -> None:
        """A few neurons of one state."""
        scale = None if self.scale is None else self.scale[s, columns]
        w = self.weights[s][:, columns]
        rows = max(64, BLOCK // len(columns))
        for first in range(0, len(self.design), rows):
            part = slice(first, first + rows)
            eta = self.design[part] @ w
            mean, out = torch.empty((2, *eta.shape), dtype=eta.dtype)
            self.family.likelihood(self.trials.x[part, columns], eta, self.link, scale, mean, out)
            self.totals[s, part] += (out - self.likelihood[s, part, columns]).sum(1)
            self.mean[s, part, columns], self.likelihood[s, part, columns] = mean, out

    def _direction(self, weight: Tensor) -> Tensor:
        states, width, neurons = self.weights.shape
        gradient = torch.zeros_like(self.weights)
        gram = self.weights.new_zeros((states, width, width))
        information = self.weights.new_zeros((states, neurons))
        one = self.weights.new_ones(neurons)
        for s in range(states):
            scale = None if self.scale is None else self.scale[s]
            for design, x, mean, own in self._probable(s, weight[s]):
                slope, ratio = self.family.sensitivity(mean, self.link, scale)
                ratio *= own[:, None]
                gradient[s].addmm_(design.T, (x - mean).mul_(ratio))
                ratio *= slope
                information[s] += ratio.sum(0)
                gram[s].addmm_(design.T, design * (ratio @ one)[:, None])
        mean_information = information.mean(1, keepdim=True).clamp(min=1e-30)
        gradient[:, :-1] += self.prior.gradient(self.weights[:, :-1])
        gradient[:, -1] -= INTERCEPT_PRECISION * self.weights[:, -1] / (states if self.shared_bias else 1)
        precision = INTERCEPT_PRECISION / (states if self.shared_bias else 1)
        return direction(
            gram / neurons,
            information / mean_information,
            gradient,
            self.prior.precision,
            precision,
            self.free,
            self.shared_bias,
        )

    def _probable(self, s: int, weight: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Design, observations, means and weights of the bins where a state is possible, a block at a time."""
        keep = (weight > NEGLIGIBLE).nonzero()[:, 0]
        every = len(keep) > 0.8 * len(weight)  # picking rows costs more than it saves
        for first in range(0, len(weight) if every else len(keep), self.rows):
            part = slice(first, first + self.rows)
            whole = self.design, self.trials.x, self.mean[s], weight
            yield tuple(a[part] if every else a.index_select(0, keep[part]) for a in whole)  # type: ignore[misc]

    def _objective(self, weight: Tensor, chosen: Tensor | None = None, known: Tensor | None = None) -> Tensor:
        """Penalised expected log-likelihood of each state and neuron (S, N); shared over states with a shared bias."""
        value = torch.bmm(weight[:, None], self.likelihood)[:, 0]  # (S, N)
        value = value - self.prior.penalty(self.weights[:, :-1])
        bias = 0.5 * INTERCEPT_PRECISION * self.weights[:, -1].square()
        value = value - bias / (len(bias) if self.shared_bias else 1)
        return value.sum(0, keepdim=True).expand_as(value).clone() if self.shared_bias else value

    def _rescale(self, weight: Tensor) -> None:
        """Improve the dispersion of every state and neuron, given the weights."""
        assert self.scale is not None
        if self.family.name == "gaussian":
            assert self.usual is not None
            squares = torch.stack(
                [w @ (self.trials.x - mean).square() for w, mean in zip(weight, self.mean, strict=True)]
            )
            squares += VARIANCE_COUNT * VARIANCE_SHARE * self.usual.square()
            self.scale = (squares / (weight.sum(1)[:, None] + VARIANCE_COUNT)).sqrt()
            self._evaluate()
            return
        best, value = self.scale, self._objective(weight)
        for factor in (0.7, 1.4):
            self.scale = (best * factor).clamp(1e-3, 1e5)
            self._evaluate()
            now = self._objective(weight)
            better = now > value
            best, value = torch.where(better, self.scale, best), torch.where(better, now, value)
        self.scale = best
        self._evaluate()
