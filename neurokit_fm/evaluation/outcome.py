"""Outcome: what was predicted of the test trials beside the truth; and every measure of it, also under resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Array = npt.NDArray[Any]
Kind = Literal["classes", "quantity", "labels"]
"""One of several names, a number, or any number of names at once."""

BINS = 10
"""Of equal width, for the calibration error."""

AT_ONCE = 20_000_000
"""Values held at a time while resampling."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a method says about M trials.

    Attributes
    ----------
    names : tuple of str
        K class or label names; empty for a quantity.
    decision : ndarray, shape (M, K) or (M, 1), float64
        The larger, the surer; for a quantity its value.
    probability : bool
        Whether decisions are probabilities.
    """

    names: tuple[str, ...]
    decision: Array
    probability: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Predictions of N test trials beside the truth.

    Attributes
    ----------
    kind : {"classes", "quantity", "labels"}
    names : tuple of str
        K class or label names, those that only the test part has included.
    truth : ndarray, shape (N,) int, (N,) float or (N, K) bool
        Class numbers, values, or labels.
    decision : ndarray, shape (N, K) or (N, 1)
    probability : bool
    groups : ndarray, shape (N,), str
        What is resampled: subjects where there are several.
    units : ndarray, shape (N,), str
        Recording of each trial.
    """

    kind: Kind
    names: tuple[str, ...]
    truth: Array
    decision: Array
    probability: bool
    groups: Array
    units: Array

    @classmethod
    def of(cls, kind: Kind, truth: Array, predicted: Prediction, groups: Array, units: Array | None = None) -> Outcome:
        """Put truth, as `Trials.y` holds it, beside a prediction.

        Raises
        ------
        DataError
            If there is no trial.
        """
        if not len(truth):
            raise DataError("there is no test trial")
        units = groups if units is None else units
        decision, names = np.asarray(predicted.decision, dtype=np.float64), predicted.names
        if kind == "quantity":
            return cls(kind=kind, names=(), truth=np.asarray(truth, dtype=np.float64), decision=decision,
                       probability=False, groups=groups, units=units)  # fmt: skip
        found = sorted({name for text in truth for name in split_labels(text)} if kind == "labels" else set(truth))
        unseen = tuple(name for name in found if name not in names)
        never = np.full((len(decision), len(unseen)), 0.0 if predicted.probability else -np.inf)
        names, decision = (*names, *unseen), np.concatenate([decision, never], axis=1)
        number = {name: i for i, name in enumerate(names)}
        codes: Array = (
            label_matrix(truth, names)
            if kind == "labels"
            else np.array([number[name] for name in truth], dtype=np.int64)
        )
        return cls(kind=kind, names=names, truth=codes, decision=decision, probability=predicted.probability,
                   groups=groups, units=units)  # fmt: skip

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def predicted(self) -> Array:
        """Class numbers (N,), values (N,), or labels (N, K)."""
        if self.kind == "classes":
            return np.asarray(self.decision.argmax(1))
        return self.decision[:, 0] if self.kind == "quantity" else self.decision > (0.5 if self.probability else 0.0)

    @property
    def metric(self) -> str:
        """Name of the measure that counts first."""
        return "R2" if self.kind == "quantity" else "balanced accuracy"

    @property
    def chance(self) -> float:
        """What that measure is worth by luck alone."""
        return {"classes": 1 / max(1, len(np.unique(self.truth))), "quantity": 0.0, "labels": 0.5}[self.kind]

    def gains(self) -> Array:
        """Share of each trial in the first measure, (N,); their sum is its value."""
        n = len(self)
        if self.kind == "quantity":
            total = float(((self.truth - self.truth.mean()) ** 2).sum())
            if not total:
                raise DataError("all test trials have the same value: R2 has no meaning")
            return np.asarray(1 / n - (self.truth - self.predicted) ** 2 / total)
        if self.kind == "classes":
            counts = np.bincount(self.truth)
            return np.asarray((self.truth == self.predicted) / counts[self.truth] / (counts > 0).sum())
        share = np.zeros(n)
        parts = [(value, column) for column in range(len(self.names)) for value in (True, False)]
        present = [(v, c) for v, c in parts if (self.truth[:, c] == v).any()]
        for value, column in present:
            rows = self.truth[:, column] == value
            share += rows * (self.predicted[:, column] == value) / rows.sum()
        return share / len(present)

    def permuted(self, order: Array) -> Array:
        """First measure with the truth in other orders: (R, N) row numbers to (R,)."""
        truth, predicted = self.truth, self.predicted
        if self.kind == "quantity":
            total = ((truth - truth.mean()) ** 2).sum()
            return np.array([1 - ((truth[rows] - predicted) ** 2).sum() / total for rows in order])
        if self.kind == "classes":
            present = np.unique(truth)
            hits = [((truth[order] == k) & (predicted == k)).sum(1) / (truth == k).sum() for k in present]
            return np.asarray(np.mean(hits, axis=0))
        hits = []
        for column in range(len(self.names)):
            for value in (True, False):
                rows = truth[:, column] == value
                if rows.any():
                    hits.append((rows[order] & (predicted[:, column] == value)).sum(1) / rows.sum())
        return np.asarray(np.mean(hits, axis=0))

    def per_recording(self) -> Outcome:
        """One prediction a recording: the mean decision over its trials.

        Raises
        ------
        DataError
            If the trials of a recording differ in truth.
        """
        names, first, number = np.unique(self.units, return_index=True, return_inverse=True)
        if not np.array_equal(self.truth, self.truth[first][number]):
            raise DataError("predictions per recording need one truth a recording; here it changes between trials")
        count = np.bincount(number)[:, None]
        total = np.zeros((len(names), self.decision.shape[1]))
        np.add.at(total, number, self.decision)
        return replace(
            self, truth=self.truth[first], decision=total / count, groups=self.groups[first], units=self.units[first]
        )


