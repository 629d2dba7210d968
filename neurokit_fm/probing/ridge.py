"""Ridge regression whose penalty is chosen by cross-validation at the cost of little more than one fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

Array = npt.NDArray[Any]
ROWS = 8192
"""Read at a time, in float64."""


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted linear map.

    Attributes
    ----------
    coef : ndarray, shape (D, O)
        On features as they are given.
    intercept : ndarray, shape (O,)
    alpha : float
        The chosen penalty.
    scores : ndarray, shape (A,)
        Mean criterion of each penalty over folds; empty where there was nothing to choose.
    """

    coef: Array
    intercept: Array
    alpha: float
    scores: Array

    def predict(self, x: Array) -> Array:
        """(M, D) to (M, O)."""
        return np.asarray(np.asarray(x, dtype=np.float64) @ self.coef + self.intercept)


def fit_ridge(
    x: Array,
    y: Array,
    alphas: Sequence[float],
    folds: Sequence[Array] = (),
    criterion: Callable[[Array, Array], float] | None = None,
    weights: Array | None = None,
) -> Ridge:
    r"""Fit ridge regression on standardised features; choose the penalty by cross-validation.

    Parameters
    ----------
    x : ndarray, shape (N, D)
    y : ndarray, shape (N, O)
    alphas : sequence of float
        Of equal mean criteria the first wins.
    folds : sequence of ndarray of int
        Rows held out in each fold; together all rows, each once. Needed for more than one alpha.
    criterion : callable
        (rows of a fold, predictions (n, O)) to what is to be large.
    weights : ndarray, shape (N,), optional
        Of trials in the squared error; standardisation does not use them.

    Notes
    -----
    $W = (Z^T S Z + \alpha I)^{-1} Z^T S Y$ with centred, standardised features $Z$ of the training rows alone. Sums over
    the rows of each fold are made once; those of a fold's training rows are the total less the fold's own, and
    standardisation is a scaling of the Gram matrix, so the data are read twice however many folds and penalties there are.
    Each penalty then costs a Cholesky factorisation, a tenth of the eigendecomposition that would serve them all. With
    more features than trials the same is done for the N x N matrix of products. Both forms agree.
    """
    x, y = np.asarray(x), np.asarray(y, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    solve = _Primal(x, y, w, folds) if x.shape[1] <= len(x) else _Dual(x, y, w, folds)
    scores = np.zeros((len(folds), len(alphas)))
    if len(alphas) > 1:
        assert criterion is not None
        for number, rows in enumerate(folds):
            predicted = solve.predict(rows, solve.fits(number, alphas))  # (n, A, O)
            scores[number] = [criterion(rows, predicted[:, i]) for i in range(len(alphas))]
    mean = scores.mean(0) if len(alphas) > 1 else np.zeros(0)
    alpha = float(alphas[int(mean.argmax())] if len(mean) else alphas[0])
    ((coef, intercept),) = solve.fits(None, [alpha])
    shift, scale = solve.shift, solve.scale
    coef = coef / scale[:, None]
    return Ridge(coef=coef, intercept=intercept - shift @ coef, alpha=alpha, scores=mean)


class _Primal:
    """Moments of every fold; D x D systems."""

    def __init__(self, x: Array, y: Array, w: Array, folds: Sequence[Array]):
        self.x = x
        self.shift, self.scale = _moments(x)
        parts = [self._sums(rows, y, w) for rows in (folds if len(folds) else [np.arange(len(x))])]
        self.parts = parts if len(folds) else []
        self.total = [sum(column) for column in zip(*parts, strict=True)]

    def _rows(self, rows: Array) -> Array:
        return np.asarray((np.asarray(self.x[rows], dtype=np.float64) - self.shift) / self.scale)

    def _sums(self, rows: Array, y: Array, w: Array) -> list[Any]:
        found: list[Any] = [0.0] * 8
        for i in range(0, len(rows), ROWS):
            some = rows[i : i + ROWS]
            z, s, t = self._rows(some), w[some], y[some]
            root = z * np.sqrt(s)[:, None]  # a product of a matrix with its own transpose costs half
            more = (root.T @ root, z.T @ (s[:, None] * t), s @ z, s @ t, s.sum(), len(some), z.sum(0), (z**2).sum(0))
            found = [a + b for a, b in zip(found, more, strict=True)]
        return found

    def fits(self, fold: int | None, alphas: Sequence[float]) -> list[tuple[Array, Array]]:
        """Coefficients and intercept for each penalty, trained on all rows but those of a fold."""
        held = [0.0] * 8 if fold is None else self.parts[fold]
        gram, cross, s, t, total, n, u, q = (a - b for a, b in zip(self.total, held, strict=True))
        sd = _safe(np.sqrt(np.maximum(q / n - (u / n) ** 2, 0)))
        gram = (gram - np.outer(s, s / total)) / sd[:, None] / sd
        cross = (cross - np.outer(s, t / total)) / sd[:, None]
        done = []
        for alpha in alphas:
            coef = _solve(gram, alpha, cross) / sd[:, None]
            done.append((coef, t / total - (s / total) @ coef))
        return done

    def predict(self, rows: Array, fits: Sequence[tuple[Array, Array]]) -> Array:
        """Predictions of some rows by each fit, (n, A, O)."""
        coef = np.stack([c for c, _ in fits], axis=1)  # (D, A, O)
        flat = coef.reshape(len(coef), -1)
        parts = [self._rows(rows[i : i + ROWS]) @ flat for i in range(0, len(rows), ROWS)]
        return np.asarray(np.concatenate(parts).reshape(-1, *coef.shape[1:]) + np.stack([b for _, b in fits]))


class _Dual:
    """Products of trials; N x N systems."""

    def __init__(self, x: Array, y: Array, w: Array, folds: Sequence[Array]):
        self.shift, self.scale = _moments(x)
        self.z = (np.asarray(x, dtype=np.float64) - self.shift) / self.scale
        self.y, self.w, self.folds = y, w, folds

    def fits(self, fold: int | None, alphas: Sequence[float]) -> list[tuple[Array, Array]]:
        """As `_Primal.fits`."""
        keep = np.ones(len(self.z), dtype=bool)
        if fold is not None:
            keep[self.folds[fold]] = False
        z, y, s = self.z[keep], self.y[keep], self.w[keep]
        sd, centre, mean = _safe(z.std(0)), s @ z / s.sum(), s @ y / s.sum()
        root = np.sqrt(s)[:, None]
        z = root * (z - centre) / sd  # (n, D)
        products = z @ z.T
        done = []
        for alpha in alphas:
            coef = z.T @ _solve(products, alpha, root * (y - mean)) / sd[:, None]
            done.append((coef, mean - centre @ coef))
        return done

    def predict(self, rows: Array, fits: Sequence[tuple[Array, Array]]) -> Array:
        """As `_Primal.predict`."""
        return np.stack([self.z[rows] @ coef + intercept for coef, intercept in fits], axis=1)


def _solve(matrix: Array, alpha: float, right: Array) -> Array:
    lifted = matrix.copy()
    lifted[np.diag_indices(len(lifted))] += alpha
    return np.asarray(cho_solve(cho_factor(lifted, lower=True, overwrite_a=True), right))


def _moments(x: Array) -> tuple[Array, Array]:
    """Mean and scale of all rows, only so that sums are well conditioned: no fit depends on them."""
    mean = np.mean(x, axis=0, dtype=np.float64)
    square = sum(((np.asarray(x[i : i + ROWS], np.float64) - mean) ** 2).sum(0) for i in range(0, len(x), ROWS))
    scale = np.sqrt(np.asarray(square) / len(x))
    return np.asarray(mean), np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)


def _safe(scale: Array) -> Array:
    """Scales of features that were scaled to about 1 already, and 1 where one does not vary: a difference of sums has 8 digits."""
    return np.where(scale > 1e-6, scale, 1.0)
