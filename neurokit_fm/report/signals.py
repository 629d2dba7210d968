"""Signals over time and over frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.signal import welch

from neurokit_fm.data.series import TimeSeries
from neurokit_fm.report.canvas import COLOURS, INK, SOFT, canvas, styled

LONGEST_S = 600.0
"""At most so much of a signal goes into a spectrum, seconds."""

Samples = npt.NDArray[Any]


@styled
def signal_with_reconstruction(
    times: Samples,
    original: Samples,
    predicted: Samples,
    hidden: npt.NDArray[np.bool_],
    *,
    names: Sequence[str],
    unit: str,
) -> Figure:
    """Draw a few channels with what was hidden from the model and what it made of it.

    Parameters
    ----------
    times : ndarray, shape (T,), seconds
    original, predicted : ndarray, shape (C, T), in `unit`
        The prediction counts only where hidden.
    hidden : ndarray, shape (C, T), bool
    names : sequence of str
        C of them.
    unit : str
    """
    figure, axes = canvas(10.0, 1.0 + 0.95 * len(names))
    step = times[1] - times[0] if len(times) > 1 else 1.0
    spread = 1.25 * float(np.median(np.ptp(original, axis=1))) or 1.0
    for row in range(len(names)):
        base = -row * spread
        level = base - original[row].mean()
        for first, last in _stretches(hidden[row]):
            left, right = times[first] - step / 2, times[last - 1] + step / 2
            axes.fill_between([left, right], base - 0.47 * spread, base + 0.47 * spread, color="#e9ecef", linewidth=0)
            axes.plot(times[first:last], predicted[row, first:last] + level, color=COLOURS[1], linewidth=1.8, zorder=3)
        axes.plot(times, original[row] + level, color=INK, linewidth=1.0, zorder=2)
    axes.set_yticks([-row * spread for row in range(len(names))], labels=list(names))
    axes.set_ylim(-(len(names) - 0.4) * spread, 0.6 * spread)
    axes.set_xlim(times[0] - step / 2, times[-1] + step / 2)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time in the recording (s)")
    axes.plot([], [], color=INK, linewidth=1.0, label="recorded")
    axes.plot([], [], color=COLOURS[1], linewidth=1.8, label="predicted")
    axes.fill_between([], [], [], color="#e9ecef", label="hidden from the model")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9, borderaxespad=0.2)
    _scale_bar(axes, times[-1] + step, (0.6 - len(names)) * spread, _round_down(0.6 * spread), unit)
    return figure


@styled
def spectrum(before: TimeSeries, after: TimeSeries | None = None, *, scale: float = 1e6, unit: str = "µV") -> Figure:
    """Draw the power spectral density of each channel, as recorded and after the contract's filters.

    Parameters
    ----------
    before, after : TimeSeries
        In SI units, `after` filtered and resampled but not normalised.
    scale : float
        From SI units to `unit`.
    unit : str
    """
    signals = [("as recorded", before)] + ([("as the model gets it", after)] if after is not None else [])
    figure, grid = canvas(5.0 * len(signals), 3.6, 1, len(signals), sharey=True, sharex=True, squeeze=False)
    low, high = np.inf, 0.0
    for axes, (title, series) in zip(grid[0], signals, strict=True):
        hz, power = density(series)
        power = power * scale**2
        axes.semilogy(hz, power.T, color=COLOURS[0], linewidth=0.7, alpha=0.35)
        axes.semilogy(hz, np.median(power, axis=0), color=INK, linewidth=1.8)
        axes.set_title(f"{title}, {series.sfreq:g} Hz")
        axes.set_xlabel("frequency (Hz)")
        low, high = min(low, float(np.median(power[:, hz > 0], axis=0).min())), max(high, float(power.max()))
    grid[0, 0].set_ylabel(f"power spectral density ({unit}²/Hz)")
    grid[0, 0].set_ylim(max(low / 3, high * 1e-9), 2 * high)
    return figure


def density(series: TimeSeries) -> tuple[Samples, Samples]:
    """Welch's power spectral density over at most 10 minutes, two-second segments, none across a break.

    Returns
    -------
    ndarray, shape (F,), Hz
    ndarray, shape (C, F), squared units of the signal per Hz
        Mean over runs, weighted by their length.
    """
    runs = series.runs()
    length = min(int(2 * series.sfreq), max(stop - start for start, stop in runs))
    total, weight, hz = np.zeros(0), 0, np.zeros(0)
    for start, stop in runs:
        stop = min(stop, start + int(LONGEST_S * series.sfreq) - weight)
        if stop - start >= length:
            hz, power = welch(series.read(start, stop).astype(np.float64), series.sfreq, nperseg=length, axis=1)
            total, weight = total + (stop - start) * power if weight else (stop - start) * power, weight + stop - start
    return hz, total / weight


def _stretches(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _round_down(value: float) -> float:
    """Largest 1, 2 or 5 times a power of ten that is not above the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= value * (1 + 1e-9)))


def _scale_bar(axes: Any, x: float, bottom: float, height: float, unit: str) -> None:
    axes.plot([x, x], [bottom, bottom + height], color=SOFT, linewidth=2, clip_on=False, solid_capstyle="butt")
    axes.annotate(
        f"{height:g} {unit}",
        (x, bottom + height / 2),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        annotation_clip=False,
    )
