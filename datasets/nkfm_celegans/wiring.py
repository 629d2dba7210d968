"""Connections between named cells to one homogenised Graph over the 300 neurons.

Source: the preprocessing of arXiv:2411.12091. Defects of the published code are mended unless ``reference=True``: zero
padding in names lost neurons (Cook et al. 2019 kept 236 of 300), and of several rows for one pair of a chemical synapse
only the first counted; here names are normalised and rows added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm import Graph
from neurokit_fm.errors import DataError
from nkfm_celegans.neurons import canonical_neurons, neuron_channels, normal_name

KINDS = ("chemical", "gap-junction", "functional", "extrasynaptic")
"""Edge kinds of every graph of this package, in this order, so that graphs can share a batch."""


@dataclass(frozen=True)
class Contact:
    """One row of a published table: so many connections of a kind from one cell to another."""

    pre: str
    post: str
    kind: str
    weight: float


def homogenise(
    contacts: Iterable[Contact],
    *,
    nodes: Literal["neurons", "all"] = "neurons",
    gap: Literal["mean", "sum", "max"] = "mean",
    reference: bool = False,
) -> Graph:
    """Put published rows on canonical neurons.

    Parameters
    ----------
    contacts : iterable of Contact
        Of kinds `KINDS`. A weight of 0, or none that is finite, is no connection.
    nodes : {"neurons", "all"}
        The 300 neurons, all of them, connected or not; or also every other cell (CAN, muscle, glia) that a row names.
    gap : {"mean", "sum", "max"}
        A gap junction has no direction: all weights given for a pair, either way, become one, written both ways.
    reference : bool
        As published: names as they stand, the first row of a repeated chemical pair only.

    Returns
    -------
    Graph
        Directed, edges [from, to] sorted by pair; gap junctions hold both ways with one weight. Self-connections are
        kept.

    Raises
    ------
    DataError
        If a kind is unknown, or no row joins two neurons.
    """
    if gap not in ("mean", "sum", "max"):
        raise DataError(f"gap must be 'mean', 'sum' or 'max'; got {gap!r}")
    rows = list(contacts)
    wrong = sorted({c.kind for c in rows} - set(KINDS))
    if wrong:
        raise DataError(f"connections of unknown kind {', '.join(wrong)}; known: {', '.join(KINDS)}")
    spelt = [(c.pre, c.post) if reference else (normal_name(c.pre), normal_name(c.post)) for c in rows]
    names = list(canonical_neurons())
    known = set(names)
    if nodes == "all":
        names += sorted({name for pair in spelt for name in pair if name} - known)
        known = set(names)
    number = {name: i for i, name in enumerate(names)}
    directed: dict[tuple[str, int, int], float] = {}
    mutual: dict[tuple[int, int], list[float]] = {}
    for row, (pre, post) in zip(rows, spelt, strict=True):
        if pre not in known or post not in known or not np.isfinite(row.weight) or row.weight == 0:
            continue
        a, b = number[pre], number[post]
        if row.kind == "gap-junction":
            mutual.setdefault((min(a, b), max(a, b)), []).append(float(row.weight))
        else:
            key = (row.kind, a, b)
            directed[key] = directed.get(key, 0.0) + float(row.weight) if not reference else directed.get(key, float(row.weight))  # fmt: skip
    for (a, b), given in mutual.items():
        one = {"mean": sum(given) / len(given), "sum": sum(given), "max": max(given)}[gap]
        directed["gap-junction", a, b] = directed["gap-junction", b, a] = one
    if not directed:
        some = ", ".join(f"{c.pre} -> {c.post}" for c in rows[:3]) or "none"
        raise DataError(f"none of {len(rows)} rows joins two neurons of C. elegans; the first: {some}")
    keys = sorted(directed, key=lambda k: (k[1], k[2], KINDS.index(k[0])))
    return Graph(
        edges=np.array([(a, b) for _, a, b in keys], dtype=np.int64).T,
        weight=np.array([directed[k] for k in keys], dtype=np.float32),
        kind=np.array([KINDS.index(k[0]) for k in keys], dtype=np.int64),
        kinds=KINDS,
        channels=neuron_channels(names),
    )


def contacts_of(matrix: npt.ArrayLike, pre: Sequence[str], post: Sequence[str], kind: str) -> list[Contact]:
    """Rows of a matrix [from, to] with named rows and columns; what is empty, zero or no number is left out."""
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (len(pre), len(post)):
        raise DataError(f"a matrix of {values.shape} for {len(pre)} row and {len(post)} column names")
    found = np.isfinite(values) & (values != 0)
    return [Contact(pre[i], post[j], kind, float(values[i, j])) for i, j in zip(*np.nonzero(found), strict=True)]


def edge_table(graph: Graph) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Edges as the homogenised set stores them: pairs (2, E) that have any, and weights (E, 2) [gap, chemical].

    Functional weights stand in the chemical column, as published.
    """
    gap = graph.adjacency("gap-junction")
    chem = graph.adjacency("chemical") + graph.adjacency("functional")
    pre, post = np.nonzero((gap != 0) | (chem != 0))
    return np.stack([pre, post]), np.stack([gap[pre, post], chem[pre, post]], axis=1)


def connected(graph: Graph) -> npt.NDArray[np.bool_]:
    """True for nodes that any edge touches, (V,)."""
    touched = np.zeros(len(graph.channels), dtype=bool)
    touched[graph.edges.reshape(-1)] = True
    return touched
