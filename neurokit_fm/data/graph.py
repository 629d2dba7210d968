"""Graph: what is connected to what, how strongly, by which kind of connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import DataError, UnknownName, did_you_mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Typed, weighted edges between named nodes.

    Attributes
    ----------
    edges : ndarray, shape (2, E), int64
        Row 0 from, row 1 to; indices into `channels`.
    weight : ndarray, shape (E,), float32
    kind : ndarray, shape (E,), int64
        Index into `kinds`.
    kinds : tuple of str
        ``chemical, gap-junction, functional`` ...
    channels : Channels
        The nodes (V rows).
    directed : bool
        False: each edge is stored once and holds both ways.
    modality : str
    """

    layout: ClassVar[str] = "graph"

    edges: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    kind: npt.NDArray[np.int64]
    kinds: tuple[str, ...]
    channels: Channels
    directed: bool = True
    modality: str = "connectome"

    def __post_init__(self) -> None:
        if self.edges.ndim != 2 or self.edges.shape[0] != 2:
            raise DataError(f"edges must have shape (2, E); found {self.edges.shape}")
        n = self.edges.shape[1]
        if self.weight.shape != (n,) or self.kind.shape != (n,):
            raise DataError(f"{n} edges, {self.weight.shape[0]} weights, {self.kind.shape[0]} kinds")
        if n and not (self.edges.min() >= 0 and self.edges.max() < len(self.channels)):
            raise DataError(
                f"edges must point at the {len(self.channels)} nodes; found {self.edges.min()} to {self.edges.max()}"
            )
        if n and not (self.kind.min() >= 0 and self.kind.max() < len(self.kinds)):
            raise DataError(f"kind must index {self.kinds}; found {self.kind.max()}")

    @property
    def start(self) -> float:
        """A graph has no time: 0."""
        return 0.0

    @property
    def stop(self) -> float:
        """A graph has no time: 0."""
        return 0.0

    @property
    def duration(self) -> float:
        """A graph has no time: 0."""
        return 0.0

    def crop(self, start: float, stop: float) -> Graph:
        """Return the graph itself: it holds at every time."""
        return self

    def adjacency(self, kind: str) -> npt.NDArray[np.float32]:
        """Dense weights of one kind, shape (V, V), entry [from, to]; parallel edges add up."""
        if kind not in self.kinds:
            raise UnknownName(
                f"no edges of kind {kind!r}.{did_you_mean(kind, self.kinds)} Known: {', '.join(self.kinds)}"
            )
        matrix = np.zeros((len(self.channels), len(self.channels)), dtype=np.float32)
        chosen = self.kind == self.kinds.index(kind)
        rows, cols = self.edges[:, chosen]
        np.add.at(matrix, (rows, cols), self.weight[chosen])
        if not self.directed:
            other = rows != cols
            np.add.at(matrix, (cols[other], rows[other]), self.weight[chosen][other])
        return matrix
