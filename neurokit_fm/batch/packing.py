"""Packing: sequences of different length share rows, so that no compute goes into padding.

After the prepacking scheme of arXiv:2404.09529, with first-fit decreasing for the bins. Attention must stay within
a sequence: see `neurokit_fm.nn.attention.Runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neurokit_fm.errors import DataError


def first_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Distribute sequences over bins: the longest first, each into the first bin with room.

    Parameters
    ----------
    lengths : sequence of int
    capacity : int
        Largest total length of a bin.

    Returns
    -------
    list of list of int
        Indices of the sequences in each bin; ties keep their order.

    Raises
    ------
    DataError
        If one sequence alone exceeds the capacity.

    Examples
    --------
    >>> first_fit_decreasing([3, 5, 2, 4], capacity=7)
    [[1, 2], [3, 0]]
    """
    too_long = [n for n in lengths if n > capacity]
    if too_long:
        raise DataError(f"a sequence of {max(too_long)} tokens does not fit a row of {capacity}; raise the capacity")
    bins: list[list[int]] = []
    room: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        where = next((b for b, free in enumerate(room) if free >= lengths[i]), None)
        if where is None:
            bins.append([])
            room.append(capacity)
            where = len(bins) - 1
        bins[where].append(i)
        room[where] -= lengths[i]
    return bins


@dataclass(frozen=True, eq=False)
class Packing:
    """Where each real token of a padded batch goes in a packed one.

    Attributes
    ----------
    shape : tuple of int
        (B, N) of the padded batch.
    rows, width : int
        R and L of the packed one.
    source : Tensor, shape (K,), int64
        Flat padded index of each of the K real tokens.
    place : Tensor, shape (K,), int64
        Its flat packed index.
    segment : Tensor, shape (R, L), int64
        Which sequence (0..B-1) each packed token belongs to, -1 in padding.
    """

    shape: tuple[int, int]
    rows: int
    width: int
    source: Tensor
    place: Tensor
    segment: Tensor

    @classmethod
    def of(cls, mask: Tensor, capacity: int | None = None) -> Packing:
        """Plan the packing of a padded batch.

        Parameters
        ----------
        mask : Tensor, shape (B, N), bool
            True where a token is real.
        capacity : int, optional
            Row length L; by default everything goes into one row without any padding.
        """
        b, n = mask.shape
        counts = mask.sum(1)
        lengths = counts.tolist()
        if capacity is None:
            rows, width = 1, sum(lengths)
            first = counts.cumsum(0) - counts  # (B,) flat start of each sequence
        else:
            bins = first_fit_decreasing(lengths, capacity)
            rows, width = len(bins), capacity
            starts = [0] * b
            for row, members in enumerate(bins):
                used = 0
                for i in members:
                    starts[i] = row * capacity + used
                    used += lengths[i]
            first = torch.tensor(starts, device=mask.device, dtype=torch.int64)
        rank = mask.cumsum(1) - 1  # (B, N) place within its sequence
        source = mask.flatten().nonzero().squeeze(1)  # (K,)
        place = (first[:, None] + rank).flatten()[source]  # (K,)
        segment = torch.full((rows * width,), -1, dtype=torch.int64, device=mask.device)
        segment[place] = source // n
        return cls((b, n), rows, width, source, place, segment.view(rows, width))

    def pack(self, x: Tensor) -> Tensor:
        """Move (B, N, ...) to (R, L, ...); padding is 0."""
        flat = x.flatten(0, 1)  # (B*N, ...)
        out = flat.new_zeros((self.rows * self.width, *flat.shape[1:]))
        return out.index_copy(0, self.place, flat[self.source]).view(self.rows, self.width, *flat.shape[1:])

    def unpack(self, x: Tensor) -> Tensor:
        """Move (R, L, ...) back to (B, N, ...); padding is 0."""
        flat = x.flatten(0, 1)  # (R*L, ...)
        out = flat.new_zeros((self.shape[0] * self.shape[1], *flat.shape[1:]))
        return out.index_copy(0, self.source, flat[self.place]).view(*self.shape, *flat.shape[1:])
