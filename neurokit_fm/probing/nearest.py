"""NearestMean: the nearest class mean of normalised features, which learns new classes without forgetting old ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class NearestMean:
    """Sum and count of each class, added to at any time.

    Notes
    -----
    Features are divided by their length; a class is the plain mean of its trials, not normalised again; the nearest mean
    in Euclidean distance wins. Source: Janson et al. (2022), code Pauljanson002/pretrained-cl.

    Examples
    --------
    >>> nearest = NearestMean().add(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array(["a", "b"]))
    >>> nearest.names, nearest.decide(np.array([[5.0, 1.0]])).argmax(1).tolist()
    (('a', 'b'), [0])
    """

    def __init__(self) -> None:
        self.sums: dict[str, Array] = {}
        self.counts: dict[str, int] = {}

    def add(self, x: Array, y: Array) -> NearestMean:
        """Take in trials (N, D) of classes (N,), known or new."""
        unit = _unit(x)
        for name in map(str, np.unique(y)):
            rows = unit[np.asarray(y) == name]
            self.sums[name] = self.sums.get(name, np.zeros(unit.shape[1])) + rows.sum(0)
            self.counts[name] = self.counts.get(name, 0) + len(rows)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, sorted."""
        return tuple(sorted(self.sums))

    def decide(self, x: Array) -> Array:
        """Return minus the distance of each trial (M, D) to each class mean, (M, K)."""
        means = np.stack([self.sums[name] / self.counts[name] for name in self.names])  # (K, D)
        unit = _unit(x)
        square = (unit**2).sum(1)[:, None] - 2 * unit @ means.T + (means**2).sum(1)
        return np.asarray(-np.sqrt(np.maximum(square, 0)))


def _unit(x: Array) -> Array:
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300))
