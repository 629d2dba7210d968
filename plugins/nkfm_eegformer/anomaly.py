"""How well anomaly scores find windows that are known to be unusual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError
from nkfm_eegformer.reading import CodeSequences

Over = Literal["mean", "max"]


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Quality of a score as a detector.

    Attributes
    ----------
    auroc : float
        Area under the ROC curve: chance that an unusual window scores above another; 0.5 is chance.
    auprc : float
        Average precision; `prevalence` is chance.
    prevalence : float
        Share of unusual windows.
    n : int
        Windows.
    """

    auroc: float
    auprc: float
    prevalence: float
    n: int


def detection(scores: npt.ArrayLike, truth: npt.ArrayLike) -> Detection:
    """Measure how well a score (W,), higher = more unusual, finds the windows that are True in `truth` (W,).

    Raises
    ------
    DataError
        If there is no window of one of the two kinds, or a score is not finite.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    score, unusual = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=bool)
    if score.shape != unusual.shape or score.ndim != 1:
        raise DataError(f"one score and one truth value a window; got shapes {score.shape} and {unusual.shape}")
    if unusual.all() or not unusual.any():
        raise DataError(f"{int(unusual.sum())} of {len(unusual)} windows are unusual; a detector needs both kinds")
    if not np.isfinite(score).all():
        raise DataError(f"{int((~np.isfinite(score)).sum())} of {len(score)} scores are not finite")
    return Detection(
        auroc=float(roc_auc_score(unusual, score)),
        auprc=float(average_precision_score(unusual, score)),
        prevalence=float(unusual.mean()),
        n=len(unusual),
    )


def window_scores(
    codes: CodeSequences, reference: npt.ArrayLike, over: Over = "mean"
) -> dict[str, npt.NDArray[np.float64]]:
    """Scores of windows (W,), those of their channels summed up.

    Parameters
    ----------
    codes : CodeSequences
    reference : array, shape (K,)
        Counts of codes in normal recordings: `CodeSequences.counts` of some, or `EEGFormer.seen`.
    over : {"mean", "max"}
        Mean over channels for what is everywhere, the largest for what is in a few.

    Returns
    -------
    dict of str to ndarray, shape (W,)
        ``reconstruction``, ``quantisation``, ``rarity``.
    """
    each: dict[str, npt.NDArray[Any]] = {**codes.scores, "rarity": codes.rarity(reference)}
    if over == "mean":
        return {name: np.asarray(np.nanmean(values, axis=1), dtype=np.float64) for name, values in each.items()}
    return {name: np.asarray(np.nanmax(values, axis=1), dtype=np.float64) for name, values in each.items()}


def detections(scores: Mapping[str, npt.ArrayLike], truth: npt.ArrayLike) -> dict[str, Detection]:
    """`detection` of several scores of the same windows."""
    return {name: detection(values, truth) for name, values in scores.items()}
