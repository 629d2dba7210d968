"""The hidden Markov chain given the log-likelihood of every bin: posteriors, evidence, filter and best path.

Forward and backward recursions run together over chunks of about sqrt(M) bins: products of small matrices within every
chunk at once, then from chunk to chunk, then all posteriors in one expression. That is exact, needs no compiler, and
costs a few milliseconds for 20,000 bins. Likelihoods are scaled by each bin's largest, so that nothing underflows; where
forbidden transitions make a chunk impossible in float64, the recursion in logarithms takes over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurokit_fm.errors import DataError
from nkfm_glmhmm.layout import Array, Layout

RENORMALISE_EVERY = 8
"""Steps between two renormalisations of a chunk's products; likelihood ratios beyond 1e308 in so few bins underflow."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the data say about the states.

    Attributes
    ----------
    gamma : ndarray, shape (M, S)
        p(state of a bin, given the whole trial).
    filtered : ndarray, shape (M, S)
        The same, given the trial up to that bin.
    xi_sum : ndarray, shape (S, S)
        Expected number of transitions [from, to], over all trials.
    xi : ndarray, shape (M, S, S), or None
        p(previous state, state) at each bin, 0 at the first of a trial.
    evidence : ndarray, shape (R,)
        Log-likelihood of each trial, nats.
    """

    gamma: Array
    filtered: Array
    xi_sum: Array
    xi: Array | None
    evidence: Array


def posterior(log_lik: Array, layout: Layout, initial: Array, transitions: Array, *, pairs: bool = False) -> Posterior:
    """Run forward and backward recursion over all trials.

    Parameters
    ----------
    log_lik : ndarray, shape (M, S), nats
        Of each bin under each state; 0 in a bin that was not observed.
    layout : Layout
    initial : ndarray, shape (S,)
    transitions : ndarray, shape (S, S) or (M, S, S)
        Rows sum to one. In the second form, entry t leads into bin t; those of first bins are not used.
    pairs : bool
        Also return `xi`.

    Raises
    ------
    DataError
        If a likelihood is NaN, or a trial is impossible.
    """
    if log_lik.shape[0] != layout.n_bins:
        raise DataError(f"{log_lik.shape[0]} bins of likelihood for trials of {layout.n_bins} bins")
    by_state = np.ascontiguousarray(log_lik.T)  # (S, M): long rows are what numpy is fast on
    top = by_state.max(axis=0)  # (M,)
    if not np.isfinite(top).all():
        raise DataError("a log-likelihood is not a finite number; are there NaN observations that are not masked?")
    weight = np.exp(by_state - top)  # (S, M)
    with np.errstate(divide="ignore", invalid="ignore"):
        passed = _in_chunks(weight, layout, initial, transitions)
    if passed is None:
        return posterior_in_logs(log_lik, layout, initial, transitions)
    return _combine(*passed, weight, top, layout, initial, transitions, pairs)


def _in_chunks(weight: Array, layout: Layout, initial: Array, transitions: Array) -> tuple[Array, Array] | None:
    """Filtered probabilities and likelihood-weighted backward messages, (S, M) each; None if one underflows."""
    n_states = len(weight)
    steps, chunks = layout.forward.shape
    emission = np.empty((steps, 2, n_states, chunks))
    for k, row in enumerate(weight):
        emission[:, 0, k] = row.take(layout.forward)
        emission[:, 1, k] = row.take(layout.backward)
    carry = _carrier(layout, transitions)
    ends, scales = _products(emission, layout, carry)
    entries = _entries(ends, scales, layout, initial, transitions)
    if entries is None:
        return None
    message = np.empty(emission.shape)  # (L, 2, S, n)
    np.multiply(entries, emission[0], out=message[0])
    for step in range(1, len(message)):
        before = message[step - 1]
        if step % RENORMALISE_EVERY == 0:
            before = before / before.sum(axis=1, keepdims=True)
        carry(before[:, :, None], step, message[step][:, :, None])
        message[step] *= emission[step]
    total = message.sum(axis=2, keepdims=True)
    if not (total > 1e-280).all():
        return None
    message /= total
    chunk, *order = layout.place
    alpha, beta = np.empty((2, *weight.shape))
    for way, (out, place) in enumerate(zip((alpha, beta), order, strict=True)):
        for k in range(n_states):
            message.take(((2 * place + way) * n_states + k) * chunks + chunk, out=out[k], mode="clip")
    return alpha, beta


def _carrier(layout: Layout, transitions: Array) -> Callable[[Array, int, Array], None]:
    """What carries (2, S, k, n), k vectors of every chunk forward and backward, over one transition, into a third."""
    if transitions.ndim == 2:
        both = np.stack([transitions.T, transitions])

        def carry(before: Array, step: int, out: Array) -> None:
            shape = (2, len(transitions), -1)
            np.matmul(both, before.reshape(shape), out=out.reshape(shape))

        return carry

    def carry_driven(before: Array, step: int, out: Array) -> None:
        into = transitions[layout.forward[step]]  # (n, S, S)
        out_of = transitions[np.minimum(layout.backward[step] + 1, layout.n_bins - 1)]
        np.einsum("nkj,kin->jin", into, before[0], out=out[0])
        np.einsum("njk,kin->jin", out_of, before[1], out=out[1])

    return carry_driven


def _products(emission: Array, layout: Layout, carry: Callable[[Array, int, Array], None]) -> tuple[Array, Array]:
    """Product over each chunk, (2, S to, S entry, n), in units of exp(scale) with scales (2, S entry, n)."""
    steps, _, s, n = emission.shape
    now, then = np.empty((2, 2, s, s, n))
    scale = np.zeros((2, s, n))
    ends, end_scales = np.empty_like(now), np.empty_like(scale)
    np.multiply(np.eye(s)[None, :, :, None], emission[0][:, :, None], out=now)
    for step in range(steps):
        if step:
            if step % RENORMALISE_EVERY == 0:
                largest = now.max(axis=1)  # (2, S, n)
                largest[largest == 0] = 1
                scale += np.log(largest)
                now /= largest[:, None]
            carry(now, step, then)
            then *= emission[step][:, :, None]
            now, then = then, now
        over = layout.ending.get(step)
        if over is not None:
            ends[..., over], end_scales[..., over] = now[..., over], scale[..., over]
    return ends, end_scales


def _entries(products: Array, scales: Array, layout: Layout, initial: Array, transitions: Array) -> Array | None:
    """Distribution with which each chunk is entered, forward and backward, (2, S, n)."""
    s, n = products.shape[2:]
    ends = (products * np.exp(scales - scales.max(axis=1, keepdims=True))[:, None]).transpose(3, 0, 1, 2)
    forward, backward, exists = layout.turns
    chunk = np.stack([forward, backward], axis=1)  # (K, 2, R)
    which = np.arange(2)[:, None]
    entry = np.empty((2, s, n))
    now = np.broadcast_to(np.stack([initial, np.ones(s) / s])[:, None], (2, len(layout.lengths), s))  # (2, R, S)
    fixed = np.stack([transitions, transitions.T])[:, None] if transitions.ndim == 2 else None
    for turn in range(len(chunk)):
        here = exists[turn]
        entry[which, :, chunk[turn][:, here]] = now[:, here]
        if turn + 1 == len(chunk):
            break
        left = (ends[chunk[turn], which] @ now[..., None])[..., 0]  # (2, R, S)
        if fixed is not None:
            now = (left[..., None, :] @ fixed)[..., 0, :]
        else:
            edge = layout.first[chunk[np.minimum(turn + 1, len(chunk) - 1), 0]], layout.first[chunk[turn, 1]]
            now = np.stack(
                [np.einsum("rk,rkj->rj", left[0], transitions[edge[0]]),
                 np.einsum("rk,rjk->rj", left[1], transitions[edge[1]])]
            )  # fmt: skip
        total = now.sum(axis=2, keepdims=True)
        if not (total[:, here] > 1e-280).all():
            return None
        now = now / total
    return entry


def posterior_in_logs(log_lik: Array, layout: Layout, initial: Array, transitions: Array) -> Posterior:
    """The same posterior, bin by bin in logarithms: slow, and safe for forbidden transitions."""
    with np.errstate(divide="ignore"):
        log_a, log_pi = np.log(transitions), np.log(initial)
    alpha, beta = np.empty_like(log_lik), np.zeros_like(log_lik)
    xi = np.zeros((*log_lik.shape, log_lik.shape[1]))
    evidence = np.empty(len(layout.lengths))
    for trial, (first, stop) in enumerate(zip(layout.starts[:-1], layout.starts[1:], strict=True)):
        alpha[first] = log_pi + log_lik[first]
        for t in range(first + 1, stop):
            into = log_a if log_a.ndim == 2 else log_a[t]
            alpha[t] = log_lik[t] + np.logaddexp.reduce(alpha[t - 1][:, None] + into, axis=0)
        evidence[trial] = np.logaddexp.reduce(alpha[stop - 1])
        if not np.isfinite(evidence[trial]):
            raise DataError(f"trial {trial} is impossible: its transitions or first state have probability 0")
        for t in range(stop - 1, first, -1):
            ahead = (log_a if log_a.ndim == 2 else log_a[t]) + log_lik[t] + beta[t]
            beta[t - 1] = np.logaddexp.reduce(ahead, axis=1)
            xi[t] = np.exp(alpha[t - 1][:, None] + ahead - evidence[trial])
    gamma = np.exp(alpha + beta - np.repeat(evidence, layout.lengths)[:, None])
    filtered = np.exp(alpha - alpha.max(axis=1, keepdims=True))
    filtered /= filtered.sum(axis=1, keepdims=True)
    return Posterior(gamma / gamma.sum(axis=1, keepdims=True), filtered, xi.sum(axis=0), xi, evidence)


def _combine(
    alpha: Array,
    beta: Array,
    weight: Array,
    top: Array,
    layout: Layout,
    initial: Array,
    transitions: Array,
    pairs: bool,
) -> Posterior:
    """Posteriors and evidence from both messages."""
    firsts, lasts = layout.starts[:-1], layout.starts[1:] - 1
    predicted, after = np.empty_like(alpha), np.empty_like(alpha)
    if transitions.ndim == 2:
        np.matmul(transitions.T, alpha[:, :-1], out=predicted[:, 1:])
        np.matmul(transitions, beta[:, 1:], out=after[:, :-1])
    else:
        np.einsum("kt,tkj->jt", alpha[:, :-1], transitions[1:], out=predicted[:, 1:])
        np.einsum("tkj,jt->kt", transitions[1:], beta[:, 1:], out=after[:, :-1])
    predicted[:, firsts], after[:, lasts] = initial[:, None], 1
    gamma = alpha * after
    joint = gamma.sum(axis=0)  # (M,)
    gamma /= joint
    share = 1 / joint[:-1]
    share[lasts[:-1]] = 0  # no transition leads out of a trial
    scaled = beta[:, 1:] * share
    xi = None
    if pairs or transitions.ndim == 3:
        xi = np.zeros((layout.n_bins, len(alpha), len(alpha)))
        matrices = transitions if transitions.ndim == 2 else transitions[1:]
        xi[1:] = alpha.T[:-1, :, None] * matrices * scaled.T[:, None, :]
    xi_sum = xi.sum(axis=0) if xi is not None else transitions * (alpha[:, :-1] @ scaled.T)
    log_total = np.log((predicted * weight).sum(axis=0)) + top  # (M,)
    return Posterior(gamma.T, alpha.T, xi_sum, xi, np.add.reduceat(log_total, firsts))
