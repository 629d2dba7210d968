"""What the rules for tokenizers and models put in: made-up batches, their padding filled, their channels permuted."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.collate import collate
from neurokit_fm.batch.graph import GraphStream
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.contract import Contract, PointsContract, SeriesContract, VolumeContract
from neurokit_fm.data.channels import Channels
from neurokit_fm.data.recording import Recording, Signal
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.data.volume import Volume
from neurokit_fm.testing.checks.check import expect
from neurokit_fm.testing.fake import HEAD_RADIUS_M, SERIES, fake_recording
from neurokit_fm.tokens import Features

LAYOUT = {SeriesStream: "series", PointStream: "points", VolumeStream: "volume", GraphStream: "graph"}

CLOSE = 1e-4
"""Largest deviation, relative to the largest value, of results that must be equal: sums in another order, float32."""

Size = tuple[int, float]
"""Channels and seconds of one sample."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Made-up inputs that fit a tokenizer or a model.

    Attributes
    ----------
    accepts : tuple of type
        Stream types; a batch holds one of each.
    contract : Contract
        Says modality, rate, names, frame or grid. Values are given in its units: of unit variance.
    """

    accepts: tuple[type, ...]
    contract: Contract

    @property
    def sizes(self) -> tuple[Size, Size]:
        """A small sample and a large one; as different as the contract allows."""
        few, many = 3, 5
        c = self.contract
        if isinstance(c, PointsContract):
            few, many = (len(c.channels) or n for n in (few, many))
        if not isinstance(c, SeriesContract):
            return (few, 2.0), (many, 3.5)
        few, many = (min(n, c.max_channels or n) if not c.channels else len(c.channels) for n in (few, many))
        return (few, min(c.window_s, 2 * c.min_window_s)), (many, min(c.window_s, 3.5 * c.min_window_s))

    @property
    def shortest(self) -> Size:
        """One channel (or those the contract demands) for as long as the contract's shortest window."""
        assert isinstance(self.contract, SeriesContract)
        return len(self.contract.channels) or 1, self.contract.min_window_s

    def recording(self, size: Size, *, seed: int = 0, known: bool = True, si: bool = False) -> Recording:
        """Make up a sample; `known` positions or none, in the units of the contract or (`si`) of the recording."""
        signals: dict[str, Signal] = {}
        spoken_of = [stream for stream in self.accepts if LAYOUT[stream] == self.contract.layout]
        for stream in spoken_of or self.accepts:  # a model that takes one of several gets what its contract is about
            made = fake_recording(LAYOUT[stream], seed=seed, n_channels=size[0], duration_s=size[1])
            ((name, signal),) = made.signals.items()
            if isinstance(signal, TimeSeries) and isinstance(self.contract, SeriesContract):
                name, signal = self.contract.modality, self._series(self.contract, size, seed, known, si)
            if isinstance(signal, Volume) and isinstance(self.contract, VolumeContract):
                name, signal = self.contract.modality, self._volume(self.contract, signal, size, seed)
            signals[name] = signal
        return Recording(signals=signals)

    def batch(self, *sizes: Size, seeds: Sequence[int] = (), known: bool = True) -> Batch:
        """Collate samples of these sizes."""
        seeds = seeds or range(len(sizes))
        return collate([self.recording(size, seed=s, known=known) for size, s in zip(sizes, seeds, strict=True)])

    def _series(self, c: SeriesContract, size: Size, seed: int, known: bool, si: bool) -> TimeSeries:
        wanted = c.modality.partition("|")[0]
        like = wanted if wanted in SERIES else "eeg"
        made = fake_recording(
            "series",
            seed=seed,
            modality=like,
            n_channels=size[0],
            duration_s=size[1],
            sfreq=c.sfreq,
            frame=c.frame or "template",
            known_positions=known,
        )
        signal: Any = made[like]
        channels = signal.channels
        if known and not channels.has_position.all():
            places = np.random.default_rng(seed).standard_normal((len(channels), 3))
            places *= HEAD_RADIUS_M / np.linalg.norm(places, axis=1, keepdims=True)
            channels = replace(channels, position=places, frame=c.frame or "template")
        names = c.channels or channels.name
        data = signal.read() if si else signal.read() / np.float32(SERIES[like][2])
        series: TimeSeries = replace(signal, data=data, channels=replace(channels, name=names), modality=wanted)
        return series

    def _volume(self, c: VolumeContract, like: Volume, size: Size, seed: int) -> Volume:
        n = min(size[0], len(c.contrasts))
        channels = Channels.of(c.contrasts[:n], kind="contrast", unit="au")
        data = np.random.default_rng(seed).standard_normal((n, *c.shape)).astype(np.float32)
        affine = np.diag([c.spacing_m] * 3 + [1.0])
        return replace(
            like, data=data, affine=affine, channels=channels, missing=np.zeros(n, dtype=bool), modality=c.modality
        )


