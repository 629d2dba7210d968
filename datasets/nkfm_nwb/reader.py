"""read_nwb: what an NWB file holds of voltages, fluorescence, spikes and events. pynwb finds it; samples stay on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels, Events, Info, PointProcess, Recording, TimeSeries
from neurokit_fm.data.recording import Signal
from neurokit_fm.errors import ConfigError, DataError, UnknownName, did_you_mean, need
from nkfm_nwb.opening import opened
from nkfm_nwb.samples import NwbSamples
from nkfm_nwb.tables import METRES, cells, electrode_kinds, electrodes, join_events, moments, table_events
from nkfm_nwb.timing import Timing, timing_of


@dataclass
class _Found:
    """What was met on the way through a file."""

    signals: dict[str, Signal] = field(default_factory=dict)
    timing: dict[str, Timing] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says without its signals: who, which trials, and the names of its signals.

    Attributes
    ----------
    info : Info
    events : Events
        On the file's clock.
    signals : tuple of str
    """

    info: Info
    events: Events
    signals: tuple[str, ...]


def look(path: Path, label_column: str = "") -> About:
    """Read all of a file but its signals; arguments and errors are those of `read_nwb`."""
    with opened(path) as (nwb, unknown):
        found = _Found(passed=unknown)
        names = tuple(_signals(nwb, found))
        return About(info=_info(path, nwb, found), events=_events(nwb, label_column, []), signals=names)


def read_nwb(
    path: Path,
    *,
    signal: str = "",
    modality: str = "",
    names: str = "",
    position_unit: str = "",
    frame: str = "",
    label_column: str = "",
) -> Recording:
    """Read an NWB 2 file.

    Parameters
    ----------
    path : Path
    signal : str
        Only this one of the signals, by its name; default: all.
    modality : {"", "eeg", "ieeg"}
        What electrical series are; default: ``eeg`` where groups, locations or series speak of EEG or the scalp, else ``ieeg``.
        A column ``type`` of the electrodes table (``EEG, EOG, SEEG, ECOG`` ...) goes before.
    names : str
        Column of the electrodes table that names its rows, or ``"id"``; default: ``channel_name``, ``label`` or ids.
    position_unit : {"", "m", "mm", "um"}
        Unit of the electrodes' ``x, y, z``, which the format leaves open; default: not known.
    frame : str
        Coordinate frame of ``x, y, z``; needed with `position_unit`.
    label_column : str
        Column of the tables of intervals that labels events; default: ``trial_type``, ``label``, ``condition``, or the
        table's name. ``"table"`` = the table's name.

    Returns
    -------
    Recording
        A signal for each ``ElectricalSeries`` (volts), ``RoiResponseSeries`` and table of units, named as in the file, with the
        container before it where a name occurs twice: ``DfOverF/RoiResponseSeries``. Times are those of the file. Gaps in
        timestamps become breaks, and events and spikes move to the clock of recorded samples.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If it is no NWB file or damaged, holds no signal, repeats names of electrodes, or a series has no regular times.
    UnknownName
        If it has no such signal, naming those it has.
    MissingDependency
        If pynwb is not installed.

    Notes
    -----
    Volts are ``data * conversion * channel_conversion + offset``. Positions are used only if unit and frame are said; without,
    ``x, y, z`` are columns of the channels as they stand in the file, and a step says so. Electrodes are bad where a column
    ``bad`` says so or a column ``good`` does not. Not read: names of experimenters and dates of birth.
    """
    path = Path(path)
    if position_unit and position_unit not in METRES:
        raise ConfigError(f"position_unit must be one of {', '.join(METRES)}, or empty; got {position_unit!r}")
    if bool(position_unit) != bool(frame):
        raise ConfigError("position_unit and frame go together: positions need both, such as 'mm' and 'mri'")
    if modality not in ("", "eeg", "ieeg"):
        raise ConfigError(f"modality must be 'eeg' or 'ieeg', or empty; got {modality!r}")
    with opened(path) as (nwb, unknown):
        found = _Found(passed=unknown)
        sources = _signals(nwb, found)
        if signal and signal not in sources:
            raise UnknownName(
                f"{path} has no signal {signal!r}; it holds {', '.join(sources) or 'none'}.{did_you_mean(signal, sources)}"
            )
        for name, item in sources.items():
            if signal and name != signal:
                continue
            try:
                _add(name, item, found, modality=modality, names=names, unit=position_unit, frame=frame)
            except DataError as err:
                others = ", ".join(other for other in sources if other != name)
                way = f" Or open another with `signal` of the data set 'nwb': {others}" if others and not signal else ""
                raise DataError(f"{path}: {name}: {err}{way}") from err
        if not found.signals:
            held = ", ".join(found.passed) or "nothing else"
            raise DataError(f"{path} holds no ElectricalSeries, RoiResponseSeries or units; it holds {held}")
        events = _events(nwb, label_column, found.steps)
        info = _info(path, nwb, found)
        recording = Recording(signals=found.signals, events=events, info=info)
        return _without_gaps(recording, found.timing)


