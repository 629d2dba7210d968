"""Trials end to end with the covariates of every bin: what the model is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurokit_fm.errors import DataError
from nkfm_glmhmm.basis import convolve
from nkfm_glmhmm.layout import Array, Layout


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """Observations and covariates of R trials, M bins in all.

    Attributes
    ----------
    x : Tensor, shape (M, N), float64
        Observations; 0 in bins that were not seen.
    design : Tensor, shape (M, F), float64
        Covariates; the intercept is not among them.
    seen : ndarray, shape (M,), bool
        True where the bin was observed; elsewhere the state goes on and the likelihood is 1.
    layout : Layout
    inputs : ndarray, shape (M, U), or None
        What drives the transitions into each bin.
    """

    x: Tensor
    design: Tensor
    seen: npt.NDArray[np.bool_]
    layout: Layout
    inputs: Array | None = None

    def __post_init__(self) -> None:
        rows = {len(self.x), len(self.design), len(self.seen), self.layout.n_bins}
        if len(rows) > 1 or (self.inputs is not None and len(self.inputs) not in rows):
            raise DataError(f"observations, covariates, mask and trials differ in their number of bins: {sorted(rows)}")

    @classmethod
    def of(
        cls,
        trials: Sequence[npt.ArrayLike],
        *,
        basis: Array | None = None,
        covariates: Sequence[npt.ArrayLike] | None = None,
        seen: Sequence[npt.ArrayLike] | None = None,
        inputs: Sequence[npt.ArrayLike] | None = None,
    ) -> Trials:
        """Build from one array a trial.

        Parameters
        ----------
        trials : sequence of array, shape (T, N) each
            T may differ. A bin in which any value is NaN counts as not seen.
        basis : ndarray, shape (H, B), optional
            Adds the history of every neuron, B covariates each; nothing crosses a trial's start.
        covariates : sequence of array, shape (T, U), optional
            Further covariates, after those of the history.
        seen : sequence of array, shape (T,), bool, optional
        inputs : sequence of array, shape (T, U), optional
            For input-driven transitions.

        Raises
        ------
        DataError
            If there is no bin, or shapes differ.
        """
        arrays = [np.asarray(t, dtype=np.float64) for t in trials]
        arrays = [a for a in arrays if len(a)]
        if not arrays:
            raise DataError("no trial holds a bin")
        if any(a.ndim != 2 for a in arrays) or len({a.shape[1] for a in arrays}) > 1:
            raise DataError(
                f"trials must be (bins, neurons) of equally many neurons; got {[a.shape for a in arrays][:4]}"
            )
        x = np.concatenate(arrays)  # (M, N)
        there: npt.NDArray[np.bool_] = np.asarray(np.isfinite(x).all(axis=1))
        if seen is not None:
            there &= _stacked(seen, len(x), "seen").astype(bool)
        x = np.where(there[:, None], x, 0.0)
        layout = Layout.of([len(a) for a in arrays])
        parts = [] if basis is None else [convolve(x, basis, layout.starts)]
        if covariates is not None:
            parts.append(_stacked(covariates, len(x), "covariates"))
        design = np.concatenate(parts, axis=1) if parts else np.zeros((len(x), 0))
        if not np.isfinite(design).all():
            raise DataError("covariates must be finite numbers; drop or fill the bins that hold NaN")
        driving = None if inputs is None else _stacked(inputs, len(x), "inputs")
        return cls(x=torch.from_numpy(x), design=torch.from_numpy(design), seen=there, layout=layout, inputs=driving)

    def take(self, chosen: Sequence[int]) -> Trials:
        """Return some trials, in the order given."""
        rows = np.concatenate([np.arange(self.layout.starts[i], self.layout.starts[i + 1]) for i in chosen])
        return replace(
            self,
            x=self.x[rows],
            design=self.design[rows],
            seen=self.seen[rows],
            layout=Layout.of(self.layout.lengths[list(chosen)]),
            inputs=None if self.inputs is None else self.inputs[rows],
        )

    def __len__(self) -> int:
        return len(self.layout.lengths)


def blocks(n_bins: int, length: int) -> list[tuple[int, int]]:
    """Cut long trials into shorter ones, for cross-validation: bounds [first, stop) of at most `length` bins.

    Examples
    --------
    >>> blocks(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(first, min(first + length, n_bins)) for first in range(0, n_bins, length)]


def _stacked(parts: Sequence[npt.ArrayLike], n_bins: int, what: str) -> Array:
    whole = np.concatenate([np.asarray(p, dtype=np.float64) for p in parts if len(np.asarray(p))])
    if len(whole) != n_bins:
        raise DataError(f"{what} cover {len(whole)} bins, the observations {n_bins}")
    return whole
