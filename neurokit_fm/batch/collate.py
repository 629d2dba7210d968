"""collate: recordings (or windows of them) in, one padded Batch out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch, Stream
from neurokit_fm.batch.graph import GraphStream
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.data.graph import Graph
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.data.volume import Volume
from neurokit_fm.errors import DataError


def collate(recordings: Sequence[Recording], *, target: Any = None) -> Batch:
    """Put recordings into one padded batch, signal by signal.

    Parameters
    ----------
    recordings : sequence of Recording
        All with the same signal names; channel numbers and lengths may differ. Values are taken as they are: scaling
        to what a model wants is the contract's job.
    target : array, shape (B, ...), optional

    Raises
    ------
    DataError
        If the list is empty, the signals differ, or series differ in rate or frame.
    """
    if not recordings:
        raise DataError("cannot make a batch of no recordings")
    names = list(recordings[0].signals)
    for rec in recordings[1:]:
        if list(rec.signals) != names:
            raise DataError(
                f"recordings of one batch must hold the same signals; found {names} and {list(rec.signals)}"
            )
    streams = {name: _stream([rec.signals[name] for rec in recordings]) for name in names}
    return Batch(streams=streams, target=None if target is None else torch.as_tensor(target))


def _stream(signals: Sequence[Any]) -> Stream:
    kinds = {type(s) for s in signals}
    if len(kinds) > 1:
        raise DataError(f"one signal name, several layouts: {', '.join(sorted(k.__name__ for k in kinds))}")
    make: dict[type, Callable[[Sequence[Any]], Stream]] = {
        TimeSeries: collate_series,
        PointProcess: collate_points,
        Volume: collate_volumes,
        Graph: collate_graphs,
    }
    return make[kinds.pop()](signals)


def collate_series(signals: Sequence[TimeSeries]) -> SeriesStream:
    """Pad time series of one rate and frame to (B, C, T)."""
    rates, frames = {s.sfreq for s in signals}, {s.channels.frame for s in signals}
    if len(rates) > 1 or len(frames) > 1:
        raise DataError(
            f"series of one batch must share rate and frame; found {sorted(rates)} Hz in {sorted(frames)}. "
            "Apply the model's contract first."
        )
    return SeriesStream(
        values=_pad([s.read().astype(np.float32, copy=False) for s in signals]),
        sfreq=rates.pop(),
        channel_mask=_mask([len(s.channels) for s in signals]),
        time_mask=_mask([s.n_samples for s in signals]),
        positions=_pad([s.channels.position.astype(np.float32) for s in signals]),
        orientations=_pad([s.channels.orientation.astype(np.float32) for s in signals]),
        sensor_type=_pad([s.channels.sensor_type_id for s in signals], fill=-1),
        start=torch.tensor([s.start for s in signals], dtype=torch.float64),
        names=tuple(s.channels.name for s in signals),
        frame=frames.pop(),
    )


def collate_points(signals: Sequence[PointProcess]) -> PointStream:
    """Pad point processes; times count from the start of each."""
    marks = [s.marks for s in signals]
    return PointStream(
        times=_pad([(s.times - s.start).astype(np.float32) for s in signals]),
        source=_pad([s.source for s in signals]),
        mask=_mask([len(s.times) for s in signals]),
        marks=_pad([m for m in marks if m is not None]) if all(m is not None for m in marks) else None,
        channel_mask=_mask([len(s.channels) for s in signals]),
        positions=_pad([s.channels.position.astype(np.float32) for s in signals]),
        duration=torch.tensor([s.stop - s.start for s in signals], dtype=torch.float32),
        names=tuple(s.channels.name for s in signals),
    )


def collate_volumes(signals: Sequence[Volume]) -> VolumeStream:
    """Stack still volumes of one grid; contrasts are matched by name and absent ones masked."""
    grids = {tuple(s.data.shape[-3:]) for s in signals}
    if len(grids) > 1 or any(s.sfreq is not None for s in signals):
        raise DataError(f"volumes of one batch must be still and on one grid; found {sorted(grids)}")
    contrasts = tuple(dict.fromkeys(name for s in signals for name in s.channels.name))
    values = torch.zeros((len(signals), len(contrasts), *grids.pop()))
    mask = torch.zeros((len(signals), len(contrasts)), dtype=torch.bool)
    for b, signal in enumerate(signals):
        for row, name in enumerate(signal.channels.name):
            if not signal.missing[row]:
                values[b, contrasts.index(name)] = torch.from_numpy(np.array(signal.data[row], dtype=np.float32))
                mask[b, contrasts.index(name)] = True
    affine = torch.stack([torch.from_numpy(np.array(s.affine)) for s in signals])
    return VolumeStream(values=values, contrast_mask=mask, affine=affine, contrasts=contrasts)


def collate_graphs(signals: Sequence[Graph]) -> GraphStream:
    """Pad graphs that share their edge kinds."""
    kinds = {s.kinds for s in signals}
    if len(kinds) > 1:
        raise DataError(f"graphs of one batch must share their edge kinds; found {sorted(kinds)}")
    return GraphStream(
        edges=_pad([s.edges for s in signals]),
        weight=_pad([s.weight for s in signals]),
        kind=_pad([s.kind for s in signals]),
        edge_mask=_mask([s.edges.shape[1] for s in signals]),
        node_mask=_mask([len(s.channels) for s in signals]),
        positions=_pad([s.channels.position.astype(np.float32) for s in signals]),
        kinds=kinds.pop(),
        names=tuple(s.channels.name for s in signals),
    )


def _pad(arrays: Sequence[Any], fill: float = 0) -> Tensor:
    """Stack arrays that differ in size, each in the low corner of its slot."""
    shape = tuple(max(a.shape[i] for a in arrays) for i in range(arrays[0].ndim))
    out = torch.full((len(arrays), *shape), fill, dtype=torch.from_numpy(arrays[0][:0]).dtype)
    for b, a in enumerate(arrays):
        corner: tuple[Any, ...] = (b, *map(slice, a.shape))
        out[corner] = torch.from_numpy(np.ascontiguousarray(a))
    return out


def _mask(lengths: Sequence[int]) -> Tensor:
    return torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]  # (B, longest)
