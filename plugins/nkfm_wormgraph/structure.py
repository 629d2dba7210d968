"""Does activity follow the wiring? Coupling of pairs against each connectome, beside graphs that share its degrees or lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm import Graph, Recording
from neurokit_fm.errors import DataError
from nkfm_wormgraph.evaluate import known_only
from nkfm_wormgraph.nulls import Null, distances, rewire
from nkfm_wormgraph.population import neurons, slot_by_name
from nkfm_wormgraph.training import _series

Array = npt.NDArray[np.float64]
NULLS: tuple[Null, ...] = ("degree", "space", "labels")
MEASURES = ("correlation", "transfer")


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling:
    """How strongly pairs of neurons go together in a recording.

    Attributes
    ----------
    names : tuple of str
    correlation : ndarray, shape (C, C)
        Of the derivative of traces: slow drift makes any two traces correlate.
    transfer : ndarray, shape (C, C), [from, to]
        Linear Granger strength, log of the ratio of residual variances of a neuron predicted from its own past without
        and with the other's: half of it is the transfer entropy of Gaussian signals, in nats (Barnett et al. 2009).
    """

    names: tuple[str, ...]
    correlation: Array
    transfer: Array


def coupling(recording: Recording, *, order: int = 3) -> Coupling:
    """Measure the coupling of all pairs of known neurons.

    Parameters
    ----------
    recording : Recording
    order : int
        Past samples, of the neuron itself and of the other.
    """
    series = _series(known_only(recording))
    x = series.read().astype(np.float64)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    steps = np.diff(x, axis=1)
    c, t = x.shape
    if t < 20 * order:
        raise DataError(
            f"{recording.title}: {t} samples are too few to fit {2 * order} weights; the minimum is {20 * order}"
        )
    past = np.stack([x[:, order - 1 - k : t - 1 - k] for k in range(order)], axis=-1)  # (C, M, order)
    now = x[:, order:]
    out = np.zeros((c, c))
    for j in range(c):
        design = np.column_stack([past[j], np.ones(past.shape[1])])
        basis, _ = np.linalg.qr(design)
        left = now[j] - basis @ (basis.T @ now[j])  # what its own past leaves unexplained
        other = past - basis @ (basis.T @ past)
        gram = other.swapaxes(1, 2) @ other  # (C, order, order)
        cross = other.swapaxes(1, 2) @ left  # (C, order)
        gain = np.einsum("ck,ck->c", cross, np.linalg.solve(gram + 1e-8 * np.eye(order), cross[..., None])[..., 0])
        share = np.clip(gain / max(float(left @ left), 1e-12), 0, 1 - 1e-9)
        out[:, j] = -np.log1p(-share)
    np.fill_diagonal(out, 0)
    return Coupling(names=series.channels.name, correlation=np.corrcoef(steps), transfer=out)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well coupling goes with one kind of edge of one connectome, and what graphs like it would give.

    Attributes
    ----------
    connectome, kind, measure : str
    pairs, edges : int
        Compared, and connected among them.
    rank : float
        Spearman correlation of coupling strength with edge weight, over pairs of different neurons.
    area : float
        Area under the ROC curve of coupling strength for the presence of an edge.
    nulls : mapping of str to (float, float, float)
        For each null: mean and standard deviation of `rank` over its graphs, and the share that reaches it, one-sided,
        with one added to both counts.
    """

    connectome: str
    kind: str
    measure: str
    pairs: int
    edges: int
    rank: float
    area: float
    nulls: Mapping[str, tuple[float, float, float]]


