"""Fitting: a plain GLM, several short switching fits from it, the best one to the end, then the learned priors.

The published demonstration trains every model from one cold start. Several starts matter more than the prior, and a prior
that starts from a fitted model needs few iterations.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurokit_fm.errors import DataError
from nkfm_glmhmm.chain import Posterior
from nkfm_glmhmm.choice import Choice
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.em import Chain, Run
from nkfm_glmhmm.families import FAMILIES
from nkfm_glmhmm.layout import Array
from nkfm_glmhmm.links import link
from nkfm_glmhmm.population import Population
from nkfm_glmhmm.priors import GaussianPrior, OneHotPrior, Ridge, WeightPrior

log = logging.getLogger(__name__)

SHORT = 15
"""Iterations of each start before the best is chosen."""

NOISE = 0.3
"""Standard deviation of a start's weights around the GLM's, relative to that of the GLM's own."""

STAY = 0.975
"""Probability of staying in a state at the start."""

ANNEALING = (3.0, 2.0, 1.0)
"""Multiples of `absent_sd` through which the one-hot prior goes, so that early classes do not freeze."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters:
    """A fitted model.

    Attributes
    ----------
    weights : Tensor, shape (S, F + 1, N), float64
        Features by targets; the last row is the intercept.
    scale : Tensor, shape (S, N), or None
        Dispersion (Gaussian: standard deviation; negative binomial: r).
    chain : Chain
    table : Tensor, shape (K, N, 3), or None
        One-hot prior: global class probabilities of [source, target].
    classes : Tensor, shape (S, K, N, 3), or None
        The same in each state.
    trace : tuple of float
        Penalised log-likelihood of the last stage, an iteration each, nats.
    starts : tuple of float
        Training log-likelihood of each start after its short run, nats a bin.
    """

    weights: Tensor
    chain: Chain
    scale: Tensor | None = None
    table: Tensor | None = None
    classes: Tensor | None = None
    trace: tuple[float, ...] = field(default=())
    starts: tuple[float, ...] = field(default=())


def fit(
    trials: Trials,
    config: GlmHmmConfig,
    *,
    restarts: int = 8,
    seed: int = 0,
    mask: npt.NDArray[np.bool_] | None = None,
    shares: Array | None = None,
    n_jobs: int = 1,
    watch: Callable[[str, int], None] | None = None,
) -> Parameters:
    """Fit a model to trials.

    Parameters
    ----------
    trials : Trials
    config : GlmHmmConfig
    restarts : int
        Starts of the switching model; the best by training evidence is kept.
    seed : int
    mask : ndarray, shape (N, N), bool, optional
        [target, source]: False where no connection can be.
    shares : ndarray, shape (N, N, 3), optional
        [target, source]: expected shares of inhibitory, absent, excitatory for the one-hot prior, instead of the config's.
    n_jobs : int
        Starts that run at the same time, in threads.
    watch : callable, optional
        Told the stage and the start that begins.

    Raises
    ------
    DataError
        If the observations are not of the family.
    """
    check(trials, config)
    free = _free(trials, config, mask)
    single = _one_state(trials, config, free)
    told = watch or (lambda stage, number: None)
    starts: tuple[float, ...] = ()
    run = single
    if config.n_states > 1:

        def begin(number: int) -> tuple[Run, float]:
            told("start", number)
            rng = np.random.default_rng([seed, number])
            one = _start(trials, config, single, free, rng)
            found = one.iterate(min(SHORT, config.max_iter))
            return one, float(found.evidence.sum()) / trials.layout.n_bins

        with ThreadPoolExecutor(max(1, n_jobs)) as pool:
            runs = list(pool.map(begin, range(max(1, restarts))))
        run = max(runs, key=lambda item: item[1])[0]
        starts = tuple(value for _, value in runs)
        log.info("starts: %s nats a bin", ", ".join(f"{v:.4f}" for v in starts))
    told("finish", 0)
    found = run.iterate(config.max_iter, config.tolerance)
    if config.prior != "none":
        run, found = _with_prior(run, trials, config, free, shares)
    _warn_empty(found)
    prior = run.emission.prior if isinstance(run.emission, Population | Choice) else None
    one_hot = prior if isinstance(prior, OneHotPrior) else None
    return Parameters(
        weights=run.emission.weights,  # type: ignore[attr-defined]
        scale=getattr(run.emission, "scale", None),
        chain=run.chain,
        table=None if one_hot is None else one_hot.table,
        classes=None if one_hot is None else one_hot.classes,
        trace=tuple(run.trace),
        starts=starts,
    )


def resume(trials: Trials, config: GlmHmmConfig, parameters: Parameters) -> Run:
    """Put fitted parameters on other trials: a run whose E-step and evidence are those of the model."""
    emission = _emission(trials, config, parameters.weights, Ridge(config.ridge), None, parameters.scale)
    return Run(emission, parameters.chain, trials.layout, trials.inputs)


def check(trials: Trials, config: GlmHmmConfig) -> None:
    """Raise unless the observations are of the config's family and the covariates as many as it says."""
    problems = []
    neurons = trials.x.shape[1]
    wanted = config.n_features(neurons)
    if trials.design.shape[1] != wanted:
        problems.append(f"{trials.design.shape[1]} covariates, the model has {wanted}; check n_covariates")
    if (0 if trials.inputs is None else trials.inputs.shape[1]) != config.n_inputs:
        got = 0 if trials.inputs is None else trials.inputs.shape[1]
        problems.append(f"the transitions take {config.n_inputs} inputs; got {got}")
    if not trials.seen.any():
        problems.append("no bin was observed")
    if config.family == "categorical":
        x = trials.x
        if neurons != 1 or bool(((x < 0) | (x >= config.n_classes) | (x != x.round())).any()):
            problems.append(f"choices must be one column of classes 0 to {config.n_classes - 1}")
    else:
        wrong = FAMILIES[config.family].wrong(trials.x)
        problems += [f"{wrong} for the {config.family} family"] if wrong else []
    if problems:
        raise DataError("these trials cannot be fitted: " + "; ".join(problems))


