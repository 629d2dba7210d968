"""Where windows lie in a signal: bounds in samples, never across a break. Files of windows: `data.store_windows`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.events import Events
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import DataError

Bounds = npt.NDArray[np.int64]
"""First and one-past-last sample of each window, shape (W, 2)."""


def fixed_windows(
    series: TimeSeries, window_s: float, hop_s: float | None = None, min_s: float | None = None
) -> Bounds:
    """Cut a signal into windows of one length that cross no break.

    Parameters
    ----------
    series : TimeSeries
    window_s : float, seconds
        Rounded to whole samples.
    hop_s : float, seconds, optional
        Step between window starts; default `window_s`, no overlap.
    min_s : float, seconds, optional
        A run shorter than `window_s` but at least this long gives one window, shorter than the others. Default: such
        runs give none.

    Returns
    -------
    ndarray, shape (W, 2), int64
        First and one-past-last sample, ascending. What is left at the end of a run is dropped.

    Raises
    ------
    DataError
        If a length is under one sample, or `min_s` is above `window_s`.

    Examples
    --------
    >>> from neurokit_fm import Channels
    >>> x = TimeSeries(data=np.zeros((1, 10)), sfreq=2.0, channels=Channels.of(["Cz"]), breaks=(7,))
    >>> fixed_windows(x, 2.0, hop_s=1.0, min_s=1.0).tolist()
    [[0, 4], [2, 6], [7, 10]]
    """
    length = _samples(series, window_s, "window_s")
    hop = length if hop_s is None else _samples(series, hop_s, "hop_s")
    shortest = length if min_s is None else _samples(series, min_s, "min_s")
    if shortest > length:
        raise DataError(f"min_s must be at most window_s={window_s:g} s; got {min_s:g} s")
    found: list[tuple[int, int]] = []
    for first, last in series.runs():
        if shortest <= last - first < length:
            found.append((first, last))
        found.extend((start, start + length) for start in range(first, last - length + 1, hop))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def event_windows(
    recording: Recording, name: str, labels: str | Sequence[str], start_s: float, stop_s: float
) -> tuple[Bounds, Events]:
    """Cut a signal around events.

    Parameters
    ----------
    recording : Recording
    name : str
        The time series to cut.
    labels : str or sequence of str
        Events to cut around.
    start_s, stop_s : float, seconds
        From `start_s` to `stop_s` after the onset; negative is before it.

    Returns
    -------
    bounds : ndarray, shape (W, 2), int64
        First and one-past-last sample, all of one length.
    events : Events
        The W events they belong to: those whose whole window lies within one run of the signal.

    Raises
    ------
    DataError
        If the signal is no time series, an event label does not occur, or the window is under one sample.
    """
    series = recording[name]
    if not isinstance(series, TimeSeries):
        raise DataError(f"{recording.title}: {name!r} is a {series.layout} signal; windows are cut from time series")
    wanted = [labels] if isinstance(labels, str) else list(labels)
    unknown = [label for label in wanted if label not in recording.events.label]
    if unknown:
        have = ", ".join(recording.events.counts()) or "none"
        raise DataError(f"{recording.title} has no events labelled {', '.join(unknown)}; it has {have}")
    length = _samples(series, stop_s - start_s, "stop_s - start_s")
    events = recording.events.labelled(*wanted)
    first = np.ceil((events.onset + start_s - series.start) * series.sfreq - 1e-6).astype(np.int64)
    bounds = np.stack([first, first + length], axis=1)  # (W, 2)
    inside = np.zeros(len(bounds), dtype=bool)
    for start, stop in series.runs():
        inside |= (start <= bounds[:, 0]) & (bounds[:, 1] <= stop)
    return bounds[inside], events.take(inside)


def _samples(series: TimeSeries, length_s: float, label: str) -> int:
    n = round(length_s * series.sfreq) if np.isfinite(length_s) else 0
    if n < 1:
        raise DataError(
            f"{label} must be at least one sample ({1 / series.sfreq:g} s at {series.sfreq:g} Hz); got {length_s:g} s"
        )
    return n
