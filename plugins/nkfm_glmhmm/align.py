"""Which state of one run is which of another: the best one-to-one matching (Hungarian method)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from nkfm_glmhmm.layout import Array, Index


def align_paths(path: Index, reference: Index, n_states: int) -> Index:
    """Find the permutation of states that makes a path agree best with a reference, on all bins.

    Parameters
    ----------
    path, reference : ndarray, shape (M,), int64
    n_states : int

    Returns
    -------
    ndarray, shape (S,), int64
        State k of `path` is state ``order[k]`` of `reference`.

    Examples
    --------
    >>> align_paths(np.array([0, 0, 1]), np.array([1, 1, 0]), 2).tolist()
    [1, 0]
    """
    table = np.zeros((n_states, n_states))
    np.add.at(table, (np.asarray(path), np.asarray(reference)), 1)
    return np.asarray(linear_sum_assignment(-table)[1])


def align_weights(weights: npt.ArrayLike, reference: npt.ArrayLike) -> Index:
    """The same for weights (S, ...) of two runs: least squared difference."""
    a, b = (np.asarray(w, dtype=float).reshape(len(np.asarray(w)), -1) for w in (weights, reference))
    distance = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.asarray(linear_sum_assignment(distance)[1])


def state_accuracy(path: Index, truth: Index, n_states: int) -> float:
    """Share of bins in the right state after the best matching."""
    return float((align_paths(path, truth, n_states)[path] == truth).mean())


def balanced_accuracy(found: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Mean recall of the classes -1, 0 and 1 that occur in `truth`; a third is chance."""
    f, t = np.asarray(found).ravel(), np.asarray(truth).ravel()
    return float(np.mean([(f[t == c] == c).mean() for c in np.unique(t)]))


def signs(weights: Array, threshold: float) -> Index:
    """Sign of each weight whose magnitude exceeds a threshold, else 0."""
    return np.where(np.abs(weights) > threshold, np.sign(weights), 0).astype(np.int64)
