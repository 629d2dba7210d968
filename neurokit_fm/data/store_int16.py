"""Samples as 16-bit integers with a scale and an offset for each channel: half the size, at most half a step off."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import StoreError

LARGEST = 32767
"""Largest integer used; the range is symmetric."""

_EXACT = 0.01
"""Steps a value may lie off the grid and still count as on it: float32 rounding of 32,767 steps is 0.002."""

Scale = npt.NDArray[np.float64]
"""Physical units a step, shape (C,)."""


def choose_scale(lowest: Scale, highest: Scale) -> tuple[Scale, Scale]:
    """Scale and offset that hold the range of each channel.

    Parameters
    ----------
    lowest, highest : ndarray, shape (C,)
        Smallest and largest value of each channel, finite.

    Returns
    -------
    scale, offset : ndarray, shape (C,), float64
        The offset is 0 wherever the range holds zero, so that zero stays exactly zero.
    """
    offset = np.where((lowest > 0) | (highest < 0), (lowest + highest) / 2, 0.0)
    scale = np.maximum(highest - offset, offset - lowest) / LARGEST
    return np.where(scale > 0, scale, 1.0), offset


def encode(
    values: npt.NDArray[Any], scale: Scale, offset: Scale, names: tuple[str, ...], *, exact: bool
) -> npt.NDArray[np.int16]:
    """Round samples to steps.

    Parameters
    ----------
    values : ndarray, shape (..., C, T), physical units
    scale, offset : ndarray, shape (C,)
    names : tuple of str
        C channel names, for messages.
    exact : bool
        Refuse values that are not multiples of the scale.

    Raises
    ------
    StoreError
        If a value is not finite, out of range or, with `exact`, between two steps; the channels are named.
    """
    with np.errstate(invalid="ignore"):  # NaN and infinity are reported below
        steps = (np.asarray(values, dtype=np.float64) - offset[:, None]) / scale[:, None]
        whole = np.rint(steps)
        far = ~(np.abs(whole) <= LARGEST)  # also NaN
        off = np.abs(steps - whole) > _EXACT if exact else np.zeros_like(far)
    for wrong, what in ((far, "hold NaN or values out of range"), (off, "are not multiples of the scale given")):
        if wrong.any():
            rows = wrong.any(axis=tuple(i for i in range(wrong.ndim) if i != wrong.ndim - 2))
            which = ", ".join(names[row] for row in np.flatnonzero(rows)[:5])
            raise StoreError(f"channels {which} {what} and do not fit int16; store them as float32")
    return whole.astype(np.int16)


class ScaledSamples:
    """Integers of a file as physical values, decoded when they are read.

    Parameters
    ----------
    raw : ndarray, shape (C, T), int16
    scale, offset : ndarray, shape (C,), float64
    """

    def __init__(self, raw: npt.NDArray[np.int16], scale: Scale, offset: Scale):
        self.raw, self.scale, self.offset = raw, scale, offset

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, T)."""
        return self.raw.shape

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Always float32."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any) -> Any:
        rows, samples = index if isinstance(index, tuple) else (index, slice(None))
        raw = self.raw[rows, samples]
        scale, offset = self.scale[rows], self.offset[rows]
        if raw.ndim == 2:
            scale, offset = scale[:, None], offset[:, None]
        return (raw * scale + offset).astype(np.float32)
