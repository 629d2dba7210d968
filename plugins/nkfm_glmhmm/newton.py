"""One Fisher step for all neurons of a state, from one Gram matrix.

The information matrix of neuron n is taken to be a multiple c_n of the Gram matrix of its state, weighted with the mean
information of all neurons: exact for one neuron, and close enough for the rest that steps are rarely shortened. It only
shapes the direction; whether the step is taken is decided by the objective itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

RELATIVE_FLOOR = 1e-10
"""Directions of the design with less than this share of its largest variance are not moved along."""


def direction(
    gram: Tensor,
    scale: Tensor,
    gradient: Tensor,
    precision: Tensor,
    intercept_precision: float,
    free: Tensor | None,
    shared: bool,
) -> Tensor:
    """Solve for the step of every state and neuron.

    Parameters
    ----------
    gram : Tensor, shape (S, F + 1, F + 1)
        Last row and column: the intercept.
    scale : Tensor, shape (S, N)
        Multiple c of the Gram matrix.
    gradient : Tensor, shape (S, F + 1, N)
        Of the penalised objective, to be increased.
    precision : Tensor, shape (S, F, N) or scalar
        Of the prior of the weights.
    intercept_precision : float
    free : Tensor, shape (F, N), bool, or None
        False where a weight is held at 0.
    shared : bool
        One intercept for all states.

    Returns
    -------
    Tensor, shape (S, F + 1, N)
    """
    features = gradient.shape[1] - 1
    out = torch.zeros_like(gradient)
    if features:
        solve = _one_for_all if precision.ndim == 0 and free is None else _one_each
        coupling = gram[:, :features, features, None] * scale[:, None]  # (S, F, N)
        weights, carried = solve(
            gram[:, :features, :features], scale, precision, free, gradient[:, :features], coupling
        )
        slope = gradient[:, features] - (coupling * weights).sum(1)  # (S, N)
        curve = gram[:, features, features, None] * scale - (coupling * carried).sum(1)
    else:
        slope, curve = gradient[:, 0], gram[:, 0, 0, None] * scale
    curve = curve.clamp(min=0) + intercept_precision
    if shared:
        slope, curve = slope.sum(0, keepdim=True), curve.sum(0, keepdim=True)
    out[:, features] = slope / curve.clamp(min=1e-12)
    if features:
        out[:, :features] = weights - carried * out[:, features, None]
    return out


def _one_for_all(
    gram: Tensor, scale: Tensor, precision: Tensor, free: Tensor | None, *right: Tensor
) -> tuple[Tensor, ...]:
    """One eigendecomposition a state serves every neuron: (c G + p)^-1 differs in its eigenvalues only."""
    values, vectors = torch.linalg.eigh(gram)
    keep = values > RELATIVE_FLOOR * values[:, -1:].clamp(min=1e-30)
    spread = (values * keep)[:, :, None] * scale[:, None] + precision  # (S, F, N)
    inverse = torch.where(spread > 1e-12, 1 / spread.clamp(min=1e-12), 0.0)
    if float(precision) == 0:
        inverse = inverse * keep[:, :, None]
    return tuple(vectors @ (inverse * (vectors.mT @ r)) for r in right)


def _one_each(
    gram: Tensor, scale: Tensor, precision: Tensor, free: Tensor | None, *right: Tensor
) -> tuple[Tensor, ...]:
    """A Cholesky factor for every state and neuron, where each has its own prior or mask."""
    (states, features), neurons = gram.shape[:2], scale.shape[1]
    out = [torch.zeros_like(r) for r in right]
    for s in range(states):
        matrix = gram[s] * scale[s, :, None, None]  # (N, F, F)
        loaded = precision[s].T if precision.ndim else precision.expand(neurons, features)
        tiny = RELATIVE_FLOOR * matrix.diagonal(dim1=1, dim2=2).amax(1, keepdim=True) + 1e-10
        matrix.diagonal(dim1=1, dim2=2).add_(loaded + tiny)
        held = None if free is None else ~free.T
        if held is not None:
            matrix.masked_fill_(held[:, :, None] | held[:, None, :], 0)
            matrix.diagonal(dim1=1, dim2=2).masked_fill_(held, 1)
        factor = torch.linalg.cholesky_ex(matrix)[0]
        both = torch.stack([r[s].T for r in right], -1)  # (N, F, 2)
        if held is not None:
            both = both.masked_fill(held[:, :, None], 0)
        solved = torch.cholesky_solve(both, factor)
        for k, o in enumerate(out):
            o[s] = solved[..., k].T
    return tuple(out)