def agreement(
    found: Coupling,
    graph: Graph,
    *,
    connectome: str,
    kind: str,
    measure: str = "correlation",
    nulls: Sequence[Null] = NULLS,
    draws: int = 200,
    seed: int = 0,
) -> Agreement:
    """Compare coupling with one kind of edge.

    Parameters
    ----------
    found : Coupling
    graph : Graph
        Nodes are matched by name.
    connectome : str
        Its name, for the result.
    kind : str
        ``chemical``, ``gap-junction``, ``functional`` or ``extrasynaptic``.
    measure : {"correlation", "transfer"}
        Correlation is symmetric, and is compared with the sum of both directions; its absolute value counts.
    nulls : sequence of str
        See `nulls.rewire`. The graph is rewired as a whole, then restricted to the neurons recorded.
    draws, seed : int

    Raises
    ------
    DataError
        If fewer than three recorded neurons are nodes of the graph, or no edge of the kind joins any.
    """
    row = {name: i for i, name in enumerate(graph.channels.name)}
    both = [name for name in found.names if name in row]
    if len(both) < 3:
        raise DataError(
            f"{len(both)} of {len(found.names)} recorded neurons are nodes of {connectome}; recorded: "
            f"{', '.join(found.names[:5])} ..., nodes: {', '.join(graph.channels.name[:5])} ..."
        )
    here = np.array([found.names.index(name) for name in both])
    there = np.array([row[name] for name in both])
    whole = graph.adjacency(kind).astype(np.float64)
    symmetric = bool(np.allclose(whole, whole.T))
    strength = (np.abs(found.correlation) if measure == "correlation" else found.transfer)[np.ix_(here, here)]
    undirected = measure == "correlation"
    chosen = np.triu(np.ones((len(both), len(both)), dtype=bool), 1) if undirected else ~np.eye(len(both), dtype=bool)

    def edges_of(matrix: Array) -> Array:
        part = matrix[np.ix_(there, there)]
        return np.asarray((part + part.T if undirected else part)[chosen])

    real, values = edges_of(whole), strength[chosen]
    if not (real != 0).any():
        raise DataError(f"no {kind} edge of {connectome} joins two of the {len(both)} recorded neurons")
    order = _ranks(values)
    rank = _correlation(order, _ranks(real))
    apart = distances(graph.channels.position) if "space" in nulls else None
    rng = np.random.default_rng(seed)
    made: dict[str, tuple[float, float, float]] = {}
    for null in nulls:
        drawn = np.array([
            _correlation(order, _ranks(edges_of(rewire(whole, rng, kind=null, distance=apart, symmetric=symmetric))))
            for _ in range(draws)
        ])  # fmt: skip
        made[null] = (float(drawn.mean()), float(drawn.std()), float((1 + (drawn >= rank).sum()) / (1 + draws)))
    return Agreement(
        connectome=connectome,
        kind=kind,
        measure=measure,
        pairs=len(values),
        edges=int((real != 0).sum()),
        rank=rank,
        area=_area(order, real != 0),
        nulls=made,
    )


def functional_agreement(found: Coupling, atlas: Graph, anatomy: Graph) -> dict[str, float]:
    """Compare the functional atlas with coupling and with anatomy, over the ordered pairs all three know.

    Returns
    -------
    dict
        Spearman correlations of the atlas' response (stimulated to responding) with transfer, correlation, and with the
        number of synapses and of gap junctions; and the number of pairs.
    """
    row = {name: i for i, name in enumerate(atlas.channels.name)}
    wired = {name: i for i, name in enumerate(anatomy.channels.name)}
    touched = set(np.array(atlas.channels.name)[np.unique(atlas.edges)].tolist())
    both = [name for name in found.names if name in touched and name in wired]
    if len(both) < 3:
        raise DataError(f"{len(both)} of {len(found.names)} recorded neurons are in the functional atlas; at least 3 are needed")  # fmt: skip
    here = np.ix_(*[[found.names.index(n) for n in both]] * 2)
    there, where = np.ix_(*[[row[n] for n in both]] * 2), np.ix_(*[[wired[n] for n in both]] * 2)
    off = ~np.eye(len(both), dtype=bool)
    response = _ranks(np.abs(atlas.adjacency("functional").astype(np.float64)[there][off]))
    others = {
        "transfer": found.transfer[here],
        "correlation": np.abs(found.correlation[here]),
        "chemical": anatomy.adjacency("chemical").astype(np.float64)[where],
        "gap-junction": anatomy.adjacency("gap-junction").astype(np.float64)[where],
    }
    return {name: _correlation(response, _ranks(m[off])) for name, m in others.items()} | {"pairs": float(off.sum())}


def by_class(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Order of neurons by type, then class, then name; unknown ones last."""
    about = neurons()
    where = slot_by_name()

    def key(name: str) -> tuple[str, str, str]:
        slot = where.get(name)
        if slot is None:
            return ("~", "", name)
        return (str(about.columns["type"][slot]), str(about.columns["neuron_class"][slot]), name)

    return np.array(sorted(range(len(names)), key=lambda i: key(names[i])), dtype=np.int64)


def type_of(names: Sequence[str]) -> list[str]:
    """Type of each neuron: inter, motor, pharyngeal, sensory, or unknown."""
    about, where = neurons(), slot_by_name()
    return [str(about.columns["type"][where[name]]) if name in where else "unknown" for name in names]


def _ranks(values: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def _area(order: Array, truth: npt.NDArray[np.bool_]) -> float:
    n = int(truth.sum())
    return (
        float((order[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))) if 0 < n < len(truth) else float("nan")
    )
