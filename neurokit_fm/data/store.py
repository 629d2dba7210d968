"""Recordings in one HDF5 file: every signal, event and fact, written whole and mapped back without a copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurokit_fm.data.graph import Graph
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Recording, Signal
from neurokit_fm.data.series import SampleArray, TimeSeries
from neurokit_fm.data.store_file import (
    FileMap,
    blocks_along,
    key_of,
    name_of,
    opened,
    write_array,
    write_samples,
    writing,
)
from neurokit_fm.data.store_hash import check_content
from neurokit_fm.data.store_int16 import ScaledSamples, choose_scale, encode
from neurokit_fm.data.store_tables import (
    info_attributes,
    read_channels,
    read_events,
    read_info,
    read_words,
    write_channels,
    write_events,
)
from neurokit_fm.data.volume import Volume
from neurokit_fm.errors import StoreError, UnknownName, did_you_mean

_DTYPES = ("float32", "float64", "int16")


def save_recording(
    recording: Recording,
    path: str | os.PathLike[str],
    *,
    dtype: str | None = None,
    scale: Mapping[str, npt.ArrayLike] | None = None,
) -> None:
    """Store a recording; long signals are copied block by block and never held whole.

    Parameters
    ----------
    recording : Recording
    path : path-like
        By custom ending in ``.nkfm.h5``. An existing file is replaced once the new one is complete.
    dtype : {"float32", "float64", "int16"}, optional
        How samples of time series are stored. Default: as they are, without loss. With ``"int16"`` each channel gets
        a scale and an offset, values come back as float32 within half a step (the channel's range / 65,534; twice
        that if the range is lopsided about zero), and the source is read twice.
    scale : mapping of str to array, shape () or (C,), optional
        For signals whose samples are whole multiples of a known step: signal name to the step in the signal's unit.
        They are stored as int16 without loss, whatever `dtype` says.

    Raises
    ------
    StoreError
        If the disk is full, the folder is missing, a fact is not JSON-able, or samples do not fit int16; nothing is
        left behind.
    UnknownName
        If `scale` names a signal that the recording does not have.
    """
    steps = dict(scale or {})
    if dtype is not None and dtype not in _DTYPES:
        raise StoreError(
            f"dtype must be one of {', '.join(_DTYPES)}, or None to keep the samples as they are; got {dtype!r}"
        )
    for name in steps:
        if not isinstance(recording.signals.get(name), TimeSeries):
            hint = did_you_mean(name, recording.signals)
            raise UnknownName(f"scale: {recording.title} has no time series {name!r}.{hint}")
    stored = {name: "int16" if name in steps else dtype for name in recording.signals}
    needed = sum(_size(signal, stored[name]) for name, signal in recording.signals.items())
    with writing(path, "recording", needed=needed, attributes=info_attributes(recording.info)) as file:
        write_events(file, recording.events)
        signals = file.create_group("signals", track_order=True)
        for name, signal in recording.signals.items():
            group = signals.create_group(key_of(name), track_order=True)
            group.attrs.update({"layout": signal.layout, "modality": signal.modality})
            write_channels(group, signal.channels)
            if isinstance(signal, TimeSeries):
                _write_series(group, signal, stored[name], steps.get(name))
            elif isinstance(signal, PointProcess):
                _write_points(group, signal)
            elif isinstance(signal, Volume):
                _write_volume(group, signal)
            else:
                _write_graph(group, signal)


def open_recording(path: str | os.PathLike[str], *, verify: bool = False) -> Recording:
    """Open a stored recording; samples are `numpy.memmap` views of the file, read when they are used.

    Parameters
    ----------
    path : path-like
    verify : bool
        Compare all content with its hashes first, which reads the whole file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StoreError
        If it is no recording stored by neurokit_fm, comes from a later format, is cut short or damaged.
    """
    with opened(path, "recording", verify=verify) as file:
        mapped = FileMap(file)
        groups = file["signals"].items()
        signals = {name_of(key): _READ[group.attrs["layout"]](group, mapped) for key, group in groups}
        return Recording(signals=signals, events=read_events(file), info=read_info(file))


def verify(path: str | os.PathLike[str]) -> str:
    """Compare everything in a stored file of any kind with its hashes; return the hash of its content.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StoreError
        Naming what changed since it was written.
    """
    with opened(path, None) as file:
        return check_content(file)


def _size(signal: Signal, dtype: str | None) -> int:
    if isinstance(signal, TimeSeries):
        return int(np.prod(signal.data.shape)) * np.dtype(dtype or signal.data.dtype).itemsize
    if isinstance(signal, Volume):
        return int(np.prod(signal.data.shape)) * np.dtype(signal.data.dtype).itemsize
    if isinstance(signal, PointProcess):
        return signal.times.nbytes + signal.source.nbytes + (0 if signal.marks is None else signal.marks.nbytes)
    return signal.edges.nbytes + signal.weight.nbytes + signal.kind.nbytes


def _write_series(group: h5py.Group, series: TimeSeries, dtype: str | None, step: npt.ArrayLike | None) -> None:
    group.attrs.update({"sfreq": series.sfreq, "start": series.start})
    write_array(group, "breaks", np.array(series.breaks, dtype=np.int64))
    if dtype != "int16":
        write_samples(group, "data", series.data, dtype or series.data.dtype)
        return
    rows = len(series.channels)
    if step is None:
        scale, offset = choose_scale(*_range(series.data))
    else:
        scale, offset = np.broadcast_to(np.asarray(step, dtype=np.float64), (rows,)), np.zeros(rows)
    if not (scale > 0).all():
        raise StoreError(f"scale must be positive; got {scale.min():g}")
    write_array(group, "scale", scale)
    write_array(group, "offset", offset)
    dataset = group.create_dataset("data", shape=series.data.shape, dtype=np.int16)
    for block in blocks_along(series.data.shape, 8, axis=1):
        dataset[block] = encode(series.data[block], scale, offset, series.channels.name, exact=step is not None)


def _range(data: SampleArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Smallest and largest value of each row; 0 where there are no samples, NaN where a sample is NaN."""
    lowest, highest = np.full(data.shape[0], np.inf), np.full(data.shape[0], -np.inf)
    for index in blocks_along(data.shape, 8, axis=1):
        block = np.asarray(data[index], dtype=np.float64)
        lowest, highest = np.minimum(lowest, block.min(axis=1)), np.maximum(highest, block.max(axis=1))
    return (lowest, highest) if data.shape[1] else (np.zeros(data.shape[0]), np.zeros(data.shape[0]))


