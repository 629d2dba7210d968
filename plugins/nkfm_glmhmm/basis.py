"""Temporal bases: how the history of a neuron, lag by lag, becomes a few covariates."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import ConfigError

Array = npt.NDArray[np.float64]


def exponential(n_lags: int, decay: float = 1.0, span: float | None = None) -> Array:
    """One decaying basis, the published model's.

    Parameters
    ----------
    n_lags : int
        History length H in bins.
    decay : float
        Per unit of `span`.
    span : float
        Length of the history; default H, so that one bin is one unit.

    Returns
    -------
    ndarray, shape (H, 1)
        Row k multiplies lag k + 1.

    Notes
    -----
    ``exp(-d k dt) / (dt sum_j exp(-d j dt))``, k = 1..H, dt = span / H (arXiv:2310.15263, published code).

    Examples
    --------
    >>> exponential(5)[:, 0].round(4).tolist()
    [0.6364, 0.2341, 0.0861, 0.0317, 0.0117]
    """
    step = (n_lags if span is None else span) / n_lags
    weight = np.exp(-decay * step * np.arange(1, n_lags + 1))
    return np.asarray((weight / (step * weight.sum()))[:, None])


def raised_cosine(
    n_lags: int, n_bases: int, *, spacing: str = "log", width: float = 2.0, stretch: float = 50.0
) -> Array:
    """Raised-cosine bumps, spaced evenly in lag or in its logarithm (Pillow et al. 2005, J Neurosci 25:11003).

    Parameters
    ----------
    n_lags, n_bases : int
        H and B.
    spacing : {"log", "linear"}
        With ``"log"`` the last bump has decayed to zero at the longest lag.
    width : float
        Bump width in units of the distance between two peaks.
    stretch : float
        How strongly short lags are spread out, for ``"log"``.

    Returns
    -------
    ndarray, shape (H, B)
        Row k multiplies lag k + 1.
    """
    if n_bases < 2 or n_lags < 2:
        raise ConfigError(f"raised cosines need at least 2 bases and 2 lags; got {n_bases} and {n_lags}")
    if spacing not in ("log", "linear"):
        raise ConfigError(f"spacing must be 'log' or 'linear'; got {spacing!r}")
    place = np.linspace(0, 1, n_lags)
    last = 1.0
    if spacing == "log":
        place = np.log(stretch * place + 1) / np.log(stretch + 1)
        last = 1 - width / (n_bases + width - 1)
    peaks = np.linspace(0, last, n_bases)
    distance = peaks[1] - peaks[0]
    angle = np.pi * (place[:, None] - peaks[None]) / (distance * width)  # (H, B)
    return np.asarray(0.5 * (np.cos(np.clip(angle, -np.pi, np.pi)) + 1))


def free(n_lags: int) -> Array:
    """One basis a lag, shape (H, H): a kernel of any shape."""
    return np.eye(n_lags)


def convolve(x: Array, basis: Array, starts: npt.NDArray[np.int64]) -> Array:
    """History covariates of every trial: lags 1..H, nothing before a trial's first bin.

    Parameters
    ----------
    x : ndarray, shape (M, N)
        Trials end to end.
    basis : ndarray, shape (H, B)
    starts : ndarray, shape (R + 1,), int64
        First bin of each trial, and M.

    Returns
    -------
    ndarray, shape (M, N * B)
        Source-major: the B covariates of the first neuron come first.
    """
    lags, bases = basis.shape
    out = np.zeros((*x.shape, bases))
    for first, stop in itertools.pairwise(starts):
        for lag in range(1, min(lags, stop - first - 1) + 1):
            out[first + lag : stop] += x[first : stop - lag, :, None] * basis[lag - 1]
    return out.reshape(len(x), -1)