def _emission(
    trials: Trials, config: GlmHmmConfig, weights: Tensor, prior: WeightPrior, free: Tensor | None, scale: Tensor | None
) -> Population | Choice:
    if config.family == "categorical":
        return Choice(trials, weights, prior)
    return Population(
        trials,
        FAMILIES[config.family],
        link(config.link_name),
        weights,
        prior,
        shared_bias=config.shared_bias,
        free=free,
        scale=scale,
    )


def _free(trials: Trials, config: GlmHmmConfig, mask: npt.NDArray[np.bool_] | None) -> Tensor | None:
    """Which weights may differ from 0, (F, N), or None if all."""
    kernels, neurons = config.kernels(), trials.x.shape[1]
    if kernels is None or (mask is None and config.self_coupling):
        return None
    allowed = np.ones((neurons, neurons), dtype=bool) if mask is None else np.asarray(mask, dtype=bool).copy()
    if not config.self_coupling:
        np.fill_diagonal(allowed, False)
    couplings = np.repeat(allowed.T, kernels.shape[1], axis=0)  # (N * B, N), [source, target]
    return torch.from_numpy(np.concatenate([couplings, np.ones((config.n_covariates, neurons), dtype=bool)]))


def _one_state(trials: Trials, config: GlmHmmConfig, free: Tensor | None) -> Run:
    targets = config.n_classes - 1 if config.family == "categorical" else trials.x.shape[1]
    weights = torch.zeros((1, trials.design.shape[1] + 1, targets), dtype=torch.float64)
    seen = torch.from_numpy(trials.seen)
    if config.family != "categorical":
        mean = trials.x[seen].mean(0).clamp(min=1e-3) if config.family != "gaussian" else trials.x[seen].mean(0)
        weights[0, -1] = _predictor(mean, config.link_name)
    one = Chain(np.ones(1), np.ones((1, 1)), concentration=1.0, learn_initial=False)
    emission = _emission(trials, config, weights, Ridge(config.ridge), free, None)
    run = Run(emission, one, trials.layout)
    run.iterate(2 * SHORT if config.n_states > 1 else 0, config.tolerance)
    return run


