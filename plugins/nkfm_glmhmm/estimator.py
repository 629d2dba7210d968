"""The switching GLM over plain arrays, in the manner of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from neurokit_fm.errors import DataError
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.fit import fit, resume
from nkfm_glmhmm.layout import Array, Index
from nkfm_glmhmm.paths import viterbi


class SwitchingGlm(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Hidden states of a multivariate sequence, each with its own GLM on the sequence's past.

    Parameters
    ----------
    n_states : int
    family, link, n_lags, n_bases, prior, ridge, stickiness, max_iter, tol :
        As in `GlmHmmConfig` (`tol` is its `tolerance`).
    basis : str or ndarray, shape (H, B)
        Name of a basis of the history, or your own: row k multiplies lag k + 1.
    restarts : int
        Starts; the best by training evidence is kept.
    random_state : int

    Attributes
    ----------
    parameters_ : Parameters
    transitions_ : ndarray, shape (S, S)
    coef_ : ndarray, shape (S, N, F)
        [state, target, covariate].
    intercept_ : ndarray, shape (S, N)
    n_iter_ : int

    Notes
    -----
    Rows are bins in order. `fit(X)` models each column by the past of all; `fit(X, y)` models `y` by the covariates `X`
    (set ``basis="none"``; a behavioural GLM-HMM has ``family="bernoulli"`` or ``"categorical"``). `lengths` says how long
    each trial is; nothing crosses a trial's start. The default family is Gaussian: set ``family="poisson"`` for counts.
    """

    def __init__(
        self,
        n_states: int = 2,
        *,
        family: str = "gaussian",
        link: str = "",
        basis: str | Array = "exponential",
        n_lags: int = 5,
        n_bases: int = 3,
        prior: str = "none",
        ridge: float = 1.0,
        stickiness: float = 0.0,
        max_iter: int = 100,
        tol: float = 1e-5,
        restarts: int = 4,
        random_state: int = 0,
    ):
        self.n_states, self.family, self.link, self.basis = n_states, family, link, basis
        self.n_lags, self.n_bases, self.prior, self.ridge = n_lags, n_bases, prior, ridge
        self.stickiness, self.max_iter, self.tol = stickiness, max_iter, tol
        self.restarts, self.random_state = restarts, random_state

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None
    ) -> SwitchingGlm:
        """Fit to bins (M, F), with `y` (M,) or (M, N) as what is predicted, else `X` itself."""
        x = np.asarray(validate_data(self, X, dtype=np.float64, ensure_min_samples=2))
        self._by_covariates = y is not None and isinstance(self.basis, str) and self.basis == "none"
        self._n_classes = int(np.max(np.asarray(y))) + 1 if self.family == "categorical" and y is not None else 2
        trials = self._trials(x, y, lengths)
        self.parameters_ = fit(trials, self._config(), restarts=self.restarts, seed=int(self.random_state or 0))
        self.transitions_ = self.parameters_.chain.transitions
        self.coef_ = self.parameters_.weights[:, :-1].mT.numpy()
        self.intercept_ = self.parameters_.weights[:, -1].numpy()
        self.n_iter_ = max(1, len(self.parameters_.trace) - 1)
        return self

    def predict(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None) -> Index:
        """Most probable sequence of states, (M,)."""
        trials = self._again(X, y, lengths)
        run = resume(trials, self._config(), self.parameters_)
        return viterbi(run.emission.log_likelihood(), trials.layout, run.chain.initial, run.chain.transitions)[0]

    def predict_proba(
        self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None
    ) -> Array:
        """Posterior of the states given the whole of each trial, (M, S)."""
        return resume(self._again(X, y, lengths), self._config(), self.parameters_).e_step().gamma

    def filter(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None) -> Array:
        """Probability of the states given the trial so far, (M, S)."""
        return resume(self._again(X, y, lengths), self._config(), self.parameters_).e_step().filtered

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None, lengths: npt.ArrayLike | None = None) -> float:
        """Log-likelihood, nats per bin."""
        trials = self._again(X, y, lengths)
        return float(resume(trials, self._config(), self.parameters_).e_step().evidence.sum()) / trials.layout.n_bins

    def _again(self, X: npt.ArrayLike, y: npt.ArrayLike | None, lengths: npt.ArrayLike | None) -> Trials:
        check_is_fitted(self)
        x = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        if self._by_covariates and y is None:
            raise DataError("this model was fitted to y given X; its states need y as well")
        return self._trials(x, y if self._by_covariates else None, lengths)

    def _trials(self, X: Array, y: Any, lengths: npt.ArrayLike | None) -> Trials:
        sizes = [len(X)] if lengths is None else [int(n) for n in np.asarray(lengths).ravel()]
        if sum(sizes) != len(X):
            raise DataError(f"lengths add up to {sum(sizes)} bins; there are {len(X)}")
        cuts = np.cumsum(sizes)[:-1]
        if not self._by_covariates:
            return Trials.of(np.split(X, cuts), basis=self._config(0).kernels())
        target = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        self._covariates = X.shape[1]
        return Trials.of(np.split(target, cuts), covariates=np.split(X, cuts))

    def _config(self, covariates: int | None = None) -> GlmHmmConfig:
        own = covariates if covariates is not None else (self._covariates if self._by_covariates else 0)
        return GlmHmmConfig(
            n_states=self.n_states,
            family=self.family,  # type: ignore[arg-type]
            link=self.link,  # type: ignore[arg-type]
            basis=self.basis if isinstance(self.basis, str) else "given",  # type: ignore[arg-type]
            given_basis=() if isinstance(self.basis, str) else tuple(map(tuple, np.asarray(self.basis).T.tolist())),
            n_lags=self.n_lags,
            n_bases=self.n_bases,
            prior=self.prior,  # type: ignore[arg-type]
            ridge=self.ridge,
            stickiness=self.stickiness,
            max_iter=self.max_iter,
            tolerance=self.tol,
            n_covariates=own,
            n_classes=self._n_classes,
        )
