"""Traces at irregular times to an even grid, up or down, as the homogenised set was made (arXiv:2411.12091)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Array = npt.NDArray[np.float64]
FINER = 6
"""Going down, traces are interpolated to a grid this much finer first, and its samples averaged."""


def check_times(time: npt.ArrayLike) -> Array:
    """Return times (T,) in float64.

    Raises
    ------
    DataError
        If they are fewer than two, not finite, or do not ascend; naming the first sample that does not.
    """
    t = np.asarray(time, dtype=np.float64).reshape(-1)
    if len(t) < 2 or not np.isfinite(t).all():
        raise DataError(f"times must be two or more finite numbers of seconds; got {len(t)}, {int((~np.isfinite(t)).sum())} not finite")  # fmt: skip
    steps = np.diff(t)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise DataError(
            f"times must ascend: sample {k + 1} is at {t[k + 1]:g} s, sample {k} at {t[k]:g} s "
            f"({int((steps <= 0).sum())} such steps); sort the samples or cut the recording there"
        )
    return t


def resample(time: npt.ArrayLike, x: npt.ArrayLike, dt_s: float) -> tuple[Array, Array]:
    """Put traces on an even grid.

    Parameters
    ----------
    time : array, shape (T,), seconds, ascending
    x : array, shape (T, N)
    dt_s : float, seconds
        Shorter than the median step: linear interpolation at ``arange(first, last, dt_s)``. Else: linear interpolation
        at a sixth of `dt_s`, then means of blocks; what is left over at the end is dropped.

    Returns
    -------
    time : ndarray, shape (M,), float64, seconds
        Going down they count from 0, as published.
    x : ndarray, shape (M, N), float64
    """
    if not (np.isfinite(dt_s) and dt_s > 0):
        raise DataError(f"dt_s must be a positive number of seconds; got {dt_s}")
    t, values = check_times(time), np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(t):
        raise DataError(f"{len(t)} times for traces of shape {values.shape}; they are (time, neuron)")
    up = dt_s < np.median(np.diff(t))
    grid: Array = np.arange(t[0], t[-1], dt_s if up else dt_s / FINER, dtype=np.float64)
    dense = np.stack([np.interp(grid, t, column) for column in values.T], axis=1) if values.shape[1] else np.zeros((len(grid), 0))  # fmt: skip
    if up:
        return grid, dense
    blocks = len(dense) // FINER
    if not blocks:
        raise DataError(f"{t[-1] - t[0]:g} s are too short for steps of {dt_s:g} s; the minimum is one step")
    even: Array = dt_s * np.arange(blocks, dtype=np.float64)
    return even, dense[: blocks * FINER].reshape(blocks, FINER, -1).mean(axis=1)