def _predictor(mean: Tensor, name: str) -> Tensor:
    """Linear predictor of a mean (N,): the inverse of the link."""
    if name == "linear":
        return mean
    if name == "sigmoid":
        return torch.logit(mean.clamp(1e-3, 0.95))
    mean = mean.clamp(min=1e-3)
    return mean.log() if name == "exp" else mean + torch.log(-torch.expm1(-mean))


def _start(trials: Trials, config: GlmHmmConfig, single: Run, free: Tensor | None, rng: np.random.Generator) -> Run:
    """A switching model near the GLM: its weights with noise, states that last."""
    s, u = config.n_states, config.n_inputs
    weights = single.emission.weights.repeat(s, 1, 1)  # type: ignore[attr-defined]
    noise = torch.from_numpy(rng.standard_normal(weights.shape))
    own = NOISE * float(weights[0, :-1].std(correction=0)) if weights.shape[1] > 1 else 0.0
    if config.family == "categorical" or trials.x.shape[1] == 1:
        own = max(own, 0.2 / max(1e-6, float(trials.design.std(correction=0)) if trials.design.numel() else 1.0))
    noise[:, :-1] *= own
    of_bias = float(trials.x.std(correction=0)) if config.family == "gaussian" else 1.0
    noise[:, -1] *= 0 if config.shared_bias else NOISE * of_bias * (0.3 if weights.shape[1] > 1 else 1.0)
    if free is not None:
        noise[:, :-1] *= free
    transitions = np.full((s, s), (1 - STAY) / (s - 1))
    np.fill_diagonal(transitions, STAY)
    chain = Chain(
        np.full(s, 1 / s),
        transitions,
        input_weights=np.zeros((s, u)) if u else None,
        concentration=config.concentration,
        stickiness=config.stickiness,
        learn_initial=config.learn_initial,
    )
    scale = getattr(single.emission, "scale", None)
    scale = None if scale is None else scale.repeat(s, 1)
    emission = _emission(trials, config, weights + noise, Ridge(config.ridge), free, scale)
    return Run(emission, chain, trials.layout, trials.inputs)


def _with_prior(
    run: Run, trials: Trials, config: GlmHmmConfig, free: Tensor | None, shares: Array | None
) -> tuple[Run, Posterior]:
    """Go on from a fitted model under a learned prior."""
    emission = run.emission
    assert isinstance(emission, Population | Choice)
    gaussian = GaussianPrior(emission.weights[:, :-1], config.state_sd, config.ridge)
    emission.prior, run.trace = gaussian, []
    found = run.iterate(config.max_iter if config.prior == "gaussian" else 3, config.tolerance)
    if config.prior == "gaussian":
        return run, found
    kernels, neurons = config.kernels(), trials.x.shape[1]
    assert kernels is not None
    given = np.asarray(config.class_shares) if shares is None else np.asarray(shares, dtype=float).swapaxes(0, 1)
    usual = torch.from_numpy(np.array(np.broadcast_to(given, (neurons, neurons, 3))))
    usual = (usual / usual.sum(-1, keepdim=True)).clamp(min=1e-3)
    widest = ANNEALING[0] * config.absent_sd
    prior = OneHotPrior(emission.weights[:, :-1], kernels.shape[1], usual, config.class_weight, widest, config.ridge)
    emission.prior = prior
    for multiple in ANNEALING:
        prior.sharpen(multiple * config.absent_sd, emission.weights[:, :-1])
        run.trace = []
        found = run.iterate(config.max_iter if multiple == ANNEALING[-1] else 4, config.tolerance)
    return run, found


def _warn_empty(found: Posterior) -> None:
    mass = found.gamma.sum(0)
    empty = np.flatnonzero(mass < 1)
    if len(empty):
        warnings.warn(
            f"{len(empty)} of {len(mass)} states are visited in less than one bin; fewer states describe these data as well",
            stacklevel=3,
        )
