"""Samples of one data set of an HDF5 file, as physical values, read window by window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt


class NwbSamples:
    """`data` of an NWB time series as (C, T) values in SI units; the file is open only while it is read.

    Parameters
    ----------
    dataset : h5py.Dataset, shape (T, C) or (T,)
        Numbers; may lie in another file, behind a link.
    factor : ndarray, shape (C,)
        Physical units a stored unit.
    offset : float
        Added after that.
    """

    def __init__(self, dataset: h5py.Dataset, factor: npt.NDArray[np.float64], offset: float):
        self.path, self.name = str(Path(dataset.file.filename).absolute()), str(dataset.name)
        self.shape: tuple[int, ...] = (len(factor), int(dataset.shape[0]))
        self.dtype: np.dtype[Any] = np.result_type(dataset.dtype, np.float32)  # what holds the stored numbers exactly
        self.factor, self.offset = factor, offset
        self.reach = dataset.chunks[1] if dataset.chunks and dataset.ndim == 2 else 16
        """Channels that cost nothing more to read with a neighbour: a chunk is unpacked as a whole."""

    def __getitem__(self, index: Any) -> Any:
        rows, samples = index if isinstance(index, tuple) else (index, slice(None))
        picked = np.arange(self.shape[0])[rows]  # (R,), or a number
        unique, back = np.unique(np.atleast_1d(picked), return_inverse=True)
        span = range(self.shape[1])
        numbers = (
            span[samples] if isinstance(samples, slice) else np.arange(self.shape[1])[samples]
        )  # (S,), or a number
        if not unique.size or not np.size(numbers):
            return np.empty(np.shape(picked) + np.shape(numbers), self.dtype)
        first, last = int(np.min(numbers)), int(np.max(numbers)) + 1
        block = self._read(unique, first, last)  # (U, last-first)
        if np.ndim(numbers) == 0 or len(numbers) != last - first or numbers[0] != first:
            block = block[:, np.asarray(numbers) - first]  # (U, S)
        if len(back) != len(unique) or (np.diff(back) != 1).any():
            block = block[back]  # (R, S)
        return block if np.ndim(picked) else block[0]

    def _read(self, rows: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[Any]:
        """Samples [first, last) of ascending rows; shape (R, last - first)."""
        parts = np.split(rows, np.flatnonzero(np.diff(rows) > self.reach) + 1)
        values = np.empty((len(rows), last - first), self.dtype)
        with h5py.File(self.path, "r") as file:
            dataset = file[self.name]
            at = 0
            for part in parts:  # neighbours in one go
                if dataset.ndim == 1:
                    stored = dataset[first:last][:, None]  # (S, 1)
                else:
                    stored = dataset[first:last, part[0] : part[-1] + 1][:, part - part[0]]  # (S, part)
                values[at : at + len(part)] = stored.T
                at += len(part)
        values *= self.factor[rows, None].astype(self.dtype)
        values += self.dtype.type(self.offset)
        return values
