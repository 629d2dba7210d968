"""The most probable path, predictions of the next state, and drawing a path."""

from __future__ import annotations

import numpy as np

from nkfm_glmhmm.layout import Array, Index, Layout


def viterbi(log_lik: Array, layout: Layout, initial: Array, transitions: Array) -> tuple[Index, Array]:
    """Most probable sequence of states of each trial.

    Parameters
    ----------
    log_lik, layout, initial, transitions :
        As for `posterior`.

    Returns
    -------
    ndarray, shape (M,), int64
    ndarray, shape (R,)
        Log joint probability of path and data, nats.
    """
    with np.errstate(divide="ignore"):
        log_a, log_pi = np.log(transitions), np.log(initial)
    path = np.empty(layout.n_bins, dtype=np.int64)
    joint = np.empty(len(layout.lengths))
    for trial, (first, stop) in enumerate(zip(layout.starts[:-1], layout.starts[1:], strict=True)):
        best = log_pi + log_lik[first]
        came = np.zeros((stop - first, len(log_pi)), dtype=np.int64)
        for t in range(first + 1, stop):
            reach = best[:, None] + (log_a if log_a.ndim == 2 else log_a[t])
            came[t - first] = reach.argmax(axis=0)
            best = reach.max(axis=0) + log_lik[t]
        joint[trial], state = best.max(), int(best.argmax())
        for t in range(stop - 1, first - 1, -1):
            path[t] = state
            state = int(came[t - first, state])
    return path, joint


def predicted(filtered: Array, layout: Layout, initial: Array, transitions: Array) -> Array:
    """p(state, given the trial before that bin), (M, S): the initial distribution in first bins."""
    out = np.broadcast_to(initial, filtered.shape).copy()
    inner = np.flatnonzero(layout.inner)
    matrices = transitions if transitions.ndim == 2 else transitions[inner]
    spec = "tk,kj->tj" if transitions.ndim == 2 else "tk,tkj->tj"
    out[inner] = np.einsum(spec, filtered[inner - 1], matrices)
    return out


def draw(n_bins: int, initial: Array, transitions: Array, rng: np.random.Generator) -> Index:
    """Draw a path of states, shape (n_bins,), int64."""
    state = int(rng.choice(len(initial), p=initial / initial.sum()))
    path = np.empty(n_bins, dtype=np.int64)
    cumulative, levels = transitions.cumsum(axis=-1), rng.random(n_bins)
    for t in range(n_bins):
        if t:
            row = cumulative[state] if transitions.ndim == 2 else cumulative[t, state]
            state = min(int(np.searchsorted(row, levels[t] * row[-1], side="right")), len(initial) - 1)
        path[t] = state
    return path


def dwell_bins(path: Index, layout: Layout, n_states: int) -> list[Index]:
    """Lengths of the visits to each state, in bins; a visit ends with its trial."""
    changes = np.flatnonzero((np.diff(path) != 0) | ~layout.inner[1:]) + 1
    edges = np.concatenate([[0], changes, [len(path)]]).astype(np.int64)
    lengths, states = np.diff(edges), path[edges[:-1]]
    return [lengths[states == s] for s in range(n_states)]
