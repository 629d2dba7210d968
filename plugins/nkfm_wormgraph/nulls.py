"""Graphs that share some property of a connectome and nothing else: what structure is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import ConfigError, DataError

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Null = Literal["degree", "space", "labels"]

ROUNDS = {"degree": 15, "space": 300}
"""Rounds of swaps: enough that more no longer change how many edges of Cook et al. (2019) stay where they were (a tenth,
which is chance for these degrees; a seventh to a fifth where lengths stay too, which allows swaps far more rarely)."""


def rewire(
    weights: Array,
    rng: np.random.Generator,
    *,
    kind: Null = "degree",
    distance: Array | None = None,
    symmetric: bool = False,
    rounds: Mapping[str, int] = ROUNDS,
    bins: int = 8,
) -> Array:
    """Draw a random graph that keeps something of a connectome.

    Parameters
    ----------
    weights : ndarray, shape (V, V), [from, to]
    rng : Generator
    kind : {"degree", "space", "labels"}
        ``"degree"``: pairs of edges swap their targets, so that the number of inputs and outputs of every neuron stays
        (Maslov & Sneppen 2002); an edge keeps its weight and its source. ``"space"``: the same, and two edges swap only if
        each stays in its bin of length, so that the wiring cost stays too. ``"labels"``: neurons are permuted, the graph
        stays what it is (a Mantel test).
    distance : ndarray, shape (V, V)
        Between somata, for ``"space"``; pairs of unknown length make up a bin of their own.
    symmetric : bool
        An undirected graph stays one.
    rounds : mapping of str to int
        Of swaps, for each kind; in a round every edge is tried once.
    bins : int
        Bins of length, equally filled by the edges.

    Returns
    -------
    ndarray, shape (V, V)
        Self-connections stay where they are.

    Raises
    ------
    ConfigError
        If the kind is unknown, or distances are missing.
    DataError
        If the matrix is not square, or said to be symmetric and is not.
    """
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise DataError(f"a graph is a square matrix; got shape {weights.shape}")
    if symmetric and not np.allclose(weights, weights.T):
        raise DataError("this graph is not symmetric; rewire it as a directed one")
    if kind == "labels":
        order = rng.permutation(len(weights))
        return weights[np.ix_(order, order)].copy()
    if kind not in ("degree", "space"):
        raise ConfigError(f"a null is one of 'degree', 'space', 'labels'; got {kind!r}")
    if kind == "space" and distance is None:
        raise ConfigError("the null 'space' needs the distances between neurons")
    loops = np.diag(np.diag(weights))
    free = weights - loops
    source, target = np.nonzero(np.triu(free) if symmetric else free)
    value = free[source, target]
    length = np.zeros(weights.shape, dtype=np.int64)
    if kind == "space":
        assert distance is not None
        length = _length_bins(distance, distance[source, target], bins)
    source, target = _swapped(source, target, length, rng, rounds[kind], symmetric)
    made = np.zeros_like(free)
    made[source, target] = value
    if symmetric:
        made[target, source] = value
    return np.asarray(made + loops)


def _swapped(
    source: Index, target: Index, length: Index, rng: np.random.Generator, rounds: int, symmetric: bool
) -> tuple[Index, Index]:
    """Ends of edges after rounds of swaps; in each, all edges are paired at random, and pairs swap where they may.

    Edges (p, q) and (r, s) become (p, s) and (r, q) where that makes no loop, no edge twice, and keeps both lengths.
    """
    a, b, n = source.copy(), target.copy(), len(length)
    there = np.zeros(length.shape, dtype=bool)
    there[a, b] = True
    if symmetric:
        there[b, a] = True
    half = len(a) // 2
    for _ in range(rounds):
        if symmetric:  # an undirected edge has no first end
            turned = rng.random(len(a)) < 0.5
            a[turned], b[turned] = b[turned], a[turned]
        order = rng.permutation(len(a))
        i, j = order[:half], order[half : 2 * half]
        p, q, r, s = a[i], b[i], a[j], b[j]
        may = (p != s) & (r != q) & (p != r) & (q != s) & ~there[p, s] & ~there[r, q]
        may &= (length[p, s] == length[p, q]) & (length[r, q] == length[r, s])
        pairs = np.stack([np.stack([p, s], 1), np.stack([r, q], 1)], axis=1)  # (half, 2, 2)
        pairs = np.sort(pairs, axis=2) if symmetric else pairs
        keys = pairs[..., 0] * n + pairs[..., 1]  # (half, 2)
        wanted = keys[may].reshape(-1)
        _, which, count = np.unique(wanted, return_inverse=True, return_counts=True)
        alone = (count[which] == 1).reshape(-1, 2).all(1)  # two swaps of a round must not make the same edge
        chosen = np.flatnonzero(may)[alone]
        i, j, p, q, r, s = i[chosen], j[chosen], p[chosen], q[chosen], r[chosen], s[chosen]
        there[p, q] = there[r, s] = False
        there[p, s] = there[r, q] = True
        if symmetric:
            there[q, p] = there[s, r] = False
            there[s, p] = there[q, r] = True
        b[i], b[j] = s, q
    return a, b


def _length_bins(distance: Array, of_edges: Array, bins: int) -> Index:
    """Bin of length of every pair, (V, V); unknown lengths are bin -1."""
    known = of_edges[np.isfinite(of_edges)]
    borders = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]) if len(known) else np.zeros(0)
    found = np.digitize(np.nan_to_num(distance, nan=0.0), borders)
    return np.where(np.isfinite(distance), found, -1)


def distances(position: Array) -> Array:
    """Distances between places (V, 3), (V, V); NaN where one is unknown."""
    return np.asarray(np.linalg.norm(position[:, None] - position[None], axis=-1))