def filled(stream: Any, value: float) -> Any:
    """Write a value into everything that is padding (row and kind numbers excepted)."""

    def fill(x: Tensor, real: Tensor) -> Tensor:
        return x.masked_fill(~real.view(*real.shape, *[1] * (x.ndim - real.ndim)), value)

    if isinstance(stream, SeriesStream):
        rows, real = stream.channel_mask, stream.channel_mask[:, :, None] & stream.time_mask[:, None]
        places: dict[str, Any] = {
            "positions": fill(stream.positions, rows),
            "orientations": fill(stream.orientations, rows),
        }
        return replace(stream, values=fill(stream.values, real), **places)
    if isinstance(stream, PointStream):
        marks = None if stream.marks is None else fill(stream.marks, stream.mask)
        positions = fill(stream.positions, stream.channel_mask)
        return replace(stream, times=fill(stream.times, stream.mask), marks=marks, positions=positions)
    if isinstance(stream, VolumeStream):
        return replace(stream, values=fill(stream.values, stream.contrast_mask))
    return replace(
        stream, weight=fill(stream.weight, stream.edge_mask), positions=fill(stream.positions, stream.node_mask)
    )


def permuted(stream: Any) -> tuple[Any, Tensor]:
    """Shuffle the channels of an unpadded stream with everything known about them; row i of the result was ``order[i]``."""
    if isinstance(stream, VolumeStream):
        order = _order(len(stream.contrasts))
        contrasts = tuple(stream.contrasts[i] for i in order)
        mask = stream.contrast_mask[:, order]
        return replace(stream, values=stream.values[:, order], contrast_mask=mask, contrasts=contrasts), order
    order = _order(stream.positions.shape[1])
    changed: dict[str, Any] = {"positions": stream.positions[:, order]}
    if stream.names is not None:
        changed["names"] = tuple(tuple(names[i] for i in order) for names in stream.names)
    if isinstance(stream, SeriesStream):
        for label in ("values", "channel_mask", "orientations", "sensor_type"):
            changed[label] = getattr(stream, label)[:, order]
    elif isinstance(stream, PointStream):
        changed |= {"source": order.argsort()[stream.source], "channel_mask": stream.channel_mask[:, order]}
    else:
        changed |= {"edges": order.argsort()[stream.edges], "node_mask": stream.node_mask[:, order]}
    return replace(stream, **changed), order


def _order(n: int) -> Tensor:
    return torch.arange(n).roll(1).flip(0)  # moves every row of two or more, or all but one


def over(batch: Batch, change: Any, *given: Any) -> Batch:
    """Change every stream of a batch."""
    return replace(batch, streams={name: change(stream, *given) for name, stream in batch.streams.items()})


def by_place(values: Tensor, mask: Tensor, index: Tensor, order: Tensor | None = None) -> Tensor | None:
    """Real tokens of all samples (K, D), sorted by channel row and step; rows are named by `order` if given.

    None if a row has no name there.
    """
    rows, steps = index.unbind(-1)  # (B, N)
    if order is not None:
        if not len(order) or int(rows[mask].max()) >= len(order):
            return None
        rows = order[rows.clamp(0, len(order) - 1)]
    sample = torch.arange(len(rows))[:, None]
    place = (sample * (int(rows.max()) + 1) + rows) * (int(steps.max()) + 1) + steps  # (B, N)
    return values[mask][place[mask].argsort(stable=True)]


def deviation(found: Tensor | None, expected: Tensor | None) -> float:
    """Largest difference relative to the largest expected value; infinite where shapes differ or a value is NaN."""
    if found is None or expected is None or found.shape != expected.shape:
        return float("inf")
    if not expected.numel():
        return 0.0
    largest = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    return float("inf") if math.isnan(largest) else largest


def difference(found: Features, expected: Features, samples: tuple[int, int] = (0, 0)) -> float:
    """How far real tokens and summary of one sample of a batch are from those of one of another."""
    a, b = samples
    tokens = deviation(found.tokens[a, found.mask[a]], expected.tokens[b, expected.mask[b]])
    return max(tokens, deviation(found.pooled()[a], expected.pooled()[b]))


def finite(out: Features) -> bool:
    """Whether all that is real is finite."""
    return bool(torch.isfinite(out.tokens[out.mask]).all() and torch.isfinite(out.pooled()).all())


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Give new parameters the same values each time, and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def untouched() -> Iterator[None]:
    """Expect that no global random state changes."""
    before = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()
    yield
    changed = [
        label
        for label, same in (
            ("torch", torch.equal(before[0], torch.get_rng_state())),
            ("numpy", before[1] == repr(np.random.get_state())),
            ("random", before[2] == random.getstate()),
        )
        if not same
    ]
    mend = "draw from the generator or seed you are given; set dropout to 0 in `example`"
    expect(not changed, f"the global state of {' and '.join(changed)} was drawn from or seeded", mend)