def _write_points(group: h5py.Group, points: PointProcess) -> None:
    for label in ("times", "source", "support"):
        write_array(group, label, getattr(points, label))
    if points.marks is not None:
        write_array(group, "marks", points.marks)


def _write_volume(group: h5py.Group, volume: Volume) -> None:
    group.attrs["start"] = volume.start
    if volume.sfreq is not None:
        group.attrs["sfreq"] = volume.sfreq
    write_array(group, "affine", volume.affine)
    write_array(group, "missing", volume.missing)
    write_samples(group, "data", volume.data, volume.data.dtype)


def _write_graph(group: h5py.Group, graph: Graph) -> None:
    group.attrs["directed"] = graph.directed
    write_array(group, "kinds", np.array(graph.kinds, dtype=object))
    for label in ("edges", "weight", "kind"):
        write_array(group, label, getattr(graph, label))


def _read_series(group: h5py.Group, mapped: FileMap) -> TimeSeries:
    data: SampleArray = mapped.array(group["data"])
    if "scale" in group:
        data = ScaledSamples(mapped.array(group["data"]), group["scale"][()], group["offset"][()])
    return TimeSeries(
        data=data,
        sfreq=float(group.attrs["sfreq"]),
        channels=read_channels(group),
        modality=group.attrs["modality"],
        start=float(group.attrs["start"]),
        breaks=tuple(group["breaks"][()].tolist()),
    )


def _read_points(group: h5py.Group, mapped: FileMap) -> PointProcess:
    return PointProcess(
        times=mapped.array(group["times"]),
        source=mapped.array(group["source"]),
        channels=read_channels(group),
        support=group["support"][()],
        marks=mapped.array(group["marks"]) if "marks" in group else None,
        modality=group.attrs["modality"],
    )


def _read_volume(group: h5py.Group, mapped: FileMap) -> Volume:
    return Volume(
        data=mapped.array(group["data"]),
        affine=group["affine"][()],
        channels=read_channels(group),
        missing=group["missing"][()],
        sfreq=float(group.attrs["sfreq"]) if "sfreq" in group.attrs else None,
        start=float(group.attrs["start"]),
        modality=group.attrs["modality"],
    )


def _read_graph(group: h5py.Group, mapped: FileMap) -> Graph:
    return Graph(
        edges=mapped.array(group["edges"]),
        weight=mapped.array(group["weight"]),
        kind=mapped.array(group["kind"]),
        kinds=read_words(group["kinds"]),
        channels=read_channels(group),
        directed=bool(group.attrs["directed"]),
        modality=group.attrs["modality"],
    )


_READ: Mapping[str, Callable[[h5py.Group, FileMap], Any]] = {
    TimeSeries.layout: _read_series,
    PointProcess.layout: _read_points,
    Volume.layout: _read_volume,
    Graph.layout: _read_graph,
}
