"""A known wiring diagram as a mask or as a prior of the couplings, and how well couplings agree with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neurokit_fm import Graph
from neurokit_fm.errors import DataError
from nkfm_glmhmm.layout import Array

PRESENT, ABSENT = 0.9, 0.1
"""Expected share of present connections where the graph has an edge, and where it has none."""


def wiring(graph: Graph, names: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Presence and sign of connections among named neurons.

    Parameters
    ----------
    graph : Graph
        Nodes are matched by name; an undirected edge holds both ways; a negative weight is an inhibitory edge.
    names : sequence of str
        N neurons.

    Returns
    -------
    ndarray, shape (N, N), int64
        [target, source]: -1, 0 or 1; 1 also where the sign is not known.
    ndarray, shape (N, N), bool
        True where both neurons are nodes of the graph.

    Raises
    ------
    DataError
        If fewer than two neurons are nodes of the graph.
    """
    row = {name: i for i, name in enumerate(names)}
    place = np.array([row.get(name, -1) for name in graph.channels.name])
    known = np.zeros(len(names), dtype=bool)
    known[place[place >= 0]] = True
    if known.sum() < 2:
        raise DataError(
            f"only {int(known.sum())} of {len(names)} neurons are nodes of the graph; "
            f"neurons: {', '.join(list(names)[:4])} ..., nodes: {', '.join(graph.channels.name[:4])} ..."
        )
    total = np.zeros((len(names), len(names)))
    source, target = place[graph.edges[0]], place[graph.edges[1]]
    inside = (source >= 0) & (target >= 0)
    np.add.at(total, (target[inside], source[inside]), graph.weight[inside])
    if not graph.directed:
        np.add.at(total, (source[inside], target[inside]), graph.weight[inside])
    return np.sign(total).astype(np.int64), known[:, None] & known[None, :]


def mask_of(graph: Graph, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Where a connection may be, (N, N) [target, source]: edges, self-couplings, and neurons the graph does not know."""
    edges, known = wiring(graph, names)
    return np.asarray((edges != 0) | ~known | np.eye(len(names), dtype=bool))


def shares_of(graph: Graph, names: Sequence[str], usual: Sequence[float]) -> Array:
    """Expected shares of inhibitory, absent and excitatory connections, (N, N, 3), for the one-hot prior.

    Signs are left open, in the proportion of `usual`; pairs the graph does not know keep `usual`.
    """
    edges, known = wiring(graph, names)
    signed = np.array([usual[0], 0.0, usual[2]]) / (usual[0] + usual[2])
    absent = np.array([0.0, 1.0, 0.0])
    present = np.where(edges != 0, PRESENT, ABSENT)[..., None]
    return np.where(known[..., None], present * signed + (1 - present) * absent, np.asarray(usual, dtype=float))


def agreement(strength: Array, edges: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve of |coupling| (N, N) for the presence of an edge, off the diagonal; NaN if undefined."""
    chosen = known & ~np.eye(len(edges), dtype=bool)
    score, truth = np.abs(strength[chosen]), edges[chosen] != 0
    if truth.all() or not truth.any():
        return float("nan")
    order = np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1
    n = int(truth.sum())
    return float((order[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))
