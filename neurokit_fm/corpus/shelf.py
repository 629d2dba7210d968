"""Shelf: the shards of several corpora, mapped as they are needed, and batches copied straight out of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.corpus.packing import Ids
from neurokit_fm.corpus.shard import Shard
from neurokit_fm.data.store_windows import WindowStore
from neurokit_fm.errors import StoreError

OPEN = 256
"""Shards mapped at once; systems allow a process some 1,000 open files."""


@dataclass(frozen=True, eq=False)
class _Table:
    """What is known of the windows of a shard, as the batch wants it."""

    store: WindowStore
    position: npt.NDArray[np.float32]
    orientation: npt.NDArray[np.float32]
    sensor_type: npt.NDArray[np.int64]
    names: tuple[str, ...]
    start_s: npt.NDArray[np.float64]


class Shelf:
    """Windows of all shards under one number.

    Parameters
    ----------
    corpora : sequence of Corpus
        With equal contracts.

    Attributes
    ----------
    first : ndarray, shape (shards + 1,), int64
        Number of the first window of each shard.
    """

    def __init__(self, corpora: Sequence[Corpus]):
        self._shards: list[tuple[Corpus, Shard]] = [(corpus, shard) for corpus in corpora for shard in corpus.shards]
        self.contract = corpora[0].contract
        self.first = np.cumsum([0, *(shard.n_windows for _, shard in self._shards)], dtype=np.int64)
        self._channels = np.array([shard.n_channels for _, shard in self._shards], np.int64)
        self._samples = np.array([shard.n_samples for _, shard in self._shards], np.int64)
        short = [(self.first[s] + i, n) for s, (_, shard) in enumerate(self._shards) for i, n in shard.short]
        self._short = np.array(sorted(short), np.int64).reshape(-1, 2)
        frames = {shard.frame for _, shard in self._shards}
        self._frame = frames.pop() if len(frames) == 1 else None
        self._tables: dict[int, _Table] = {}
        self._mapped: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return int(self.first[-1])

    def sizes(self, ids: Ids) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Shard, channels and samples of windows, each of shape (B,)."""
        shard = np.searchsorted(self.first, ids, side="right") - 1
        samples = self._samples[shard]
        if len(self._short):
            at = np.minimum(np.searchsorted(self._short[:, 0], ids), len(self._short) - 1)
            samples = np.where(self._short[at, 0] == ids, self._short[at, 1], samples)
        return shard, self._channels[shard], samples

    def batch(self, ids: Ids, buffer: Tensor) -> Batch:
        """Copy windows into a buffer, padded with 0, and say what they are.

        Parameters
        ----------
        ids : ndarray, shape (B,)
        buffer : Tensor, shape (at least B * C * T,), float32, contiguous
            Becomes the values of the batch.

        Raises
        ------
        StoreError
            If a shard is gone, damaged or replaced; it is named.
        """
        shards, channels, samples = self.sizes(ids)
        b, c, t = len(ids), int(channels.max()), int(samples.max())
        values = buffer[: b * c * t].view(b, c, t)
        out = values.numpy()  # (B, C, T)
        position, orientation = (np.zeros((b, c, 3), np.float32) for _ in range(2))
        sensor_type, start = np.full((b, c), -1, np.int64), np.zeros(b)
        names: list[tuple[str, ...]] = [()] * b
        for s in np.unique(shards).tolist():
            table, here = self._table(s), np.flatnonzero(shards == s)
            rows, n = ids[here] - self.first[s], len(table.names)
            position[here, :n], orientation[here, :n] = table.position, table.orientation
            sensor_type[here, :n], start[here] = table.sensor_type, table.start_s[rows]
            for i, row in zip(here.tolist(), rows.tolist(), strict=True):
                length, names[i] = int(samples[i]), table.names
                table.store.fill(row, out[i, :n, :length])
                if length < t or n < c:
                    out[i, :n, length:], out[i, n:] = 0, 0
        if self._frame is None:  # several, and the contract asks for none
            position[...] = np.nan
        stream = SeriesStream(
            values=values,
            sfreq=self.contract.sfreq,
            channel_mask=torch.from_numpy(np.arange(c) < channels[:, None]),
            time_mask=torch.from_numpy(np.arange(t) < samples[:, None]),
            positions=torch.from_numpy(position),
            orientations=torch.from_numpy(orientation),
            sensor_type=torch.from_numpy(sensor_type),
            start=torch.from_numpy(start),
            names=tuple(names),
            frame=self._frame or "unknown",
        )
        return Batch(streams={self.contract.modality: stream})

    def _table(self, shard: int) -> _Table:
        """Open a shard once; give back the map of the one used longest ago if too many are open."""
        if shard not in self._tables:
            corpus, row = self._shards[shard]
            store = corpus.open(row)
            if store.shape != (row.n_windows, row.n_channels, row.n_samples):
                raise StoreError(f"{store.path} does not hold what the manifest says; run `nkfm prepare` again")
            self._tables[shard] = _Table(
                store,
                store.channels.position.astype(np.float32),
                store.channels.orientation.astype(np.float32),
                store.channels.sensor_type_id,
                store.channels.name,
                store.columns["start_s"],
            )
        self._mapped[shard] = None
        self._mapped.move_to_end(shard)
        if len(self._mapped) > OPEN:
            self._tables[self._mapped.popitem(last=False)[0]].store.unmap()
        return self._tables[shard]
