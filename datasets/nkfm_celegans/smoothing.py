"""Smoothing, derivative and normalisation of traces (T, N), as the homogenised set was made; all smoothing is causal.

Source: the preprocessing of arXiv:2411.12091. Everything is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Array = npt.NDArray[np.float64]


def residual(time: npt.ArrayLike, x: npt.ArrayLike) -> Array:
    """Derivative of traces (T, N) against times (T,) in seconds: second order, for uneven steps."""
    return np.asarray(np.gradient(_columns(x), np.asarray(time, dtype=np.float64), axis=0))


def moving_average(x: npt.ArrayLike, window_size: int = 15) -> Array:
    """Mean of the last ``window_size // 2 + 1`` samples, of fewer at the start.

    As published, the name notwithstanding: an even size is raised by one, and only the past half of the window counts,
    so 15 averages 8 samples.
    """
    if window_size < 1:
        raise DataError(f"window_size must be at least 1 sample; got {window_size}")
    half = (window_size + (window_size % 2 == 0)) // 2
    x = _columns(x)
    total = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])  # (T + 1, N)
    last = np.arange(1, len(x) + 1)
    first = np.maximum(last - half - 1, 0)
    return np.asarray((total[last] - total[first]) / (last - first)[:, None])


def gaussian_average(x: npt.ArrayLike, sigma: float = 5.0) -> Array:
    """Weighted mean of all past samples, weights exp(-k² / (2 sigma²)) for k samples back; `sigma` in samples."""
    if not sigma > 0:
        raise DataError(f"sigma must be positive, in samples; got {sigma:g}")
    from scipy.signal import fftconvolve

    x = _columns(x)
    reach = min(len(x), int(np.ceil(39 * sigma)) + 1)  # farther back the weight underflows
    weights = np.exp(-0.5 * (np.arange(reach) / sigma) ** 2)
    centre = x.mean(axis=0)
    summed = fftconvolve(x - centre, weights[:, None], axes=0)[: len(x)]
    norm = np.cumsum(weights)[np.minimum(np.arange(len(x)), reach - 1)]
    return np.asarray(summed / norm[:, None] + centre)


def exponential_average(x: npt.ArrayLike, alpha: float = 0.5) -> Array:
    """First value, then y_t = alpha x_t + (1 - alpha) y_(t-1)."""
    if not 0 < alpha <= 1:
        raise DataError(f"alpha must be in (0, 1]; got {alpha:g}")
    from scipy.signal import lfilter

    x = _columns(x)
    return np.asarray(lfilter([alpha], [1, alpha - 1], x, axis=0, zi=(1 - alpha) * x[:1])[0])


def standardise(x: npt.ArrayLike) -> Array:
    """Z-score each trace over the whole recording, population standard deviation; a constant trace becomes 0.

    It looks into the future: for a split in time use `standardise_causally`.
    """
    x = _columns(x)
    std = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(std > 1e-12 * np.abs(x).max(axis=0, initial=1), std, 1.0))


@dataclass(frozen=True, eq=False)
class CausalScore:
    """Traces normalised by their past, and what it takes to undo it: ``values * std + mean``.

    Attributes
    ----------
    values, mean, std : ndarray, shape (T, N), float64
    """

    values: Array
    mean: Array
    std: Array


def standardise_causally(x: npt.ArrayLike) -> CausalScore:
    """Z-score each sample with mean and standard deviation of samples 0..t; the first becomes 0.

    NaN are interpolated linearly first. The variance is floored at 1e-8. It is summed around the trace's first value,
    so that a large mean costs no digits.
    """
    x = fill_gaps(_columns(x))
    origin = x[:1]
    count = np.arange(1, len(x) + 1)[:, None]
    shifted = np.cumsum(x - origin, axis=0) / count
    square = np.cumsum((x - origin) ** 2, axis=0) / count
    std = np.sqrt(np.maximum(square - shifted**2, 1e-8))
    mean = shifted + origin
    return CausalScore((x - mean) / std, mean, std)


def fill_gaps(x: npt.ArrayLike) -> Array:
    """Interpolate NaN of each trace (T, N) linearly over samples; ends take the nearest value.

    Raises
    ------
    DataError
        If a trace holds nothing but NaN.
    """
    x = np.array(_columns(x))
    bad = ~np.isfinite(x)
    if bad.all(axis=0).any():
        empty = ", ".join(map(str, np.flatnonzero(bad.all(axis=0))[:8]))
        raise DataError(f"traces {empty} hold nothing but NaN; drop them")
    at = np.arange(len(x))
    for column in np.flatnonzero(bad.any(axis=0)):
        good = ~bad[:, column]
        x[bad[:, column], column] = np.interp(at[bad[:, column]], at[good], x[good, column])
    return x


def _columns(x: npt.ArrayLike) -> Array:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or not len(values):
        raise DataError(f"traces are (time, neuron), at least one sample; got shape {values.shape}")
    return values
