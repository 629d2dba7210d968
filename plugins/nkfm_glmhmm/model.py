"""GlmHmm: the switching GLM as a model among models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurokit_fm import Batch, Features, Graph, Loss, Model, PointsContract, Recording, SeriesContract
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.errors import ConfigError, DataError
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.em import Chain
from nkfm_glmhmm.fit import STAY, Parameters, fit, resume
from nkfm_glmhmm.layout import Array, Index
from nkfm_glmhmm.paths import viterbi
from nkfm_glmhmm.recordings import batch_trials, bin_width, trials_of
from nkfm_glmhmm.sampling import sample
from nkfm_glmhmm.scoring import bits_per_spike, constant_rate, evidence_per_bin
from nkfm_glmhmm.structure import mask_of, shares_of


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """Hidden states of a recording.

    Attributes
    ----------
    times : ndarray, shape (M,), float64, seconds
        Start of each bin.
    bin_s : float, seconds
    posterior : ndarray, shape (M, S), float64
    path : ndarray, shape (M,), int64
        Most probable sequence.
    starts : ndarray, shape (R + 1,), int64
        First bin of each unbroken stretch, and M.
    evidence : float
        Log-likelihood, nats per bin.
    """

    times: npt.NDArray[np.float64]
    bin_s: float
    posterior: npt.NDArray[np.float64]
    path: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    evidence: float


class GlmHmm(Model):
    """GLM of a population, or of choices, whose weights switch with a hidden Markov state.

    Parameters
    ----------
    config : GlmHmmConfig
    contract : PointsContract or SeriesContract
        Names the neurons once the model is fitted; with names, an unfitted model has room for its weights.

    Notes
    -----
    Source: arXiv:2310.15263 (HMM-GLM with Gaussian and one-hot priors); behavioural models after Ashwood et al. (2022),
    doi 10.1038/s41593-021-01007-z. Deviations, each with its reason in the module named: whole-batch generalised EM
    instead of per-trial gradient steps (`population`), transitions and first state in closed form over all trials (`em`),
    the one-hot prior summed over its classes instead of Gumbel-softmax noise (`priors`).
    """

    name = "glm-hmm"
    config_class = GlmHmmConfig
    accepts = (PointStream, SeriesStream)
    example = GlmHmmConfig(n_states=2, max_iter=5)
    example_contract = PointsContract(channels=("unit001", "unit002", "unit003"))
    order_aware = True  # weights belong to named neurons

    def __init__(self, config: GlmHmmConfig, contract: PointsContract | SeriesContract):
        super().__init__(config, contract)
        if not isinstance(contract, PointsContract | SeriesContract):
            raise ConfigError(f"glm-hmm takes events or sampled signals; got a {contract.layout} contract")
        self.trace: tuple[float, ...] = ()
        if contract.channels:
            self._make_room(len(contract.channels))

    weights: Tensor
    initial: Tensor
    transitions: Tensor
    input_weights: Tensor

    def _make_room(self, neurons: int) -> None:
        c = self.config
        s, targets = c.n_states, c.n_classes - 1 if c.family == "categorical" else neurons
        leave = (1 - STAY) / max(1, s - 1)
        stay = torch.eye(s, dtype=torch.float64)
        tensors = {
            "weights": torch.zeros((s, c.n_features(neurons) + 1, targets), dtype=torch.float64),
            "initial": torch.full((s,), 1 / s, dtype=torch.float64),
            "transitions": stay * (STAY - leave) + leave if s > 1 else stay,
        }
        if c.n_inputs:
            tensors["input_weights"] = torch.zeros((s, c.n_inputs), dtype=torch.float64)
        if c.family in ("gaussian", "negative-binomial"):
            tensors["scale"] = torch.ones((s, targets), dtype=torch.float64)
        if c.prior == "one-hot":
            tensors["table"] = torch.full((neurons, neurons, 3), 1 / 3, dtype=torch.float64)
            tensors["classes"] = torch.full((s, neurons, neurons, 3), 1 / 3, dtype=torch.float64)
        for name, value in tensors.items():
            setattr(self, name, nn.Parameter(value, requires_grad=False))

    def fit(
        self,
        recordings: Sequence[Recording],
        *,
        restarts: int = 8,
        seed: int = 0,
        graph: Graph | None = None,
        graph_as: Literal["prior", "mask"] = "prior",
        n_jobs: int = 1,
    ) -> GlmHmm:
        """Fit to recordings by EM; replaces what was fitted before.

        Parameters
        ----------
        recordings : sequence of Recording
            Every unbroken stretch is a trial.
        restarts, seed : int
        graph : Graph, optional
            Known wiring, matched by name.
        graph_as : {"prior", "mask"}
            Expected presence of connections for the one-hot prior, or the only places where any may be.
        n_jobs : int
            Starts at the same time.

        Raises
        ------
        ContractError, DataError
            If a recording does not fit.
        ConfigError
            If a graph is given as a prior to a model without the one-hot prior.
        """
        if not recordings:
            raise DataError("cannot fit to no recordings")
        if not self.contract.channels:
            first = self.contract.apply(recordings[0])
            names = next(iter(first.signals.values())).channels.name
            self.contract: Any = replace(self.contract, channels=names)
        names = self.contract.channels
        if graph is not None and graph_as == "prior" and self.config.prior != "one-hot":
            raise ConfigError("a graph as a prior needs prior='one-hot'; as a mask it goes with every prior")
        trials, _ = trials_of(recordings, self.contract, self.config)
        fitted = fit(
            trials,
            self.config,
            restarts=restarts,
            seed=seed,
            n_jobs=n_jobs,
            mask=mask_of(graph, names) if graph is not None and graph_as == "mask" else None,
            shares=shares_of(graph, names, self.config.class_shares)
            if graph is not None and graph_as == "prior"
            else None,
        )
        self._make_room(len(names))
        self._put(fitted)
        return self

    @property
    def fitted(self) -> Parameters:
        """Everything that was learned, in float64.

        Raises
        ------
        ConfigError
            If the model was neither fitted nor loaded.
        """
        if "weights" not in dict(self.named_parameters()):
            raise ConfigError("this glm-hmm has not been fitted; call fit(recordings) first")
        chain = Chain(
            _array(self.initial),
            _array(self.transitions),
            input_weights=_array(self.input_weights) if self.config.n_inputs else None,
            concentration=self.config.concentration,
            stickiness=self.config.stickiness,
            learn_initial=self.config.learn_initial,
        )
        own = {n: p.detach().double().cpu() for n, p in self.named_parameters()}
        return Parameters(
            weights=own["weights"],
            chain=chain,
            scale=own.get("scale"),
            table=own.get("table"),
            classes=own.get("classes"),
            trace=self.trace,
        )

    def couplings(self) -> Array:
        """Total effect of one event of a source on a target's predictor, (S, N, N) [state, target, source]."""
        kernels = self.config.kernels()
        weights = self.fitted.weights.numpy()
        if kernels is None:
            raise ConfigError("a model without a history basis has no couplings")
        area, neurons = kernels.sum(0), weights.shape[2]
        each = weights[:, : neurons * len(area)].reshape(len(weights), neurons, len(area), neurons)
        return np.asarray(np.einsum("smbn,b->snm", each, area))

    def forward(self, batch: Batch) -> Features:
        """Posterior of the states in every bin, as one token a bin, width S; ``"pooled"`` is the mean occupancy."""
        trials, lengths = batch_trials(batch, self.contract, self.config)
        gamma = resume(trials, self.config, self.fitted).e_step().gamma
        longest, width = int(lengths.max()), bin_width(self.contract)
        mask = torch.arange(longest)[None] < torch.from_numpy(lengths)[:, None]  # (B, T)
        tokens = torch.zeros((len(lengths), longest, self.config.n_states))
        tokens[mask] = torch.from_numpy(gamma).float()
        coords = torch.full((len(lengths), longest, 4), torch.nan)
        coords[..., 3] = width * (torch.arange(longest) + (0.5 if isinstance(self.contract, PointsContract) else 0.0))
        index = torch.zeros((len(lengths), longest, 2), dtype=torch.int64)
        index[..., 1] = torch.arange(longest)
        home = self.weights.device
        return Features(tokens=tokens.to(home), mask=mask.to(home), coords=coords.to(home), index=index.to(home))

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Negative log evidence, nats per bin; exact, so the generator is not used."""
        trials, _ = batch_trials(batch, self.contract, self.config)
        total = torch.tensor(-evidence_per_bin(trials, self.config, self.fitted))
        return Loss(total, {"negative_log_evidence": total})

    def states(self, recording: Recording) -> States:
        """Posterior and most probable path over a recording."""
        trials, times = trials_of([recording], self.contract, self.config)
        run = resume(trials, self.config, self.fitted)
        found = run.e_step()
        chain = run.chain
        path, _ = viterbi(run.emission.log_likelihood(), trials.layout, chain.initial, chain.matrices(trials.inputs))
        return States(
            times=np.concatenate(times),
            bin_s=bin_width(self.contract),
            posterior=found.gamma,
            path=path,
            starts=trials.layout.starts,
            evidence=float(found.evidence.sum()) / max(1, int(trials.seen.sum())),
        )

    def score(self, recordings: Sequence[Recording]) -> float:
        """Log-likelihood of recordings, nats per bin."""
        trials, _ = trials_of(recordings, self.contract, self.config)
        return evidence_per_bin(trials, self.config, self.fitted)

    def bits_per_spike(self, recordings: Sequence[Recording], train: Sequence[Recording]) -> float:
        """Gain of the log-likelihood over constant rates, those of `train`, in bits per spike."""
        trials, _ = trials_of(recordings, self.contract, self.config)
        rates, _ = trials_of(train, self.contract, self.config)
        return bits_per_spike(evidence_per_bin(trials, self.config, self.fitted), constant_rate(rates, trials), trials)

    def sample(self, n_bins: int, *, seed: int = 0) -> tuple[Array, Index]:
        """Draw observations (n_bins, N) and states (n_bins,) of one trial, for models without covariates."""
        if self.config.n_covariates or self.config.n_inputs:
            raise ConfigError("this model has covariates; draw with nkfm_glmhmm.sampling.sample, which takes them")
        return sample(self.fitted, self.config, n_bins, np.random.default_rng(seed))

    def trials(self, recordings: Sequence[Recording]) -> Trials:
        """Trials of recordings as the model sees them, for `select_states` and the like."""
        return trials_of(recordings, self.contract, self.config)[0]

    def _put(self, fitted: Parameters) -> None:
        values = {
            "weights": fitted.weights,
            "initial": torch.from_numpy(fitted.chain.initial),
            "transitions": torch.from_numpy(fitted.chain.transitions),
            "input_weights": None
            if fitted.chain.input_weights is None
            else torch.from_numpy(fitted.chain.input_weights),
            "scale": fitted.scale,
            "table": fitted.table,
            "classes": fitted.classes,
        }
        for name, parameter in self.named_parameters():
            if name in values and values[name] is not None:
                parameter.copy_(values[name].reshape(parameter.shape))  # type: ignore[union-attr]
        self.trace = fitted.trace


def _array(value: Tensor) -> Array:
    return np.asarray(value.detach().double().cpu().numpy())
