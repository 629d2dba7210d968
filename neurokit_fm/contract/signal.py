"""Conditioning a time series for a model: reference, filters, rate, scale; channel blocks at a time, run by run."""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.contract.quality import blocks
from neurokit_fm.data.series import TimeSeries

if TYPE_CHECKING:
    from neurokit_fm.contract.series import SeriesContract

HELD_BYTES = 256 << 20
"""Largest block of samples (float64) held while conditioning, and largest result kept in memory."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What will be done to one time series, in this order; made by `plan`.

    Attributes
    ----------
    contract : SeriesContract
        Whose reference, rate, scale, normalisation and clipping apply as they are.
    notch : tuple of float, Hz
    low, high : float or None, Hz
        Band edges that apply at this rate.
    remove_mean : bool
        Runs are too short for the high-pass: their mean is subtracted instead.
    up, down : int
        Resampling ratio.
    sfreq_in : float, Hz
    """

    contract: SeriesContract
    notch: tuple[float, ...]
    low: float | None
    high: float | None
    remove_mean: bool
    up: int
    down: int
    sfreq_in: float

    @classmethod
    def plan(cls, series: TimeSeries, contract: SeriesContract) -> Steps:
        """Decide what applies to this signal: edges beyond its Nyquist frequency and filters longer than its runs do not."""
        band = contract.band
        nyquist = series.sfreq / 2
        shortest = min(stop - start for start, stop in series.runs()) / series.sfreq
        low = band[0] if band and band[0] > 0 else None
        high = band[1] if band and band[1] < nyquist - 0.1 else None
        too_short = low is not None and shortest < 3.3 / min(max(low / 4, 2.0), low)  # length of the FIR, seconds
        ratio = Fraction(contract.sfreq / series.sfreq).limit_denominator(2000)
        return cls(
            contract=contract,
            notch=tuple(f for f in contract.notch if f < nyquist - 1 and shortest >= 7.0),
            low=None if too_short else low,
            high=None if high is None or shortest < 3.3 / min(max(high / 4, 2.0), nyquist - high) else high,
            remove_mean=too_short,
            up=ratio.numerator,
            down=ratio.denominator,
            sfreq_in=series.sfreq,
        )

    def words(self) -> list[str]:
        """One line a step."""
        c = self.contract
        lines = ["average reference"] if c.reference == "average" else []
        lines += [f"notch at {', '.join(f'{f:g}' for f in self.notch)} Hz"] if self.notch else []
        if self.low is not None or self.high is not None:
            low, high = f"{self.low or 0:g}", f"{self.high:g}" if self.high else f"{self.sfreq_in / 2:g} (Nyquist)"
            lines.append(f"pass {low} to {high} Hz, zero-phase FIR")
        if self.remove_mean:
            lines.append("mean of each run removed (runs are too short for the high-pass filter)")
        if self.up != self.down:
            lines.append(f"resample {self.sfreq_in:g} to {c.sfreq:g} Hz (polyphase)")
            if c.sfreq > self.sfreq_in:
                lines[-1] += f"; the signal holds nothing above {self.sfreq_in / 2:g} Hz"
        lines += [f"multiply by {c.unit_scale:g}"] if c.unit_scale != 1 else []
        lines += ["z-score of each channel over the recording"] if c.normalise == "zscore" else []
        lines += [f"clip to +-{c.clip:g}"] if c.clip is not None else []
        return lines


def condition(series: TimeSeries, steps: Steps) -> TimeSeries:
    """Carry the steps out.

    Memory stays bounded: channels go through in blocks of at most `HELD_BYTES`, and a larger result is written to an
    unnamed temporary file that the system removes with it.

    Returns
    -------
    TimeSeries
        float32, at the contract's rate.
    """
    runs = [stop - start for start, stop in series.runs()]
    lengths = [math.ceil(n * steps.up / steps.down) for n in runs]
    total = sum(lengths)
    out = _allocate((len(series.channels), total))
    mean = _channel_mean(series) if steps.contract.reference == "average" else None
    for rows in _row_blocks(series):
        x = series.read(rows=rows).astype(np.float64)  # (c, T)
        if mean is not None:
            x -= mean
        done = 0
        for (start, stop), length in zip(series.runs(), lengths, strict=True):
            out[rows, done : done + length] = _resample(_filter(x[:, start:stop], steps), steps)
            done += length
        _rescale(out, rows, steps)
        let_go(out)
    breaks = tuple(int(b) for b in np.cumsum(lengths)[:-1])
    scored = steps.contract.normalise == "zscore"
    channels = replace(series.channels, unit=("au",) * len(series.channels)) if scored else series.channels
    return replace(series, data=out, sfreq=float(steps.contract.sfreq), channels=channels, breaks=breaks)


def let_go(data: object) -> None:
    """Hand the pages of a mapped array back to the system, if it is one; they are read again when they are needed."""
    if isinstance(data, np.memmap) and isinstance(data.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.base.madvise(mmap.MADV_DONTNEED)


def _filter(x: npt.NDArray[np.float64], steps: Steps) -> npt.NDArray[np.float64]:
    import mne.filter

    for f in steps.notch:
        x = mne.filter.notch_filter(x, steps.sfreq_in, f, verbose="ERROR")
    if steps.remove_mean:
        x = x - x.mean(axis=1, keepdims=True)
    if steps.low is not None or steps.high is not None:
        x = mne.filter.filter_data(x, steps.sfreq_in, steps.low, steps.high, verbose="ERROR")
    return x


def _resample(x: npt.NDArray[np.float64], steps: Steps) -> npt.NDArray[np.float64]:
    if steps.up == steps.down:
        return x
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(x, steps.up, steps.down, axis=1, padtype="line"))


def _rescale(out: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], steps: Steps) -> None:
    """Scale, normalise and clip finished channels in place."""
    contract = steps.contract
    for row in rows:
        x = out[row].astype(np.float64) * contract.unit_scale
        if contract.normalise == "zscore":
            std = x.std()
            x = (x - x.mean()) / (std if std > 0 else 1.0)
        out[row] = x if contract.clip is None else np.clip(x, -contract.clip, contract.clip)


def _channel_mean(series: TimeSeries) -> npt.NDArray[np.float64]:
    every = np.arange(len(series.channels))
    return np.concatenate([series.read(a, b).mean(axis=0, dtype=np.float64) for a, b in blocks(series, every)])


def _row_blocks(series: TimeSeries) -> Iterator[npt.NDArray[np.int64]]:
    size = max(1, HELD_BYTES // (8 * 3 * series.n_samples))  # 3 copies while filtering
    for first in range(0, len(series.channels), size):
        yield np.arange(first, min(first + size, len(series.channels)))


def _allocate(shape: tuple[int, int]) -> npt.NDArray[Any]:
    if 4 * shape[0] * shape[1] <= HELD_BYTES:
        return np.empty(shape, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="nkfm-") as file:  # the map keeps it alive
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