def _signals(nwb: Any, found: _Found) -> dict[str, Any]:
    """Series and tables of units by name, in the file's order: acquired, then processed."""
    pynwb = need("pynwb", "reading NWB files", extra="nwb")
    spikes = need("pynwb.ecephys", "reading NWB files", extra="nwb")
    optical = need("pynwb.ophys", "reading NWB files", extra="nwb")
    wanted = (spikes.ElectricalSeries, optical.RoiResponseSeries, pynwb.misc.Units)
    met: list[tuple[str, Any]] = []
    for item, route in _walk(nwb):
        if isinstance(item, wanted) and not isinstance(item, spikes.SpikeEventSeries):
            met.append((route, item))
        elif isinstance(item, pynwb.TimeSeries) and not isinstance(item, pynwb.misc.AnnotationSeries):
            found.passed.append(f"{route} ({type(item).__name__})")
    routes = [route.split("/") for route, _ in met]
    return {_shortest(route, routes): item for route, (_, item) in zip(routes, met, strict=True)}


def _shortest(route: list[str], routes: list[list[str]]) -> str:
    """End of a route that no other has."""
    ends = (n for n in range(1, len(route)) if sum(other[-n:] == route[-n:] for other in routes) == 1)
    return "/".join(route[-next(ends, len(route)) :])


def _walk(nwb: Any) -> Iterator[tuple[Any, str]]:
    """Every object of acquisition, processing and analysis with its route, and the table of units."""
    seen: set[int] = set()

    def below(item: Any, route: str) -> Iterator[tuple[Any, str]]:
        if id(item) in seen:
            return
        seen.add(id(item))
        yield item, route
        for child in item.children:
            yield from below(child, f"{route}/{child.name}")

    for place, items in (("acquisition", nwb.acquisition), ("processing", nwb.processing), ("analysis", nwb.analysis)):
        for item in items.values():
            yield from below(item, f"{place}/{item.name}")
    if nwb.units is not None:
        yield from below(nwb.units, "spikes")