def joined(parts: Sequence[Outcome]) -> Outcome:
    """Put the test trials of several folds together; classes that a fold's training part lacked can never be said there."""
    first = parts[0]
    if any((part.kind, part.probability) != (first.kind, first.probability) for part in parts):
        raise DataError("outcomes of different kinds cannot be joined")
    names = tuple(sorted({name for part in parts for name in part.names}))
    if first.kind == "quantity":
        truths, decisions = [part.truth for part in parts], [part.decision for part in parts]
    else:
        truths, decisions = [], []
        for part in parts:
            place = [names.index(name) for name in part.names]
            wide = np.full((len(part), len(names)), 0.0 if part.probability else -np.inf)
            wide[:, place] = part.decision
            decisions.append(wide)
            if part.kind == "classes":
                truths.append(np.array(place)[part.truth])
            else:
                truth = np.zeros((len(part), len(names)), dtype=bool)
                truth[:, place] = part.truth
                truths.append(truth)
    return replace(
        first,
        names=names,
        truth=np.concatenate(truths),
        decision=np.concatenate(decisions),
        groups=np.concatenate([part.groups for part in parts]),
        units=np.concatenate([part.units for part in parts]),
    )


def split_labels(text: str) -> list[str]:
    """Names in a joined label, ``"a|b"``."""
    return [name for name in str(text).split("|") if name]


