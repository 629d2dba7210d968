"""Score and ProbeReport: one number with its error bar, and what may be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError

Labels = npt.NDArray[np.str_]

RESAMPLES = 2000
HEADER = (
    "| method | balanced accuracy | 95% interval | chance | p | trials (train / test) |",
    "|---|---|---|---|---|---|",
)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Balanced accuracy of one method on the test part.

    Attributes
    ----------
    method : str
    value : float
        Mean over classes of the share of their trials that were recognised.
    low, high : float
        95 % bootstrap interval over test trials.
    chance : float
        1 / number of classes.
    p_value : float
        Of permuted test labels reaching `value`.
    n_train, n_test : int
        Trials.
    protocol : str
        How it was measured.
    seed : int
    correct : tuple of bool
        Which test trials were right, in order; for paired comparisons.
    """

    method: str
    value: float
    low: float
    high: float
    chance: float
    p_value: float
    n_train: int
    n_test: int
    protocol: str
    seed: int
    correct: tuple[bool, ...] = field(default=(), repr=False)

    @property
    def above_chance(self) -> bool:
        """Whether the interval lies above chance and the permutation test agrees at 5 %."""
        return self.low > self.chance and self.p_value < 0.05


def score(
    method: str, truth: Labels, predicted: Labels, groups: Labels, *, n_train: int, protocol: str, seed: int
) -> Score:
    """Measure predictions.

    Parameters
    ----------
    method : str
    truth, predicted, groups : ndarray, shape (N,)
        With several groups, the bootstrap draws groups and then trials within each, and labels are permuted within
        groups. A percentile interval is too narrow for few groups, and shrinks to a point at 100 % correct.
    n_train : int
    protocol : str
        What was done to get the predictions; what is done here is added.
    seed : int

    Returns
    -------
    Score
    """
    if not len(truth):
        raise DataError("there is no test trial")
    classes, codes = np.unique(truth, return_inverse=True)  # codes (N,)
    correct = truth == predicted
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    value = _balanced(codes, correct)
    rng = np.random.default_rng(seed)
    draws = [_draw(rng, members) for _ in range(RESAMPLES)]
    low, high = np.quantile([_balanced(codes[rows], correct[rows]) for rows in draws], [0.025, 0.975])
    at_least = 0
    for _ in range(RESAMPLES):
        order = np.empty(len(truth), dtype=np.int64)
        for rows in members:
            order[rows] = rng.permutation(rows)
        at_least += _balanced(codes[order], truth[order] == predicted) >= value - 1e-12
    units = f"{len(members)} groups and their test trials" if len(members) > 1 else "test trials"
    return Score(
        method=method,
        value=value,
        low=float(low),
        high=float(high),
        chance=1 / len(classes),
        p_value=(1 + at_least) / (1 + RESAMPLES),
        n_train=n_train,
        n_test=len(truth),
        protocol=f"{protocol}; 95% interval from {RESAMPLES} bootstrap resamples of {units}; "
        f"p from {RESAMPLES} permutations of the test labels",
        seed=seed,
        correct=tuple(bool(c) for c in correct),
    )


def _balanced(codes: npt.NDArray[np.int64], correct: npt.NDArray[np.bool_]) -> float:
    """Mean over the classes present of the share that is correct."""
    n = np.bincount(codes)
    right = np.bincount(codes, weights=correct)
    return float((right[n > 0] / n[n > 0]).mean())


def _draw(rng: np.random.Generator, members: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Resample groups, then trials within each."""
    chosen = rng.integers(len(members), size=len(members))
    return np.concatenate([rng.choice(members[g], size=len(members[g])) for g in chosen])


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What was measured, beside what plain methods reach.

    Attributes
    ----------
    scores : tuple of Score
        Of models.
    baselines : tuple of Score
        Of plain methods on the same trials.
    """

    scores: tuple[Score, ...]
    baselines: tuple[Score, ...] = ()

    def __post_init__(self) -> None:
        sizes = {s.n_test for s in (*self.scores, *self.baselines)}
        if len(sizes) != 1:
            raise DataError(f"a report compares scores on the same test trials; found {sorted(sizes)} trials")

    @property
    def verdict(self) -> str:
        """What the numbers allow to say, one sentence or two a model."""
        best = max(self.baselines, key=lambda s: s.value, default=None)
        return "\n".join(_verdict(s, best) for s in self.scores)

    def to_markdown(self) -> str:
        """Return a table, the verdict and the protocol."""
        every = (*self.scores, *self.baselines)
        rows = [
            f"| {s.method} | {s.value:.3f} | {s.low:.3f} to {s.high:.3f} | {s.chance:.3f} | {_p(s.p_value)} "
            f"| {s.n_train} / {s.n_test} |"
            for s in every
        ]
        protocols = [f"- {s.method}: {s.protocol}; seed {s.seed}" for s in every]
        return "\n".join([*HEADER, *rows, "", self.verdict, "", *protocols])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, without the single trials."""
        return {
            "scores": [_plain(s) for s in self.scores],
            "baselines": [_plain(s) for s in self.baselines],
            "verdict": self.verdict,
        }


def _plain(score: Score) -> dict[str, Any]:
    return {key: value for key, value in asdict(score).items() if key != "correct"}


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _verdict(s: Score, best: Score | None) -> str:
    if s.above_chance:
        words = f"above chance ({s.chance:.2f})"
    elif s.low > s.chance or s.p_value < 0.05:
        words = f"not clearly above chance ({s.chance:.2f}): the interval and the permutation test disagree"
    else:
        words = f"not distinguishable from chance ({s.chance:.2f})"
    text = f"{s.method}: {s.value:.2f}, 95% interval {s.low:.2f} to {s.high:.2f}, {words}."
    if best is None:
        return text + " No baseline was run beside it."
    p = sign_test(s.correct, best.correct)
    beside = f"the best baseline, {best.method} ({best.value:.2f}"
    if s.value > best.value:
        sure = "beats" if p < 0.05 else f"is higher than, but on {s.n_test} trials not clearly better than,"
        return f"{text} It {sure} {beside}; sign test over trials: p = {_p(p)})."
    sure = " and is clearly worse" if p < 0.05 else ""
    return f"{text} It does not beat {beside}){sure}; sign test over trials: p = {_p(p)}."


def sign_test(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Two-sided exact p that two methods are right equally often on the same trials (McNemar's test)."""
    from scipy.stats import binomtest

    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
