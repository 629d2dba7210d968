"""What plain methods reach on the same trials: the numbers a model has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.dataset import Dataset
from neurokit_fm.evaluation.outcome import Prediction
from neurokit_fm.evaluation.report import Score
from neurokit_fm.probing.classify import Head, fit_predict
from neurokit_fm.probing.methods import Frozen, Memo, Method, scored
from neurokit_fm.probing.trials import Trials, raw_trials

BANDS_HZ = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))
"""Delta, theta, alpha, beta and low gamma."""

Array = npt.NDArray[np.float64]


def _raw(known: Array, new: Array, sfreq: float) -> tuple[Array, Array]:
    return time_bins(known), time_bins(new)


def _power(known: Array, new: Array, sfreq: float) -> tuple[Array, Array]:
    return log_band_power(known, sfreq), log_band_power(new, sfreq)


def _tangent(known: Array, new: Array, sfreq: float) -> tuple[Array, Array]:
    return tangent_space(known, new)


PLAIN: dict[str, tuple[Head, Callable[[Array, Array, float], tuple[Array, Array]]]] = {
    "raw trial, shrinkage LDA": ("lda", _raw),
    "log band power, shrinkage LDA": ("lda", _power),
    "covariance tangent space, logistic": ("logistic", _tangent),
}
"""Head and features of each plain method; a head that only tells classes apart gives way to ridge for other targets."""


def plain_methods(modality: str = "eeg") -> list[Method]:
    """Every plain method: discriminant analysis of raw trials and of band power, and the tangent space of covariances.

    Shrinkage discriminant analysis of the raw trial (all samples of all channels; of short means where that is more than
    2000 values); the same of log band power; logistic regression in the tangent space of the channel covariances.
    """
    known = Memo(lambda dataset: raw_trials(dataset, modality))
    return [_plain(name, known, head, features) for name, (head, features) in PLAIN.items()]


def _plain(
    name: str, known: Memo, head: Head, features: Callable[[Array, Array, float], tuple[Array, Array]]
) -> Method:
    def predict(train: Trials, test: Trials, seed: int) -> tuple[Prediction, str]:
        x, x_test = features(train.x.astype(np.float64), test.x.astype(np.float64), train.sfreq)  # (N, D), (M, D)
        use: Head = head if train.kind == "classes" else "ridge"
        said, words = fit_predict(use, x, train.y, train.inner_groups, x_test, seed, train.kind)
        return said, f"{x.shape[1]} values, {'' if use == head else 'ridge, '}{words}"

    return Frozen(name, known, predict)


def baselines(train: Dataset, test: Dataset, *, modality: str = "eeg", seed: int = 0) -> list[Score]:
    """Score the plain methods on labelled trials, see `plain_methods`.

    Parameters
    ----------
    train, test : Dataset
        With `label_of` or a `target`; all trials of one length, rate and choice of channels.
    modality : str
    seed : int

    Returns
    -------
    list of Score

    Raises
    ------
    DataError
        If there is no labelled trial, or trials differ in shape.
    """
    known, new = raw_trials(train, modality), raw_trials(test, modality)
    return [scored(method, known, new, seed) for method in plain_methods(modality) if isinstance(method, Frozen)]


def time_bins(x: Array, most: int = 2000) -> Array:
    """All samples of a trial, or means over the shortest bins that leave at most `most` values, (N, C, T) to (N, D).

    A rest shorter than a bin is left out.
    """
    n, c, t = x.shape
    size = min(t, -(-c * t // most))
    bins = t // size
    return np.asarray(x[:, :, : bins * size].reshape(n, c, bins, size).mean(axis=3).reshape(n, c * bins))


def log_band_power(x: Array, sfreq: float) -> Array:
    """Log of the mean power in each of `BANDS_HZ`, (N, C, T) to (N, C*bands).

    A band without a frequency of the (Hann) periodogram in [low, high) is left out.
    """
    power = np.abs(np.fft.rfft((x - x.mean(axis=2, keepdims=True)) * np.hanning(x.shape[2]))) ** 2  # (N, C, F)
    frequency = np.fft.rfftfreq(x.shape[2], 1 / sfreq)
    inside = [(low <= frequency) & (frequency < high) for low, high in BANDS_HZ]
    bands = [np.log(power[:, :, band].mean(axis=2) + np.finfo(float).tiny) for band in inside if band.any()]
    return np.stack(bands, axis=2).reshape(len(x), -1)


def tangent_space(x: Array, x_test: Array) -> tuple[Array, Array]:
    r"""Channel covariances as vectors at the mean of the training part.

    Parameters
    ----------
    x, x_test : ndarray, shape (N, C, T), (M, C, T)

    Returns
    -------
    ndarray, shape (N, C*(C+1)/2), and the same for M

    Notes
    -----
    $\log(R^{-1/2} \Sigma R^{-1/2})$ after Barachant et al. (2012), with the log-Euclidean mean of the training part as R;
    a hundredth of the mean variance is added to each diagonal. Off-diagonal entries count twice, hence $\sqrt 2$.
    """
    known, new = _covariances(x), _covariances(x_test)
    whiten = _spectral(_spectral(known, np.log).mean(axis=0), lambda e: np.exp(-e / 2))  # (C, C) R^(-1/2)
    i, j = np.triu_indices(x.shape[1])
    weight = np.where(i == j, 1.0, np.sqrt(2.0))
    both = [_spectral(whiten @ sigma @ whiten, np.log)[:, i, j] * weight for sigma in (known, new)]
    return both[0], both[1]


def _covariances(x: Array) -> Array:
    x = x - x.mean(axis=2, keepdims=True)
    sigma = x @ x.swapaxes(1, 2) / x.shape[2]  # (N, C, C)
    variance = np.trace(sigma, axis1=1, axis2=2)[:, None, None] / x.shape[1]
    return np.asarray(sigma + 0.01 * variance * np.eye(x.shape[1]))


def _spectral(symmetric: Array, function: Any) -> Array:
    """Apply a function to the eigenvalues of symmetric matrices (..., C, C)."""
    values, vectors = np.linalg.eigh(symmetric)
    return np.asarray((vectors * function(values)[..., None, :]) @ vectors.swapaxes(-1, -2))
