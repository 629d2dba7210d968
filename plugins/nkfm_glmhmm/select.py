"""How many states: cross-validated log-likelihood over a range, with plain models to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError
from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.fit import fit
from nkfm_glmhmm.scoring import evidence_per_bin


@dataclass(frozen=True, kw_only=True, eq=False)
class StateCurve:
    """Held-out log-likelihood by number of states.

    Attributes
    ----------
    n_states : tuple of int
    held_out, train : ndarray, shape (len(n_states), folds), nats per bin
    """

    n_states: tuple[int, ...]
    held_out: npt.NDArray[np.float64]
    train: npt.NDArray[np.float64]

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Over folds."""
        return np.asarray(self.held_out.mean(1))

    @property
    def gain_error(self) -> npt.NDArray[np.float64]:
        """Standard error, over folds, of the difference to the best number of states."""
        gap = self.held_out - self.held_out[int(self.mean.argmax())]
        folds = gap.shape[1]
        return np.asarray(gap.std(1, ddof=1) / np.sqrt(folds)) if folds > 1 else np.full(len(gap), np.nan)

    @property
    def best(self) -> int:
        """Number of states with the highest mean held-out log-likelihood."""
        return self.n_states[int(self.mean.argmax())]

    @property
    def fewest(self) -> int:
        """Smallest number of states within one standard error of the best."""
        gap = self.mean.max() - self.mean
        return min(k for k, g, e in zip(self.n_states, gap, self.gain_error, strict=True) if g <= np.nan_to_num(e))


def folds_of(trials: Trials, folds: int) -> list[npt.NDArray[np.int64]]:
    """Deal trials out: fold k holds out every `folds`-th trial, from the k-th on.

    Raises
    ------
    DataError
        If there are fewer trials than folds.
    """
    if not 2 <= folds <= len(trials):
        raise DataError(
            f"{folds} folds need at least as many trials, and at least 2; there are {len(trials)}. "
            "Cut long trials into shorter ones first (`nkfm_glmhmm.design.blocks`)"
        )
    return [np.arange(k, len(trials), folds) for k in range(folds)]


def select_states(
    trials: Trials,
    config: GlmHmmConfig,
    n_states: Sequence[int],
    *,
    folds: int = 4,
    restarts: int = 4,
    seed: int = 0,
    watch: Callable[[int, int], None] | None = None,
) -> StateCurve:
    """Fit every number of states on every fold.

    Parameters
    ----------
    trials : Trials
    config : GlmHmmConfig
        Its own number of states is not used.
    n_states : sequence of int
    folds : int
        Whole trials are held out.
    restarts, seed : int
        Of each fit.
    watch : callable, optional
        Told the number of states and the fold that begins.
    """
    dealt = folds_of(trials, folds)
    held_out, train = np.empty((2, len(n_states), folds))
    for i, count in enumerate(n_states):
        settings = replace(config, n_states=count)
        for k, out in enumerate(dealt):
            if watch is not None:
                watch(count, k)
            kept = trials.take(np.setdiff1d(np.arange(len(trials)), out).tolist())
            fitted = fit(kept, settings, restarts=restarts, seed=seed)
            train[i, k] = evidence_per_bin(kept, settings, fitted)
            held_out[i, k] = evidence_per_bin(trials.take(out.tolist()), settings, fitted)
    return StateCurve(n_states=tuple(n_states), held_out=held_out, train=train)
