"""How well hidden patches are predicted, beside predictors that learn nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import legval
from torch import Tensor

from neurokit_fm.errors import DataError
from neurokit_fm.report.sensors import head_centre
from neurokit_fm.tokens import Tokens

Array = npt.NDArray[np.float64]


class Reconstructed(Protocol):
    """What a masked model makes of the hidden tokens of a batch: the published part of its answer."""

    @property
    def target(self) -> Tokens:
        """All tokens with their raw values, (B, N, w)."""
        ...

    @property
    def hidden(self) -> Tensor:
        """(B, N), bool."""
        ...

    @property
    def predicted(self) -> Tensor:
        """Raw values of the K hidden tokens, (K, w), in order of sample and token."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Patches of a batch on their grid, all of one number of channels and steps.

    Attributes
    ----------
    truth, predicted : ndarray, shape (B, C, S, w)
        `predicted` holds the truth where nothing was hidden.
    hidden : ndarray, shape (B, C, S), bool
    position : ndarray, shape (C, 3), metres
    """

    truth: Array
    predicted: Array
    hidden: npt.NDArray[np.bool_]
    position: Array

    @classmethod
    def of(cls, made: Reconstructed) -> Grid:
        """Lay tokens out.

        Raises
        ------
        DataError
            If the windows of the batch differ in shape.
        """
        target = made.target
        if not bool(target.mask.all()):
            raise DataError(
                "reconstructions are compared on windows of one shape; some tokens of this batch are padding"
            )
        b, n, w = target.values.shape
        c = int(target.index[..., 0].max()) + 1
        truth = target.values.detach().double()
        predicted = truth.clone()
        predicted[made.hidden] = made.predicted.detach().double()
        shape = (b, c, n // c, w)  # tokens are channel-major
        return cls(
            truth=truth.reshape(shape).cpu().numpy(),
            predicted=predicted.reshape(shape).cpu().numpy(),
            hidden=made.hidden.reshape(shape[:3]).cpu().numpy(),
            position=target.coords[0, :: n // c, :3].double().cpu().numpy(),
        )

    def error(self, predicted: Array | None = None) -> float:
        """Mean absolute error over hidden samples; of the model, or of another prediction (B, C, S, w)."""
        predicted = self.predicted if predicted is None else predicted
        return float(np.abs(predicted - self.truth)[self.hidden].mean())

    def by_channel(self) -> tuple[Array, Array]:
        """Mean absolute error and correlation over the hidden samples of each channel, shape (C,) both."""
        errors, correlations = np.full(len(self.position), np.nan), np.full(len(self.position), np.nan)
        for row in range(len(self.position)):
            where = self.hidden[:, row]
            if where.any():
                x, y = self.truth[:, row][where].ravel(), self.predicted[:, row][where].ravel()
                errors[row] = np.abs(x - y).mean()
                correlations[row] = np.corrcoef(x, y)[0, 1] if x.std() > 0 and y.std() > 0 else np.nan
        return errors, correlations


def plain_predictions(grid: Grid) -> Mapping[str, Array]:
    """Fill hidden patches without any learning, each (B, C, S, w).

    Zero (the mean of z-scored signals); the mean of the channel's visible samples; a line in time between them; the
    nearest visible channel at that time; and a spherical spline through the visible channels at that time (Perrin et
    al. 1989), what EEG software does with bad channels.
    """
    zero = np.where(grid.hidden[..., None], 0.0, grid.truth)
    filled: dict[str, Array] = {"zero": zero}
    for name in ("channel mean", "line in time", "nearest channel", "spherical spline"):
        filled[name] = zero.copy()
    apart = np.linalg.norm(grid.position[:, None] - grid.position[None], axis=2)  # (C, C)
    kernel = _spline_kernel(grid.position)
    b, c, steps, w = grid.truth.shape
    clock = np.arange(steps * w).reshape(steps, w)
    for sample in range(b):
        truth, hidden = grid.truth[sample], grid.hidden[sample]
        for row in range(c):
            lost, seen = hidden[row], ~hidden[row]
            if lost.any() and seen.any():
                line = np.interp(clock[lost].ravel(), clock[seen].ravel(), truth[row, seen].ravel())
                filled["channel mean"][sample, row, lost] = truth[row, seen].mean()
                filled["line in time"][sample, row, lost] = line.reshape(-1, w)
        for step in range(steps):
            lost, seen = np.flatnonzero(hidden[:, step]), np.flatnonzero(~hidden[:, step])
            if len(lost) and len(seen):
                nearest = seen[apart[np.ix_(lost, seen)].argmin(axis=1)]
                filled["nearest channel"][sample, lost, step] = truth[nearest, step]
                weights = _spline_weights(kernel, lost, seen)
                filled["spherical spline"][sample, lost, step] = weights @ truth[seen, step]
    return filled


def _spline_kernel(position: Array) -> Array:
    """g(cos) of Perrin et al. (1989) with m = 4 and 50 terms, shape (C, C)."""
    outward = position - head_centre(position, "template")
    unit = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    orders = np.arange(1, 51)
    terms = (2 * orders + 1) / (orders * (orders + 1)) ** 4 / (4 * np.pi)
    return np.asarray(legval(np.clip(unit @ unit.T, -1, 1), np.concatenate([[0.0], terms])))


def _spline_weights(kernel: Array, lost: npt.NDArray[Any], seen: npt.NDArray[Any]) -> Array:
    """Weights of the visible channels for each lost one, shape (lost, seen); a tiny ridge as in MNE."""
    n = len(seen)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = kernel[np.ix_(seen, seen)] + 1e-5 * np.eye(n)
    system[n, n] = 0.0
    right = np.column_stack([kernel[np.ix_(lost, seen)], np.ones(len(lost))])
    return np.asarray((right @ np.linalg.pinv(system))[:, :n])
