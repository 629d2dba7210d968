"""Samples that stay inside an MNE object until they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ReadBlock = Callable[[Any, npt.NDArray[np.int64], int, int], Floats]
"""`(instance, picks, start, stop)` to samples, shape (picks, stop - start); picks ascend and do not repeat."""


class MneSamples:
    """Some rows of an MNE object as an array (C, T), read on demand.

    Parameters
    ----------
    instance : mne.io.BaseRaw or mne.BaseEpochs
        Kept, never changed.
    read_block : callable
        `raw_block` or `epochs_block`.
    rows : ndarray, shape (C,), int64
        Channel numbers within the instance.
    n_samples : int
        T.
    """

    def __init__(self, instance: Any, read_block: ReadBlock, rows: npt.NDArray[np.int64], n_samples: int):
        self.instance, self.read_block, self.rows, self.n_samples = instance, read_block, rows, n_samples

    @property
    def shape(self) -> tuple[int, int]:
        """(C, T)."""
        return (len(self.rows), self.n_samples)

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """float64: what MNE computes in."""
        return np.dtype(np.float64)

    def __getitem__(self, index: Any) -> Any:
        rows, samples = index if isinstance(index, tuple) and len(index) == 2 else (index, slice(None))
        picked = self.rows[rows]  # (R,), or a number
        wanted = np.arange(self.n_samples)[samples]  # (S,), or a number
        unique, back = np.unique(np.atleast_1d(picked), return_inverse=True)
        if not unique.size or not np.size(wanted):
            return np.empty(np.shape(picked) + np.shape(wanted))
        first, last = int(np.min(wanted)), int(np.max(wanted)) + 1
        block = self.read_block(self.instance, unique, first, last)  # (U, last-first)
        if np.ndim(picked) == 0:
            return block[0][wanted - first]
        return block[back if len(back) != len(unique) or (np.diff(back) != 1).any() else slice(None)][:, wanted - first]


def raw_block(raw: Any, picks: npt.NDArray[np.int64], start: int, stop: int) -> Floats:
    """Read samples [start, stop) of a `Raw`; shape (picks, stop - start)."""
    block: Floats = raw.get_data(picks=picks, start=start, stop=stop, verbose="ERROR")
    return block


def epochs_block(epochs: Any, picks: npt.NDArray[np.int64], start: int, stop: int) -> Floats:
    """Read samples [start, stop) of epochs laid end to end, from the epochs they touch and no other."""
    length = len(epochs.times)
    first, last = start // length, (stop - 1) // length + 1
    block = epochs.get_data(picks=picks, item=slice(first, last), verbose="ERROR")  # (E, R, length)
    joined: Floats = block.swapaxes(0, 1).reshape(len(picks), -1)  # (R, E*length) epoch after epoch
    return joined[:, start - first * length : stop - first * length]
