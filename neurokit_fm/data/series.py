"""TimeSeries: channels by samples, at one rate, possibly in several unconnected runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import DataError


class SampleArray(Protocol):
    """What `TimeSeries.data` may be: numpy, memmap, `h5py.Dataset` or a reader's lazy adapter, all (C, T)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, T)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of what indexing returns."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Read a `(rows, samples)` selection and nothing more."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeSeries:
    """A sampled signal in SI units.

    Attributes
    ----------
    data : SampleArray, shape (C, T)
        Read on demand; never changed in place.
    sfreq : float, Hz
    channels : Channels
    modality : str
    start : float, seconds
        Time of the first sample on the recording's clock.
    breaks : tuple of int
        Samples at which the signal jumps in time (first sample of each later run): trials cut from a recording,
        pauses, rejected stretches. No window and no filter crosses one.

    Raises
    ------
    DataError
        If shape, rate or breaks are impossible.
    """

    layout: ClassVar[str] = "series"

    data: SampleArray
    sfreq: float
    channels: Channels
    modality: str = "eeg"
    start: float = 0.0
    breaks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.data.shape) != 2:
            raise DataError(f"a time series is (channels, samples); found shape {tuple(self.data.shape)}")
        if self.data.shape[0] != len(self.channels):
            raise DataError(
                f"{self.data.shape[0]} rows of data for {len(self.channels)} channels; is the array (samples, channels)?"
            )
        if not (np.isfinite(self.sfreq) and self.sfreq > 0):
            raise DataError(f"sfreq must be a positive number of Hz; got {self.sfreq}")
        if list(self.breaks) != sorted(set(self.breaks)) or any(not 0 < b < self.n_samples for b in self.breaks):
            raise DataError(f"breaks must ascend within (0, {self.n_samples}); got {self.breaks[:5]}")

    @property
    def n_samples(self) -> int:
        """T."""
        return int(self.data.shape[1])

    @property
    def duration(self) -> float:
        """Length of what is recorded, seconds."""
        return self.n_samples / self.sfreq

    @property
    def stop(self) -> float:
        """Time just after the last sample, seconds."""
        return self.start + self.duration

    def runs(self) -> list[tuple[int, int]]:
        """First and one-past-last sample of each connected run."""
        edges = [0, *self.breaks, self.n_samples]
        return list(itertools.pairwise(edges))

    def read(
        self, start: int = 0, stop: int | None = None, rows: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
        """Read samples [start, stop) of all or some rows; shape (rows, samples), the data's own float type."""
        stop = self.n_samples if stop is None else stop
        source = self.data if rows is None else ChannelView(self.data, self._numbers(rows))
        block = np.asarray(source[:, start:stop])
        return block if block.dtype.kind == "f" else block.astype(np.float32)

    def crop(self, start: float, stop: float) -> TimeSeries:
        """Return the samples with start <= time < stop (seconds), read from the source and nothing more.

        Raises
        ------
        DataError
            If no sample lies in the interval.
        """
        first = max(0, int(np.ceil((start - self.start) * self.sfreq - 1e-6)))
        last = min(self.n_samples, int(np.ceil((stop - self.start) * self.sfreq - 1e-6)))
        if last <= first:
            raise DataError(
                f"no sample between {start:g} s and {stop:g} s; the signal spans {self.start:g} to {self.stop:g} s"
            )
        return replace(
            self,
            data=self.read(first, last),
            start=self.start + first / self.sfreq,
            breaks=tuple(b - first for b in self.breaks if first < b < last),
        )

    def take(self, rows: npt.ArrayLike) -> TimeSeries:
        """Return some channels (indices or mask), still lazy."""
        index = self._numbers(rows)
        return replace(self, data=ChannelView(self.data, index), channels=self.channels.take(index))

    def _numbers(self, rows: npt.ArrayLike) -> npt.NDArray[np.int64]:
        index = np.asarray(rows)
        numbers = np.arange(len(self.channels), dtype=np.int64)
        return np.asarray(numbers[index if index.dtype == bool else index.astype(np.int64)])


def carry(times: npt.ArrayLike, source: TimeSeries, target: TimeSeries) -> npt.NDArray[np.float64]:
    """Carry times from the clock of one signal to that of another with the same runs at another rate.

    Runs follow each other without a gap on a signal's clock, and resampling rounds each to whole samples, so the two
    clocks drift apart; a time keeps its run and its place in there.

    Parameters
    ----------
    times : array, shape (...), seconds
    source, target : TimeSeries

    Returns
    -------
    ndarray, shape (...), float64, seconds

    Examples
    --------
    >>> one = TimeSeries(data=np.zeros((1, 6)), sfreq=2.0, channels=Channels.of(["Cz"]), breaks=(3,))
    >>> other = TimeSeries(data=np.zeros((1, 4)), sfreq=1.0, channels=Channels.of(["Cz"]), breaks=(2,))
    >>> carry([1.0, 1.5, 2.0], one, other)
    array([1. , 2. , 2.5])
    """
    when = np.asarray(times, dtype=np.float64)
    old, new = (np.array([first for first, _ in s.runs()]) / s.sfreq + s.start for s in (source, target))  # (R,)
    run = np.maximum(np.searchsorted(old, when + 1e-9, side="right") - 1, 0)
    return np.asarray(when - old[run] + new[run])


def join(parts: Sequence[TimeSeries], modality: str) -> TimeSeries:
    """Put the channels of several signals of one clock under each other, still lazy; free columns are left out.

    Positions in different frames stay as they are, in the frame ``"native"``.

    Raises
    ------
    DataError
        If rate, number of samples, start or breaks differ.
    """
    clocks = {(s.sfreq, s.n_samples, s.start, s.breaks) for s in parts}
    if len(clocks) > 1:
        found = "; ".join(f"{s.modality}: {s.n_samples} samples at {s.sfreq:g} Hz from {s.start:g} s" for s in parts)
        raise DataError(f"signals can be joined when they share rate, samples and breaks; found {found}")
    tables = [s.channels for s in parts]
    frames = {table.frame for table in tables if table.frame != "unknown"}
    rows = {
        f.name: [getattr(t, f.name) for t in tables] for f in fields(Channels) if f.name not in ("frame", "columns")
    }
    merged: dict[str, Any] = {label: np.concatenate(each) for label, each in rows.items()}
    merged |= {label: tuple(map(str, merged[label])) for label in ("name", "kind", "sensor_type", "unit")}
    channels = Channels(**merged, frame=frames.pop() if len(frames) == 1 else "native" if frames else "unknown")
    return replace(parts[0], data=JoinedRows([s.data for s in parts]), channels=channels, modality=modality)


class JoinedRows:
    """The rows of several arrays under each other, read on demand."""

    def __init__(self, parts: Sequence[SampleArray]):
        self.parts, self.first = parts, np.cumsum([0, *(part.shape[0] for part in parts)])
        self.shape: tuple[int, ...] = (int(self.first[-1]), int(parts[0].shape[1]))
        self.dtype = np.result_type(*(part.dtype for part in parts))

    def __getitem__(self, index: Any) -> Any:
        rows, samples = index if isinstance(index, tuple) else (index, slice(None))
        picked = np.atleast_1d(np.arange(self.shape[0])[rows])
        of = np.searchsorted(self.first, picked, side="right") - 1  # part of each row
        order = np.argsort(of, kind="stable")
        blocks = [ChannelView(self.parts[i], picked[of == i] - self.first[i])[:, samples] for i in np.unique(of)]
        return np.concatenate(blocks)[np.argsort(order)]


class ChannelView:
    """Some rows of another array, read on demand."""

    def __init__(self, source: SampleArray, rows: npt.NDArray[np.int64]):
        self.source, self.rows, self.dtype = source, rows, source.dtype
        self.shape: tuple[int, ...] = (len(rows), int(source.shape[1]))

    def __getitem__(self, index: Any) -> Any:
        rows, *rest = index if isinstance(index, tuple) else (index,)
        picked = self.rows[rows]
        samples = rest[0] if rest else slice(None)
        if isinstance(self.source, np.ndarray):
            return self.source[picked, samples]
        if picked.ndim and len(picked) and (np.diff(picked) == 1).all():
            return self.source[int(picked[0]) : int(picked[-1]) + 1, samples]
        if picked.ndim and len(picked) and (np.diff(picked) > 0).all():
            return self.source[picked, samples]
        ascending, back = np.unique(np.atleast_1d(picked), return_inverse=True)  # h5py reads ascending rows only
        block = self.source[ascending, samples][back]
        return block if picked.ndim else block[0]