def label_matrix(truth: Array, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Joined labels (N,) as (N, K) booleans."""
    return np.array([[name in split_labels(text) for name in names] for text in truth], dtype=bool)


def measures(outcome: Outcome, weights: Array) -> dict[str, Array]:
    """Every measure of an outcome, each trial counted so many times.

    Parameters
    ----------
    outcome : Outcome
    weights : ndarray, shape (R, N)
        One row a resample; ones for the plain measure.

    Returns
    -------
    dict of str to ndarray, shape (R,)
        Classes: balanced accuracy (mean recall of the classes present), accuracy, Cohen's kappa, F1 (mean and weighted),
        AUROC and AUPRC (each class against the rest, mean; the second class of two), and of probabilities the Brier score
        and the expected calibration error over `BINS` bins of confidence. Labels: means over labels. Quantity: R2, mean
        absolute error, Pearson's r. NaN where a resample leaves a measure without meaning.
    """
    size = max(1, AT_ONCE // max(1, len(outcome)))
    parts = [_measures(outcome, weights[i : i + size]) for i in range(0, len(weights), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def chances(outcome: Outcome) -> dict[str, float]:
    """What each measure is worth by luck; a method that guesses as often as this one says each class, for F1."""
    if outcome.kind == "quantity":
        return {"R2": 0.0, "r": 0.0}
    if outcome.kind == "labels":
        return {"balanced accuracy": 0.5, "AUROC": 0.5, "AUPRC": float(outcome.truth.mean())}
    k = len(outcome.names)
    p, q = (np.bincount(codes, minlength=k) / len(outcome) for codes in (outcome.truth, outcome.predicted))
    both = p + q > 0
    f1 = 2 * p[both] * q[both] / (p + q)[both]
    known = np.unique(outcome.truth)
    return {
        "balanced accuracy": outcome.chance,
        "accuracy": float(p @ q),
        "kappa": 0.0,
        "F1": float(f1.mean()),
        "F1 (weighted)": float(f1 @ p[both]),
        "AUROC": 0.5,
        "AUPRC": float(p[1]) if k == 2 else float(p[known].mean()),
    }


def _measures(outcome: Outcome, w: Array) -> dict[str, Array]:
    w = np.asarray(w, dtype=np.float64)
    if outcome.kind == "quantity":
        return _of_quantity(outcome.truth, outcome.predicted, w)
    if outcome.kind == "labels":
        return _of_labels(outcome, w)
    return _of_classes(outcome, w)


def _of_classes(outcome: Outcome, w: Array) -> dict[str, Array]:
    k, truth, predicted = len(outcome.names), outcome.truth, outcome.predicted
    confusion: Array = np.stack(
        [w[:, truth == i] @ (predicted[truth == i][:, None] == np.arange(k)) for i in range(k)], axis=1
    )  # (R, K, K) truth by prediction
    found = _of_confusion(confusion)
    columns = [1] if k == 2 else list(range(k))
    found |= _of_ranks([(_margin(outcome.decision, c), truth == c) for c in columns], w)
    if outcome.probability:
        p = outcome.decision
        brier = ((p - (truth[:, None] == np.arange(k))) ** 2).sum(1)  # (N,)
        found["Brier score"] = w @ brier / w.sum(1)
        sure, right = p.max(1), predicted == truth
        bins = np.minimum((sure * BINS).astype(int), BINS - 1)
        gap = sum(np.abs(w[:, bins == b] @ (right - sure)[bins == b]) for b in np.unique(bins))
        found["calibration error"] = np.asarray(gap) / w.sum(1)
    return found


def _margin(decision: Array, column: int) -> Array:
    if decision.shape[1] != 2:
        return decision[:, column]
    with np.errstate(invalid="ignore"):  # a class that can never be said
        return np.asarray(np.nan_to_num(decision[:, column] - decision[:, 1 - column], nan=0.0))


def _of_confusion(confusion: Array) -> dict[str, Array]:
    total = confusion.sum((1, 2))  # (R,)
    hit = np.einsum("rkk->rk", confusion)
    true, said = confusion.sum(2), confusion.sum(1)  # (R, K) each
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(true > 0, hit / true, np.nan)
        f1 = np.where(true + said > 0, 2 * hit / (true + said), np.nan)
        agree, luck = hit.sum(1) / total, (true * said).sum(1) / total**2
        kappa = np.where(luck < 1, (agree - luck) / (1 - luck), np.nan)
    return {
        "balanced accuracy": np.nanmean(recall, axis=1),
        "accuracy": agree,
        "kappa": kappa,
        "F1": np.nanmean(f1, axis=1),
        "F1 (weighted)": (np.nan_to_num(f1) * true).sum(1) / total,
    }


def _of_labels(outcome: Outcome, w: Array) -> dict[str, Array]:
    each: list[dict[str, Array]] = []
    for column in range(len(outcome.names)):
        truth, said = outcome.truth[:, column], outcome.predicted[:, column]
        confusion: Array = np.stack(
            [np.stack([w[:, (truth == i) & (said == j)].sum(1) for j in (0, 1)], -1) for i in (0, 1)], 1
        )
        f1 = 2 * confusion[:, 1, 1] / np.maximum(confusion[:, 1].sum(1) + confusion[:, :, 1].sum(1), 1e-300)
        part = {"balanced accuracy": _of_confusion(confusion)["balanced accuracy"], "F1": f1}
        each.append(part | _of_ranks([(outcome.decision[:, column], truth)], w))
    return {name: np.mean([part[name] for part in each], axis=0) for name in each[0]}


def _of_quantity(truth: Array, said: Array, w: Array) -> dict[str, Array]:
    total = w.sum(1)

    def mean(x: Array) -> Array:
        return np.asarray(w @ x / total)

    spread = mean(truth**2) - mean(truth) ** 2
    around = mean(said**2) - mean(said) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "R2": np.where(spread > 0, 1 - mean((truth - said) ** 2) / spread, np.nan),
            "mean absolute error": mean(np.abs(truth - said)),
            "r": (mean(truth * said) - mean(truth) * mean(said)) / np.sqrt(spread * around),
        }


def _of_ranks(columns: Sequence[tuple[Array, Array]], w: Array) -> dict[str, Array]:
    """Areas under both curves, mean over (decision (N,), positive (N,)) pairs with both outcomes present."""
    pairs = [_areas(decision, positive, w) for decision, positive in columns if positive.any() and not positive.all()]
    if not pairs:
        return {"AUROC": np.full(len(w), np.nan), "AUPRC": np.full(len(w), np.nan)}
    return {name: np.mean([pair[i] for pair in pairs], axis=0) for i, name in enumerate(("AUROC", "AUPRC"))}


def _areas(decision: Array, positive: Array, w: Array) -> tuple[Array, Array]:
    order = np.argsort(-decision, kind="stable")
    ranked = decision[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))  # equal decisions count at once
    sums: Callable[[Array], Array] = lambda part: np.add.reduceat(w[:, order] * part[order], starts, axis=1)
    hits, misses = sums(positive), sums(~positive)  # (R, U)
    above, below = hits.cumsum(1), misses.cumsum(1)
    p, n = above[:, -1], below[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        roc = (misses * (above - hits / 2)).sum(1) / (p * n)
        precision = np.where(above + below > 0, above / (above + below), 0.0)
        return roc, (hits * precision).sum(1) / p
