"""One graph of what several annotations agree on, with how far they do not (arXiv:2411.12091)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm import Graph
from neurokit_fm.errors import DataError
from nkfm_celegans.neurons import canonical_neurons, neuron_channels
from nkfm_celegans.wiring import KINDS

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Consensus:
    """Weights over several annotations, (300, 300) [from, to]; NaN where no annotation has any.

    Attributes
    ----------
    mean_gap_weight : ndarray
        Symmetric.
    mean_chem_weight, functional_weight : ndarray
    uncertainty : ndarray
        ``0.9 std_chem + 0.1 std_gap`` (population); NaN where either kind is absent.
    num_sources : ndarray of int
        Annotations that connect the pair by gap junctions, synapses or function.
    sources : tuple of str
    present : ndarray, shape (sources, 300, 300), bool
    """

    mean_gap_weight: Array
    mean_chem_weight: Array
    functional_weight: Array
    uncertainty: Array
    num_sources: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    present: npt.NDArray[np.bool_]

    def data_sources(self, pre: str, post: str) -> tuple[str, ...]:
        """Annotations that connect one pair of neurons, sorted."""
        names = canonical_neurons()
        here = self.present[:, names.index(pre), names.index(post)]
        return tuple(sorted(name for name, yes in zip(self.sources, here, strict=True) if yes))

    def graph(self, *, least_sources: int = 1) -> Graph:
        """Return pairs that at least so many annotations connect, with mean weights."""
        enough = self.num_sources >= least_sources
        parts = (self.mean_chem_weight, self.mean_gap_weight, self.functional_weight)
        found = [np.nonzero(np.isfinite(m) & enough) for m in parts]
        weight = [m[where] for m, where in zip(parts, found, strict=True)]
        return Graph(
            edges=np.concatenate([np.stack(where) for where in found], axis=1).astype(np.int64),
            weight=np.concatenate(weight).astype(np.float32),
            kind=np.concatenate([np.full(len(w), k) for k, w in enumerate(weight)]).astype(np.int64),
            kinds=KINDS,
            channels=neuron_channels(canonical_neurons()),
        )


def consensus(graphs: Mapping[str, Graph], *, distinct: bool = True) -> Consensus:
    """Average annotations over the 300 neurons.

    Parameters
    ----------
    graphs : mapping of str to Graph
        Each over the 300 neurons.
    distinct : bool
        As published, equal gap-junction weights of several annotations count once (and both directions of a pair are
        looked at together). False: the plain mean over annotations that have the gap junction.

    Raises
    ------
    DataError
        If there is no graph, or one is not over the 300 neurons.
    """
    names = canonical_neurons()
    wrong = [name for name, graph in graphs.items() if graph.channels.name[: len(names)] != names]
    if not graphs or wrong:
        raise DataError(f"a consensus needs graphs over the 300 neurons in canonical order; wrong: {', '.join(wrong) or 'no graph'}")  # fmt: skip
    n = len(names)

    def stack(kind: str) -> Array:
        return np.stack([g.adjacency(kind)[:n, :n].astype(np.float64) for g in graphs.values()])  # (S, V, V)

    gap, chem, functional = stack("gap-junction"), stack("chemical"), stack("functional")
    values = np.concatenate([gap, gap.swapaxes(1, 2)])  # (2S, V, V), both directions of a pair
    if distinct:
        values = np.sort(values, axis=0)
        repeated = np.concatenate([np.zeros((1, n, n), dtype=bool), np.diff(values, axis=0) == 0])
        values = np.where(repeated, 0, values)
    mean_gap, std_gap = _moments(values)
    mean_chem, std_chem = _moments(chem)
    present = (gap != 0) | (chem != 0) | (functional != 0)
    return Consensus(
        mean_gap_weight=mean_gap,
        mean_chem_weight=mean_chem,
        functional_weight=_moments(functional)[0],
        uncertainty=0.9 * std_chem + 0.1 * std_gap,
        num_sources=present.sum(0),
        sources=tuple(graphs),
        present=present,
    )


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation of what is not 0, over the first axis; NaN where all is."""
    there = values != 0
    count = there.sum(0)
    safe = np.maximum(count, 1)
    mean = values.sum(0) / safe
    spread = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(0) / safe)
    return np.where(count > 0, mean, np.nan), np.where(count > 0, spread, np.nan)
