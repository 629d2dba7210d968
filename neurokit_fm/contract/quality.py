"""One pass over a time series in bounded memory: bad values, flat channels, and the size of the signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.series import TimeSeries

BLOCK_BYTES = 64 << 20
"""How much of a recording is held at once."""


@dataclass(frozen=True, eq=False)
class Quality:
    """What one pass over a signal found, per channel.

    Attributes
    ----------
    first_bad_s : ndarray, shape (C,), float64, seconds
        Time of the first sample that is NaN or infinite; NaN if there is none.
    flat : ndarray, shape (C,), bool
        True where the channel never changes.
    mean : ndarray, shape (C,), float64, SI units
        Over the whole recording; a sample that is not finite counts as 0.
    std : ndarray, shape (C,), float64, SI units
        Standard deviation over the whole recording; slow drift counts.
    short_std : ndarray, shape (C,), float64, SI units
        Root of the mean variance within stretches of about a second; slow drift does not count.
    """

    first_bad_s: npt.NDArray[np.float64]
    flat: npt.NDArray[np.bool_]
    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    short_std: npt.NDArray[np.float64]


def blocks(series: TimeSeries, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield sample ranges of about `BLOCK_BYTES`, none across a break."""
    longest = max(int(series.sfreq), BLOCK_BYTES // (8 * max(1, len(rows))))
    for start, stop in series.runs():
        for first in range(start, stop, longest):
            yield first, min(first + longest, stop)


def inspect(series: TimeSeries, rows: npt.NDArray[np.int64]) -> Quality:
    """Read the chosen rows once and measure them."""
    n = len(rows)
    first_bad = np.full(n, np.nan)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    variance, weight = np.zeros(n), 0
    mean, scatter, seen = np.zeros(n), np.zeros(n), 0
    second = max(2, round(series.sfreq))
    for start, stop in blocks(series, rows):
        x = series.read(start, stop, rows)  # (C, t)
        finite = np.isfinite(x)
        if not finite.all():
            for row in np.flatnonzero(~finite.all(axis=1) & np.isnan(first_bad)):
                first_bad[row] = series.start + (start + int(np.argmin(finite[row]))) / series.sfreq
            x = np.where(finite, x, 0.0)
        low, high = np.minimum(low, x.min(axis=1)), np.maximum(high, x.max(axis=1))
        length = x.shape[1]
        whole = length // second * second or length
        parts = x[:, :whole].reshape(n, -1, min(second, length)).astype(np.float64)  # (C, seconds, t)
        variance += parts.var(axis=2).sum(axis=1)
        weight += parts.shape[1]
        shift = x.mean(axis=1, dtype=np.float64) - mean  # blocks combined after Chan et al.
        scatter += x.var(axis=1, dtype=np.float64) * length + shift**2 * (seen * length / (seen + length))
        mean += shift * (length / (seen + length))
        seen += length
    std, short_std = np.sqrt(scatter / max(1, seen)), np.sqrt(variance / max(1, weight))
    return Quality(first_bad, ~(high > low), mean, std, short_std)
