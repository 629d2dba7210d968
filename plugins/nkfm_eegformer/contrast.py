"""Contrast: which code patterns set some windows of a recording apart from the others, and how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurokit_fm import Events
from neurokit_fm.errors import DataError
from nkfm_eegformer.anomaly import Detection, detection
from nkfm_eegformer.ngrams import CodeNGramBayes, Telling
from nkfm_eegformer.reading import CodeSequences

FOLDS = 5
UNUSUAL, UNUSUAL_NAME = 0.1, "unusual"
"""Share of windows that are called so where there are no events to go by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrast:
    """Naive Bayes between some windows of a recording and the others.

    Attributes
    ----------
    name : str
        What windows inside are: ``"unusual"``, ``"during seizure"``.
    inside : ndarray, shape (W,), bool
    bayes : CodeNGramBayes
        Fitted on all windows; class ``True`` are those inside.
    evidence : ndarray, shape (W, C, M)
        For being inside, of each patch.
    held_out : Detection or None
        How well windows are told apart by patterns learned elsewhere in the recording; None if that cannot be said.
    """

    name: str
    inside: npt.NDArray[np.bool_]
    bayes: CodeNGramBayes
    evidence: npt.NDArray[np.float64]
    held_out: Detection | None

    def telling(self, count: int = 10) -> list[Telling]:
        """The patterns that speak most clearly for being inside."""
        return self.bayes.telling(True, count)


def contrast(
    codes: CodeSequences,
    inside: npt.ArrayLike,
    *,
    name: str,
    orders: Sequence[int] = (1, 2),
    alpha: float = 1.0,
) -> Contrast:
    """Contrast windows inside (W,) with the others.

    Raises
    ------
    DataError
        If all windows are of one kind.
    """
    chosen = np.asarray(inside, dtype=bool)
    if chosen.all() or not chosen.any():
        raise DataError(
            f"{int(chosen.sum())} of {len(chosen)} windows are {name}; a contrast needs some that are and some that are "
            "not. Shorter windows or steps (`--hop`) may help"
        )
    bayes = CodeNGramBayes(orders, alpha).fit(codes.codes, chosen)
    scores = held_out_scores(codes, chosen, orders=orders, alpha=alpha)
    known = np.isfinite(scores)
    both = known.any() and 0 < chosen[known].sum() < known.sum()
    return Contrast(
        name=name,
        inside=chosen,
        bayes=bayes,
        evidence=bayes.evidence(codes.codes, True),
        held_out=detection(scores[known], chosen[known]) if both else None,
    )


def held_out_scores(
    codes: CodeSequences, inside: npt.NDArray[np.bool_], *, orders: Sequence[int] = (1, 2), alpha: float = 1.0
) -> npt.NDArray[np.float64]:
    """Log-odds of being inside, (W,), each by patterns of other parts of the recording.

    The recording is cut into `FOLDS` stretches; windows that overlap with one take no part in learning for it. NaN where
    what is left holds windows of one kind only.
    """
    scores = np.full(len(codes), np.nan)
    for block in np.array_split(np.argsort(codes.times[:, 0], kind="stable"), FOLDS):
        if not len(block):
            continue
        begin, end = codes.times[block, 0].min(), codes.times[block, 1].max()
        apart = (codes.times[:, 1] <= begin) | (codes.times[:, 0] >= end)
        if len(np.unique(inside[apart])) == 2:
            bayes = CodeNGramBayes(orders, alpha).fit(codes.codes[apart], inside[apart])
            log_proba = bayes.predict_log_proba(codes.codes[block])
            scores[block] = log_proba[:, 1] - log_proba[:, 0]
    return scores


def during(
    codes: CodeSequences, events: Events, labels: Sequence[str], lasting_s: float | None
) -> npt.NDArray[np.bool_]:
    """Windows that events cover at least by half, (W,).

    Parameters
    ----------
    codes : CodeSequences
    events : Events
        Of the recording.
    labels : sequence of str
    lasting_s : float, seconds, optional
        How long events last; default: their own durations.

    Raises
    ------
    DataError
        If there are no such events, or they have no duration and none is given.
    """
    unknown = [label for label in labels if label not in events.label]
    if unknown:
        raise DataError(
            f"the recording has no events {', '.join(unknown)}; it has {', '.join(events.counts()) or 'none'}"
        )
    chosen = events.labelled(*labels)
    length = chosen.duration if lasting_s is None else np.full(len(chosen), lasting_s)
    if not (length > 0).all():
        raise DataError(
            f"{int((length <= 0).sum())} of {len(chosen)} events {', '.join(labels)} have no duration; say how long they "
            "last (`--lasting SECONDS`)"
        )
    return codes.overlapping(Events.of(chosen.onset, chosen.label, length))


def unusual(codes: CodeSequences) -> npt.NDArray[np.bool_]:
    """The tenth of the windows whose spectra the codes say least well, (W,)."""
    error = np.nanmean(codes.scores["reconstruction"], axis=1)
    return np.asarray(error > np.quantile(error, 1 - UNUSUAL))