def _add(name: str, item: Any, found: _Found, *, modality: str, names: str, unit: str, frame: str) -> None:
    """Make a signal of an object of the file."""
    kind = type(item).__name__
    if hasattr(item, "colnames"):
        if "spike_times" in item.colnames:
            found.signals[name] = _points(item, found.steps, name)
        else:
            found.passed.append(f"{name} ({kind} without spike times)")
        return
    data = item.data
    if not hasattr(data, "file") or len(data.shape) > 2 or 0 in data.shape:
        found.passed.append(f"{name} ({kind} of shape {tuple(np.shape(data))})")
        return
    n_samples, n_rows = int(data.shape[0]), int(data.shape[1]) if len(data.shape) == 2 else 1
    region = item.electrodes if hasattr(item, "electrodes") else item.rois
    if len(region.data) != n_rows:
        turned = "; it seems to be (channels, samples), and the format wants (samples, channels)"
        raise DataError(
            f"data of shape {tuple(data.shape)} for {len(region.data)} rows of {region.table.name!r}"
            f"{turned if len(data.shape) == 2 and data.shape[0] == len(region.data) else ''}"
        )
    factor = np.full(n_rows, float(item.conversion))
    if getattr(item, "channel_conversion", None) is not None:
        factor *= np.asarray(item.channel_conversion[:], dtype=np.float64)
    if hasattr(item, "electrodes"):
        channels = _electrodes(item, found.steps, name, modality, names, unit, frame)
    else:
        channels = cells(region.table, np.asarray(region.data[:], dtype=np.int64))
    timing = timing_of(item, n_samples)
    found.timing[name] = timing
    found.signals[name] = TimeSeries(
        data=NwbSamples(data, factor, float(item.offset or 0.0)),
        sfreq=timing.sfreq,
        channels=channels,
        modality=_modality(channels),
        start=timing.start[0],
        breaks=timing.first[1:],
    )


def _electrodes(item: Any, steps: list[str], name: str, modality: str, names: str, unit: str, frame: str) -> Channels:
    """Electrodes of a series as channels; what they are is said by the words of the file."""
    columns, known = electrodes(item, names, unit, frame)
    kinds = electrode_kinds(item, columns, f"{name} {item.description}", modality)
    if not modality:
        found = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        steps.append(f"{name}: electrodes taken for {found} by the words of the file")
    if {"x", "y", "z"} <= columns.keys() and not unit and np.isfinite(columns["x"].astype(np.float64)).any():
        steps.append(
            f"{name}: x, y, z of the electrodes are not used as positions: the file does not say unit and frame"
        )
    return Channels.of(kind=kinds, unit="V", columns=columns, **known)


def _modality(channels: Channels) -> str:
    kinds = set(channels.kind)
    return "calcium" if "neuron" in kinds else "ieeg" if kinds & {"seeg", "ecog", "dbs"} else "eeg"


def _points(units: Any, steps: list[str], name: str) -> PointProcess:
    """Spikes of all units in order; they are held in memory."""
    index = units["spike_times"]
    times, ends = np.asarray(index.target.data[:], dtype=np.float64), np.asarray(index.data[:], dtype=np.int64)
    source = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    order = np.argsort(times, kind="stable")
    if len(times) and not np.isfinite(times).all():
        raise DataError(f"{int((~np.isfinite(times)).sum())} spike times are not finite")
    if "obs_intervals" in units.colnames:
        seen = np.asarray(units["obs_intervals"].target.data[:], dtype=np.float64).reshape(-1, 2)
        support = _union(seen)
    else:
        support = np.array([[times.min(), np.nextafter(times.max(), np.inf)]]) if len(times) else np.zeros((0, 2))
        steps.append(
            f"{name}: the file does not say when units were observed; from the first spike to the last is assumed"
        )
    channels = cells(units, np.arange(len(ends)))
    return PointProcess(times=times[order], source=source[order], channels=channels, support=support)


