"""When the samples of a series were taken: a rate, or a list of times that is checked for gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

BLOCK = 1 << 20
"""Times held at once; a recording at 30 kHz has 10^8 an hour."""

MOST_GAPS = 0.01
"""A series in which more than this share of the steps is no sample long has no rate."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Runs of evenly spaced samples.

    Attributes
    ----------
    sfreq : float, Hz
    first : tuple of int
        First sample of each run.
    start : tuple of float, seconds
        Time of that sample on the file's clock.
    n_samples : int
    """

    sfreq: float
    first: tuple[int, ...]
    start: tuple[float, ...]
    n_samples: int

    @property
    def stop(self) -> npt.NDArray[np.float64]:
        """Time just after each run, shape (R,), seconds."""
        lengths = np.diff([*self.first, self.n_samples])
        return np.asarray(np.array(self.start) + lengths / self.sfreq)

    def carry(self, times: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Carry times of the file to the clock of a signal whose runs follow each other without a gap.

        Returns
        -------
        times : ndarray, shape (N,), seconds
            Those within a gap are put at its end.
        recorded : ndarray, shape (N,), bool
            False for times within a gap, of which there are no samples.
        """
        when, start, stop = np.asarray(times, dtype=np.float64), np.array(self.start), self.stop
        run = np.maximum(np.searchsorted(start, when + 1e-9, side="right") - 1, 0)  # (N,)
        laid = start[0] + np.array(self.first) / self.sfreq  # (R,) start of each run on the signal's clock
        gap = (when >= stop[run]) & (run < len(start) - 1)
        moved = np.where(gap, laid[np.minimum(run + 1, len(start) - 1)], when - start[run] + laid[run])
        return np.asarray(moved), ~gap


def timing_of(series: Any, n_samples: int) -> Timing:
    """Find rate, start and gaps of a pynwb time series.

    Raises
    ------
    DataError
        If it has neither a rate nor times, another number of times than samples, or times that are not evenly spaced.
    """
    if series.rate is not None:
        if not (np.isfinite(series.rate) and series.rate > 0):
            raise DataError(f"its rate is {series.rate:g} Hz; it must be positive")
        return Timing(
            sfreq=float(series.rate), first=(0,), start=(float(series.starting_time or 0.0),), n_samples=n_samples
        )
    stamps = series.timestamps
    if stamps is None:
        raise DataError("it has neither a rate nor timestamps; one of them must say when the samples were taken")
    if len(stamps) != n_samples:
        raise DataError(f"it has {len(stamps)} timestamps for {n_samples} samples")
    if n_samples < 2:
        raise DataError(f"it has {n_samples} timestamps and no rate; a rate cannot be told from fewer than 2")
    step = float(np.median(np.diff(stamps[:BLOCK])))
    if not step > 0:
        raise DataError(f"its timestamps do not ascend: the median step is {step:g} s")
    first, start, ends, shortest, longest = [0], [float(stamps[0])], [], np.inf, -np.inf
    for at, times in _blocks(stamps):
        steps = np.diff(times)
        if not np.isfinite(times).all() or steps.min() < 0:
            raise DataError(f"its timestamps do not ascend, or are not finite, near sample {at}")
        shortest, longest = min(shortest, steps.min()), max(longest, steps.max())
        jumps = np.flatnonzero(np.abs(steps - step) > 0.5 * step)
        first += (at + jumps + 1).tolist()
        start += times[jumps + 1].tolist()
        ends += times[jumps].tolist()
        if len(first) - 1 > max(1, MOST_GAPS * n_samples):
            raise DataError(
                f"its timestamps are not evenly spaced: steps of {shortest:g} to {longest:g} s, {1 / step:g} Hz in the "
                "median; resample it before it is written"
            )
    covered = float((np.array([*ends, float(stamps[-1])]) - start).sum())
    sfreq = (n_samples - len(first)) / covered
    longest_run = int(np.diff([*first, n_samples]).max())
    if abs(round(sfreq) / sfreq - 1) * longest_run < 0.5:  # digits of the times, no other rate
        sfreq = float(round(sfreq))
    return Timing(sfreq=sfreq, first=tuple(first), start=tuple(start), n_samples=n_samples)


def _blocks(stamps: Any) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield times block by block, each with the first of the next, and where it begins."""
    for at in range(0, len(stamps) - 1, BLOCK):
        yield at, np.asarray(stamps[at : at + BLOCK + 1], dtype=np.float64)
