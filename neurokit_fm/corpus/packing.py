"""Which windows share a batch: first-fit decreasing over shapes, or one shape a batch. Indices only, no samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
"""Numbers of windows, over all shards of all corpora."""


@dataclass(frozen=True)
class Shape:
    """Size of a window.

    Attributes
    ----------
    channels, samples : int
        C and T.
    tokens : int
        What it costs.
    """

    channels: int
    samples: int
    tokens: int


@dataclass(frozen=True)
class Limits:
    """What fits a batch.

    Attributes
    ----------
    tokens : int
        Sum over its windows.
    values : int
        B x C x T of the padded batch.
    """

    tokens: int
    values: int


@dataclass(frozen=True, eq=False)
class Load:
    """Windows of one batch.

    Attributes
    ----------
    ids : Ids
    tokens : int
    """

    ids: Ids
    tokens: int


def pack(groups: Sequence[tuple[Shape, Ids]], limits: Limits) -> tuple[list[Load], list[Load]]:
    """Distribute windows over batches: the costliest first, each into the first batch with room.

    Windows of one shape are interchangeable, so whole groups are placed at once; the result is that of
    `first_fit_decreasing` window by window, wherever `limits.values` does not bind.

    Parameters
    ----------
    groups : sequence of (Shape, Ids)
        Each shape once; no window alone exceeds the limits.
    limits : Limits

    Returns
    -------
    full, rest : list of Load
        A batch is full if no further window of its costliest shape fits.
    """
    free = np.zeros(0, np.int64)  # tokens left in each batch
    size = np.zeros((0, 3), np.int64)  # windows, largest C, largest T of each batch
    lead = np.zeros(0, np.int64)  # tokens of the costliest window of each batch
    members: list[list[Ids]] = []
    for shape, ids in sorted(groups, key=lambda g: (-g[0].tokens, -g[0].channels, -g[0].samples)):
        box = np.maximum(size[:, 1], shape.channels) * np.maximum(size[:, 2], shape.samples)
        fit = np.clip(np.minimum(free // shape.tokens, limits.values // np.maximum(box, 1) - size[:, 0]), 0, None)
        take = np.clip(len(ids) - (np.cumsum(fit) - fit), 0, fit)  # first come, first served
        for b in np.flatnonzero(take):
            members[b].append(ids[: take[b]])
            ids = ids[take[b] :]
            size[b] = size[b, 0] + take[b], max(size[b, 1], shape.channels), max(size[b, 2], shape.samples)
        free = free - take * shape.tokens
        each = _most(shape, limits)
        new = [ids[first : first + each] for first in range(0, len(ids), each)]
        members += [[chunk] for chunk in new]
        counts = np.array([len(chunk) for chunk in new], np.int64)
        free = np.concatenate([free, limits.tokens - counts * shape.tokens])
        sides = np.broadcast_to([shape.channels, shape.samples], (len(new), 2))
        size = np.concatenate([size, np.column_stack([counts, sides])])
        lead = np.concatenate([lead, np.full(len(new), shape.tokens)])
    closed = (free < lead) | ((size[:, 0] + 1) * size[:, 1] * size[:, 2] > limits.values)
    loads = [Load(np.concatenate(m), limits.tokens - n) for m, n in zip(members, free.tolist(), strict=True)]
    return [loads[i] for i in np.flatnonzero(closed)], [loads[i] for i in np.flatnonzero(~closed)]


def bucket(groups: Sequence[tuple[Shape, Ids]], limits: Limits) -> tuple[list[Load], list[Load]]:
    """Batches of one shape each: the full ones, and what is left of each shape."""
    full: list[Load] = []
    rest: list[Load] = []
    for shape, ids in groups:
        each = _most(shape, limits)
        for first in range(0, len(ids), each):
            chunk = ids[first : first + each]
            (full if len(chunk) == each else rest).append(Load(chunk, len(chunk) * shape.tokens))
    return full, rest


def evened(loads: Sequence[Load], tokens: npt.NDArray[np.int64], world: int) -> list[Load]:
    """Split the largest batches until each of `world` processes gets as many; what cannot be split is left out.

    Parameters
    ----------
    loads : sequence of Load
    tokens : ndarray, shape (windows,), int64
        Cost of each window of `loads`, in their order.
    world : int

    Returns
    -------
    list of Load
        A multiple of `world`; at most ``world - 1`` windows, each a batch of its own, are missing.
    """
    cost = dict(zip(np.concatenate([load.ids for load in loads]).tolist(), tokens.tolist(), strict=True))
    made = list(loads)
    while len(made) % world:
        splittable = [i for i, load in enumerate(made) if len(load.ids) > 1]
        if not splittable:
            made.sort(key=lambda load: -load.tokens)
            return made[: len(made) // world * world]
        ids = made.pop(max(splittable, key=lambda i: made[i].tokens)).ids
        ids = ids[np.argsort([-cost[i] for i in ids.tolist()], kind="stable")]
        made += [Load(half, sum(cost[i] for i in half.tolist())) for half in (ids[::2], ids[1::2])]
    return made


def _most(shape: Shape, limits: Limits) -> int:
    return max(1, min(limits.tokens // shape.tokens, limits.values // (shape.channels * shape.samples)))