def _union(spans: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Join overlapping [start, stop) pairs, shape (S, 2)."""
    joined: list[list[float]] = []
    for start, stop in spans[np.argsort(spans[:, 0], kind="stable")].tolist():
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    return np.array(joined).reshape(-1, 2)


def _events(nwb: Any, label_column: str, steps: list[str]) -> Events:
    """Trials, epochs and other intervals, tables of events, annotations and behavioural events."""
    pynwb = need("pynwb", "reading NWB files", extra="nwb")
    tables = [nwb.trials, nwb.epochs, nwb.invalid_times, *(nwb.intervals or {}).values()]
    tables += list((getattr(nwb, "events", None) or {}).values())
    parts, marked = [], []
    for item, _ in _walk(nwb):
        if isinstance(item, pynwb.epoch.TimeIntervals):
            tables.append(item)
        elif isinstance(item, pynwb.misc.AnnotationSeries):
            marked.append((item, [str(word) for word in item.data[:]]))
        elif isinstance(item, pynwb.behavior.BehavioralEvents):
            marked += [(s, [s.name] * len(s.timestamps)) for s in item.time_series.values() if s.timestamps is not None]
    for item in (nwb.stimulus or {}).values():
        if isinstance(item, pynwb.misc.AnnotationSeries):
            marked.append((item, [str(word) for word in item.data[:]]))
    for table in {id(table): table for table in tables if table is not None}.values():
        events, dropped = table_events(table, label_column)
        parts.append(events)
        if dropped:
            steps.append(f"{dropped} rows of {table.name!r} without a time were left out")
    parts += [moments(item, labels) for item, labels in marked]
    return join_events([part for part in parts if len(part)])


def _info(path: Path, nwb: Any, found: _Found) -> Info:
    """Who, where, and what to cite."""
    named = dict(re.findall(r"(?:^|_)(sub|ses|task|run)-([^_]+)", path.name.removesuffix(path.suffix)))
    person = nwb.subject
    about = {key: getattr(person, key, None) for key in ("species", "sex", "age", "genotype", "strain")}
    about |= {key: getattr(nwb, key, None) for key in ("institution", "lab", "session_description")}
    facts = {key: str(value) for key, value in about.items() if value}
    if nwb.session_start_time is not None:
        facts["meas_date"] = nwb.session_start_time.isoformat()
    if found.passed:
        facts["not_read"] = ", ".join(found.passed)
    return Info(
        source=str(path),
        subject=str(getattr(person, "subject_id", None) or named.get("sub", "")),
        session=str(nwb.session_id or named.get("ses", "")),
        task=named.get("task", ""),
        run=named.get("run", ""),
        citation="; ".join(str(x) for x in nwb.related_publications or ()),
        steps=tuple(found.steps),
        facts=facts,
    )


def _without_gaps(recording: Recording, timings: dict[str, Timing]) -> Recording:
    """Put events and spikes on the clock of signals with gaps, on which runs follow each other.

    Raises
    ------
    DataError
        If signals differ in their gaps: then there is no such clock.
    """
    gapped = {name: timing for name, timing in timings.items() if len(timing.first) > 1}
    if not gapped:
        return recording
    clock = next(iter(gapped.values()))
    for timing in timings.values():
        slack = 2 / timing.sfreq + 2 / clock.sfreq
        same = len(timing.start) == len(clock.start) and np.allclose(timing.start, clock.start, rtol=0, atol=slack)
        if not (same and np.allclose(timing.stop, clock.stop, rtol=0, atol=slack)):
            raise DataError(
                f"{recording.title}: signals have gaps at different times ({', '.join(gapped)} of {', '.join(timings)}); "
                "choose one: nkfm.datasets.load('nwb')([path], signal=...)"
            )
    signals = dict(recording.signals)
    for name, points in signals.items():
        if isinstance(points, PointProcess):
            times, recorded = clock.carry(points.times)
            marks = None if points.marks is None else points.marks[recorded]
            spans = np.stack([clock.carry(edge)[0] for edge in points.support.T], axis=1)
            signals[name] = replace(
                points, times=times[recorded], source=points.source[recorded], marks=marks, support=_union(spans)
            )
    onset, recorded = clock.carry(recording.events.onset)
    kept = recording.events.take(recorded)
    steps = [f"joined {len(clock.first)} runs with gaps between them; times count recorded samples only"]
    if not recorded.all():
        steps.append(f"{int((~recorded).sum())} events within a gap were left out")
    info = replace(recording.info, steps=(*recording.info.steps, *steps))
    events = Events.of(onset[recorded], kept.label, kept.duration, kept.columns)
    return replace(recording, signals=signals, events=events, info=info)
