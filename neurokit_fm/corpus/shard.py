"""Shard: the windows of one recording in one file, and the row that a corpus's manifest keeps of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.contract import SeriesContract, write_contract
from neurokit_fm.contract.quality import inspect
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries, carry
from neurokit_fm.data.store_windows import WindowStore, save_windows
from neurokit_fm.errors import DataError, StoreError
from neurokit_fm.windows import Bounds, fixed_windows

_FACT = "prepared"
_MEAN, _STD = "recorded_mean", "recorded_std"


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How recordings become windows; equal for all shards of a corpus.

    Attributes
    ----------
    contract : SeriesContract
    window_s, hop_s : float, seconds
    dtype : {"float32", "int16"}
    """

    contract: SeriesContract
    window_s: float
    hop_s: float
    dtype: str = "float32"

    def words(self) -> dict[str, Any]:
        """As JSON values."""
        settings = {"window_s": self.window_s, "hop_s": self.hop_s, "dtype": self.dtype}
        return {"contract": write_contract(self.contract), **settings}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """What a manifest says of one recording.

    Attributes
    ----------
    file : str
        Relative to the corpus.
    source, identity : str
        Key of the recording, and the mark of its content when it was read.
    subject, session, task, run, licence : str
    sha256 : str
        Of the shard's content.
    n_windows, n_samples : int
        W, and T of the longest window.
    short : tuple of (int, int)
        Windows with fewer samples: number and samples.
    seconds : float
        Duration of all windows together.
    frame : str
    channels : tuple of str
    mean, std : tuple of float, SI units
        Of each channel as it was recorded, before the contract; 6 digits.
    steps : tuple of str
        Everything done to the values, in order.
    """

    file: str
    source: str
    identity: str
    subject: str = ""
    session: str = ""
    task: str = ""
    run: str = ""
    licence: str = ""
    sha256: str
    n_windows: int
    n_samples: int
    short: tuple[tuple[int, int], ...] = ()
    seconds: float
    frame: str = "unknown"
    channels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    steps: tuple[str, ...] = ()

    @property
    def n_channels(self) -> int:
        """C."""
        return len(self.channels)

    @classmethod
    def read(cls, path: Path, root: Path) -> tuple[Shard, dict[str, Any]]:
        """Describe a shard file, and return how it was cut (`Cutting.words`).

        Raises
        ------
        StoreError
            If it is no shard, or damaged.
        """
        store = WindowStore(path)
        prepared = store.info.facts.get(_FACT)
        columns = store.channels.columns
        if not isinstance(prepared, Mapping) or _MEAN not in columns or "n_samples" not in store.columns:
            raise StoreError(f"{path} holds windows, but was not written by `nkfm prepare`")
        count, info = store.columns["n_samples"], store.info
        shard = cls(
            file=path.relative_to(root).as_posix(),
            source=info.source,
            identity=str(prepared["identity"]),
            subject=info.subject,
            session=info.session,
            task=info.task,
            run=info.run,
            licence=info.licence,
            sha256=store.sha256,
            n_windows=len(store),
            n_samples=store.shape[2],
            short=tuple((int(i), int(count[i])) for i in np.flatnonzero(count < store.shape[2])),
            seconds=round(float(count.sum()) / store.sfreq, 3),
            frame=store.channels.frame,
            channels=store.channels.name,
            mean=tuple(float(f"{x:.6g}") for x in columns[_MEAN]),
            std=tuple(float(f"{x:.6g}") for x in columns[_STD]),
            steps=info.steps,
        )
        return shard, dict(prepared["cutting"])

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Shard:
        """Undo `row`."""
        tuples = {name: tuple(row[name]) for name in ("channels", "mean", "std", "steps")}
        return cls(**{**row, **tuples, "short": tuple((int(i), int(n)) for i, n in row["short"])})


def write_shard(recording: Recording, path: Path, cutting: Cutting, identity: str) -> None:
    """Apply the contract, cut windows and store them with what is known of each.

    Columns: ``start_s`` (on the clock of the recording), ``n_samples`` (real ones; the rest of a short window is 0),
    and, where there are events, ``event`` (label of the first that starts within the window).

    Raises
    ------
    ContractError
        If the recording does not fit.
    DataError
        If it gives no window.
    StoreError
        If the file cannot be written.
    """
    contract = cutting.contract
    ready = contract.apply(recording)
    _, series = ready.series(contract.modality)
    _, recorded = recording.series(contract.modality)
    shortest = min(contract.min_window_s, cutting.window_s)
    bounds = fixed_windows(series, cutting.window_s, cutting.hop_s, shortest)  # (W, 2)
    if not len(bounds):
        raise DataError(f"{recording.title}: {series.duration:g} s give no window of {shortest:g} s; use a longer one")
    rows = recorded.channels.rows(series.channels.name)
    found = inspect(recorded, rows)
    columns = {**series.channels.columns, _MEAN: found.mean, _STD: found.std}
    start_s = carry(series.start + bounds[:, 0] / series.sfreq, series, recorded)
    known: dict[str, npt.NDArray[Any]] = {"start_s": start_s, "n_samples": bounds[:, 1] - bounds[:, 0]}
    if len(ready.events):
        known["event"] = _first_events(ready, series, bounds)
    facts = {**ready.info.facts, _FACT: {"identity": identity, "cutting": cutting.words()}}
    save_windows(
        path,
        _padded(series, bounds),
        sfreq=series.sfreq,
        channels=replace(series.channels, columns=columns),
        modality=series.modality,
        dtype=cutting.dtype,
        columns=known,
        info=replace(ready.info, facts=facts),
    )


def _padded(series: TimeSeries, bounds: Bounds) -> Any:
    longest = int((bounds[:, 1] - bounds[:, 0]).max())
    for first, last in bounds:
        values = series.read(int(first), int(last))
        yield np.pad(values, ((0, 0), (0, longest - values.shape[1])))  # (C, T)


def _first_events(recording: Recording, series: TimeSeries, bounds: Bounds) -> npt.NDArray[Any]:
    """Label of the first event that starts within each window, empty where there is none, shape (W,)."""
    onset, label = recording.events.onset, recording.events.label
    edges = series.start + bounds / series.sfreq - 1e-9
    first = np.searchsorted(onset, edges[:, 0])
    inside = first < np.searchsorted(onset, edges[:, 1])
    return np.array([label[i] if yes else "" for i, yes in zip(first, inside, strict=True)], dtype=object)
