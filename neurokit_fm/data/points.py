"""PointProcess: events of many sources (spikes of units, beats of a heart) as times, not samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class PointProcess:
    """Times at which sources fired.

    Attributes
    ----------
    times : ndarray, shape (N,), float64, seconds, ascending
    source : ndarray, shape (N,), int64
        Row of `channels` that fired.
    channels : Channels
        One row a source (unit, electrode); silent sources are rows too.
    support : ndarray, shape (S, 2), float64, seconds
        Stretches [start, stop) in which a firing would have been seen.
    marks : ndarray, shape (N, ...), optional
        A value for each firing (amplitude, waveform).
    modality : str
    """

    layout: ClassVar[str] = "points"

    times: npt.NDArray[np.float64]
    source: npt.NDArray[np.int64]
    channels: Channels
    support: npt.NDArray[np.float64]
    marks: npt.NDArray[np.float32] | None = None
    modality: str = "spikes"

    def __post_init__(self) -> None:
        if self.times.shape != self.source.shape or self.times.ndim != 1:
            raise DataError(
                f"times {self.times.shape} and source {self.source.shape} must be one-dimensional and equal"
            )
        if len(self.times) and (not np.isfinite(self.times).all() or (np.diff(self.times) < 0).any()):
            raise DataError("times must be finite and ascending")
        if len(self.source) and not (self.source.min() >= 0 and self.source.max() < len(self.channels)):
            raise DataError(f"source must be rows of the {len(self.channels)} channels; got up to {self.source.max()}")
        if self.support.ndim != 2 or self.support.shape[1] != 2 or (np.diff(self.support.ravel()) < 0).any():
            raise DataError("support must be ascending [start, stop) pairs, shape (S, 2)")
        if self.marks is not None and len(self.marks) != len(self.times):
            raise DataError(f"{len(self.marks)} marks for {len(self.times)} times")

    @property
    def start(self) -> float:
        """Begin of the first supported stretch, seconds."""
        return float(self.support[0, 0]) if len(self.support) else 0.0

    @property
    def stop(self) -> float:
        """End of the last supported stretch, seconds."""
        return float(self.support[-1, 1]) if len(self.support) else 0.0

    @property
    def duration(self) -> float:
        """Supported time, seconds."""
        return float((self.support[:, 1] - self.support[:, 0]).sum())

    def crop(self, start: float, stop: float) -> PointProcess:
        """Return the firings with start <= time < stop (seconds); the clock is kept."""
        first, last = np.searchsorted(self.times, [start, stop])
        clipped = np.clip(self.support, start, stop)
        return replace(
            self,
            times=self.times[first:last],
            source=self.source[first:last],
            marks=None if self.marks is None else self.marks[first:last],
            support=clipped[clipped[:, 1] > clipped[:, 0]],
        )

    def counts(self, bin_s: float) -> npt.NDArray[np.int64]:
        """Firings of each source in bins of `bin_s` seconds from `start`; shape (C, bins), trailing part-bin dropped."""
        if bin_s <= 0:
            raise DataError(f"bin_s must be positive; got {bin_s:g}")
        n_bins = int(np.floor((self.stop - self.start) / bin_s + 1e-9))
        which = np.floor((self.times - self.start) / bin_s + 1e-9).astype(np.int64)
        keep = (which >= 0) & (which < n_bins)
        flat = self.source[keep] * n_bins + which[keep]  # C*bins, source-major
        return np.bincount(flat, minlength=len(self.channels) * n_bins).reshape(len(self.channels), n_bins)
