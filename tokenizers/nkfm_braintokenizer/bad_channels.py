"""The published rule for bad EEG channels: those whose spectrum is unlike all others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import welch

from neurokit_fm.errors import DataError


def bad_channels(
    x: npt.ArrayLike, sfreq: float = 256.0, *, known_bad: npt.ArrayLike | None = None
) -> npt.NDArray[np.bool_]:
    r"""Find EEG channels whose logarithmic spectrum lies far from the others'.

    Parameters
    ----------
    x : array, shape (C, T)
        EEG in volts, filtered as for the model.
    sfreq : float, Hz
    known_bad : array of bool, shape (C,), optional
        Left out of the comparison, and bad in the result.

    Returns
    -------
    ndarray, shape (C,), bool

    Raises
    ------
    DataError
        If a sample is not finite.

    Notes
    -----
    Source: arXiv:2505.18185, preprocessing code. Power by Welch's method (Hamming windows of 2048 samples, no overlap),
    mean Euclidean distance of ``log(power + 1e-16)`` to all channels; bad is outside
    $[Q_1 - 10\,\mathrm{IQR}, Q_3 + 10\,\mathrm{IQR}]$.
    """
    x = np.asarray(x, dtype=np.float64)
    bad = np.zeros(len(x), dtype=bool) if known_bad is None else np.array(known_bad, dtype=bool)
    if not np.isfinite(x[~bad]).all():
        raise DataError(
            "bad channels are found by their spectra; some samples are not finite numbers: repair them first"
        )
    distance = spectral_distance(x[~bad], sfreq)
    low, high = np.quantile(distance, [0.25, 0.75]) if len(distance) else (0.0, 0.0)
    reach = 10 * (high - low)
    bad[np.flatnonzero(~bad)[(distance < low - reach) | (distance > high + reach)]] = True
    return bad


def spectral_distance(x: npt.NDArray[np.float64], sfreq: float = 256.0) -> npt.NDArray[np.float64]:
    """Mean distance of the logarithmic spectrum of each channel (C, T) to those of all: (C,)."""
    power = welch(x, sfreq, window="hamming", nperseg=min(x.shape[1], 2048), noverlap=0, axis=1)[1]  # (C, F)
    log = np.log(power + 1e-16)
    size = np.square(log).sum(1)
    squared = size[:, None] + size[None] - 2 * log @ log.T  # (C, C)
    np.fill_diagonal(squared, 0.0)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)).mean(1))
