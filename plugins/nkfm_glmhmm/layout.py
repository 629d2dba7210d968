"""Trials end to end on one axis of bins, and the chunks in which recursions run over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Trials end to end, and how they are cut into chunks.

    Attributes
    ----------
    starts : ndarray, shape (R + 1,), int64
        First bin of each trial, and M.
    """

    starts: Index

    def __post_init__(self) -> None:
        if len(self.starts) < 2 or (np.diff(self.starts) < 1).any():
            raise DataError("every trial needs at least one bin")

    @classmethod
    def of(cls, lengths: npt.ArrayLike) -> Layout:
        """Build from the number of bins of each trial."""
        return cls(np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]))

    @property
    def n_bins(self) -> int:
        """M."""
        return int(self.starts[-1])

    @property
    def lengths(self) -> Index:
        """Bins of each trial, (R,)."""
        return np.diff(self.starts)

    @cached_property
    def first(self) -> Index:
        """First bin of each chunk, (n,), trial by trial."""
        size = self._longest
        return np.concatenate([np.arange(a, b, size) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)])

    @cached_property
    def size(self) -> Index:
        """Bins of each chunk, (n,)."""
        return np.diff(np.append(self.first, self.n_bins))

    @cached_property
    def ending(self) -> dict[int, Index]:
        """Chunks whose last step this is, by step."""
        return {int(size) - 1: np.flatnonzero(self.size == size) for size in np.unique(self.size)}

    @property
    def _longest(self) -> int:
        return int(min(self.lengths.max(), max(8, round(1.2 * np.sqrt(self.n_bins / len(self.lengths) ** 0.5)))))

    @cached_property
    def forward(self) -> Index:
        """Bin of step l of chunk c in forward order, (L, n); short chunks repeat their last bin."""
        steps = np.arange(self.size.max())[:, None]
        return self.first[None] + np.minimum(steps, self.size[None] - 1)

    @cached_property
    def backward(self) -> Index:
        """The same in backward order."""
        steps = np.arange(self.size.max())[:, None]
        return self.first[None] + np.maximum(self.size[None] - 1 - steps, 0)

    @cached_property
    def place(self) -> tuple[Index, Index, Index]:
        """Chunk of every bin, and its step there in forward and in backward order, (M,) each."""
        chunk = np.repeat(np.arange(len(self.size)), self.size)
        step = np.arange(self.n_bins) - self.first[chunk]
        return chunk, step, self.size[chunk] - 1 - step

    @cached_property
    def turns(self) -> tuple[Index, Index, npt.NDArray[np.bool_]]:
        """Chunk at turn k of trial r, forward and backward, (K, R), and whether there is one."""
        trial = np.searchsorted(self.starts, self.first, side="right") - 1  # (n,)
        count = np.bincount(trial, minlength=len(self.lengths))
        begin = np.concatenate([[0], np.cumsum(count)[:-1]])
        turn = np.arange(count.max())[:, None]
        return (
            begin + np.minimum(turn, count - 1),
            begin + np.maximum(count - 1 - turn, 0),
            np.asarray(turn < count),
        )

    @cached_property
    def inner(self) -> npt.NDArray[np.bool_]:
        """True at bins that are not the first of their trial, (M,)."""
        inner = np.ones(self.n_bins, dtype=bool)
        inner[self.starts[:-1]] = False
        return inner
