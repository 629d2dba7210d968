"""Score, Comparison and ProbeReport: numbers with their error bars, and what may be said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.published import PublishedScore
from neurokit_fm.errors import DataError
from neurokit_fm.evaluation.outcome import AT_ONCE, Outcome, chances, measures

Array = npt.NDArray[Any]

RESAMPLES = 2000

PUBLISHED, WILSON = "published accuracy, not run here", "95% Wilson interval"
"""How a figure that others report, and its interval, are told from what was measured."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One further number about the same predictions.

    Attributes
    ----------
    name : str
    value, low, high : float
        With its 95 % bootstrap interval.
    chance : float or None
        What luck alone gives, where that is known.
    """

    name: str
    value: float
    low: float
    high: float
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one method did on the test part.

    Attributes
    ----------
    method : str
    metric : str
        Balanced accuracy (mean over classes, or over labels, of the share recognised), or R2.
    value : float
    low, high : float
        95 % bootstrap interval over test trials.
    chance : float
    p_value : float
        Of permuted test labels reaching `value`.
    n_train, n_test : int
        Trials.
    protocol : str
        How it was measured.
    seed : int
    others : tuple of Measure
        Every other measure.
    outcome : Outcome
        The test trials; for paired comparisons.
    """

    method: str
    metric: str
    value: float
    low: float
    high: float
    chance: float
    p_value: float
    n_train: int
    n_test: int
    protocol: str
    seed: int
    others: tuple[Measure, ...] = ()
    outcome: Outcome = field(repr=False, compare=False)

    @property
    def above_chance(self) -> bool:
        """Whether the interval lies above chance and the permutation test agrees at 5 %."""
        return self.low > self.chance and self.p_value < 0.05

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single trials as JSON values."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("outcome", "others")}
        return {**values, "others": [asdict(measure) for measure in self.others]}


def score(method: str, outcome: Outcome, *, n_train: int, protocol: str, seed: int) -> Score:
    """Measure predictions.

    Parameters
    ----------
    method : str
    outcome : Outcome
        With several groups, the bootstrap draws whole groups, else trials; see `interval`. Labels are permuted within groups,
        or between whole groups where each has one label. An interval shrinks to a point at 100 % correct.
    n_train : int
    protocol : str
        What was done to get the predictions; what is done here is added.
    seed : int

    Returns
    -------
    Score
    """
    rng = np.random.default_rng(seed)
    members = _members(outcome)
    plain = {name: float(found[0]) for name, found in measures(outcome, np.ones((1, len(outcome)))).items()}
    drawn = measures(outcome, resampled(rng, members, len(outcome)))
    spread = {name: interval(found, members) for name, found in drawn.items() if np.isfinite(found).any()}
    luck = chances(outcome)
    blocked = len(members) > 1 and all(_constant(outcome.truth[rows]) for rows in members)
    at_least = 0
    size = max(1, AT_ONCE // len(outcome))
    for first in range(0, RESAMPLES, size):
        order = np.stack([_shuffled(rng, members, blocked) for _ in range(min(size, RESAMPLES - first))])
        at_least += int((outcome.permuted(order) >= plain[outcome.metric] - 1e-12).sum())
    units = f"{len(members)} groups" if len(members) > 1 else "test trials"
    how = "of the test labels between groups" if blocked else "of the test labels"
    low, high = spread[outcome.metric]
    return Score(
        method=method,
        metric=outcome.metric,
        value=plain[outcome.metric],
        low=float(low),
        high=float(high),
        chance=outcome.chance,
        p_value=(1 + at_least) / (1 + RESAMPLES),
        n_train=n_train,
        n_test=len(outcome),
        protocol=f"{protocol}; 95% interval from {RESAMPLES} bootstrap resamples of {units}; "
        f"p from {RESAMPLES} permutations {how}",
        seed=seed,
        others=tuple(
            Measure(
                name=name, value=plain[name], low=float(spread[name][0]), high=float(spread[name][1]), chance=luck.get(name)
            )
            for name in plain
            if name != outcome.metric and name in spread and np.isfinite(plain[name])
        ),
        outcome=outcome,
    )  # fmt: skip


def resampled(rng: np.random.Generator, members: Sequence[Array], n: int) -> Array:
    """How often each trial counts when groups are drawn anew, or trials where there is one group, (RESAMPLES, N)."""
    if len(members) == 1:
        return np.asarray(rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES), dtype=np.float32)
    times = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=RESAMPLES)  # (R, G)
    weights = np.zeros((RESAMPLES, n), dtype=np.float32)
    for column, rows in enumerate(members):
        weights[:, rows] = times[:, column, None]
    return weights


def interval(drawn: Array, members: Sequence[Array]) -> tuple[float, float]:
    """95 % interval of resampled measures: percentiles, moved outwards as far as few units ask for.

    Notes
    -----
    The expanded percentile interval of Hesterberg (2015), doi 10.1080/00031305.2015.1089789: with n units drawn, the tail is
    that of the normal distribution beyond sqrt(n / (n - 1)) times the quantile of Student's t with n - 1 degrees of freedom.
    """
    from scipy.stats import norm, t

    n = len(members) if len(members) > 1 else len(members[0])
    tail = 0.5 if n < 2 else float(norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1)))
    defined = drawn[np.isfinite(drawn)]  # a resample may hold one value only, of which nothing can be said
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of `n` trials of which nothing else is known (Wilson 1927, doi 10.1080/01621459.1927.10502953).

    Notes
    -----
    `share * n` need not be whole: a mean over runs is taken like the share of one, whose trials are the same.
    """
    from scipy.stats import norm

    z2 = float(norm.ppf(0.975)) ** 2
    middle, half = share + z2 / (2 * n), np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    return float((middle - half) / (1 + z2 / n)), float((middle + half) / (1 + z2 / n))


def _members(outcome: Outcome) -> list[Array]:
    return [np.flatnonzero(outcome.groups == name) for name in np.unique(outcome.groups)]


def _constant(truth: Array) -> bool:
    return bool((truth == truth[0]).all())


def _shuffled(rng: np.random.Generator, members: Sequence[Array], blocked: bool) -> Array:
    """Row whose truth each trial gets: of its own group, or one of the group whose turn it is."""
    order = np.empty(sum(map(len, members)), dtype=np.int64)
    turn = rng.permutation(len(members)) if blocked else np.arange(len(members))
    for rows, source in zip(members, turn, strict=True):
        order[rows] = members[source][0] if blocked else rng.permutation(rows)
    return order


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method beside another on the same test trials.

    Attributes
    ----------
    one, other : str
        The methods, in the order they were given.
    metric : str
    difference : float
        First minus second.
    low, high : float
        95 % interval of a paired bootstrap.
    p_value : float
        Two-sided.
    test : str
        How p was found.
    """

    one: str
    other: str
    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    test: str


def compare(a: Score, b: Score, *, seed: int = 0) -> Comparison:
    """Compare two methods on the same test trials, over groups where there are several.

    Both are resampled together. p: with several groups, the two methods change places in each group or not, in all ways
    or in 10 000; with one group and classes, the exact sign test over trials (McNemar); else places change in each trial.

    Raises
    ------
    DataError
        If the trials are not the same.
    """
    one, two = a.outcome, b.outcome
    if one.metric != two.metric or len(one) != len(two) or not np.array_equal(one.groups, two.groups):
        raise DataError(f"{a.method} and {b.method} were not measured on the same test trials")
    rng = np.random.default_rng(seed)
    members = _members(one)
    weights = resampled(rng, members, len(one))
    drawn = measures(one, weights)[one.metric] - measures(two, weights)[one.metric]
    gain = one.gains() - two.gains()
    if len(members) == 1 and one.kind == "classes":
        p, test = sign_test(one.truth == one.predicted, two.truth == two.predicted), "sign test over trials"
    else:
        parts = np.array([gain[rows].sum() for rows in members]) if len(members) > 1 else gain
        over = "groups" if len(members) > 1 else "trials"
        p, test = flip_test(parts, rng), f"sign-flip test over {len(parts)} {over}"
    low, high = interval(drawn, members)
    return Comparison(
        one=a.method,
        other=b.method,
        metric=a.metric,
        difference=a.value - b.value,
        low=low,
        high=high,
        p_value=p,
        test=test,
    )


def flip_test(parts: Array, rng: np.random.Generator) -> float:
    """Two-sided p of a sum when the sign of each part is as likely as the other; exact for 13 parts or fewer."""
    n = len(parts)
    exact = n <= 13
    signs = (
        (np.arange(2**n)[:, None] >> np.arange(n)) & 1 if exact else rng.integers(0, 2, size=(10_000, n))
    ) * 2 - 1  # (S, n)
    as_far = np.abs(signs @ parts) >= abs(parts.sum()) - 1e-12
    return float(as_far.mean()) if exact else float((1 + as_far.sum()) / (1 + len(as_far)))


def sign_test(a: Sequence[bool] | Array, b: Sequence[bool] | Array) -> float:
    """Two-sided exact p that two methods are right equally often on the same trials (McNemar's test)."""
    from scipy.stats import binomtest

    one, two = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    only_a, only_b = int((one & ~two).sum()), int((two & ~one).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What was measured, beside what plain methods reach.

    Attributes
    ----------
    scores : tuple of Score
        Of models.
    baselines : tuple of Score
        Of plain methods on the same trials.
    published : tuple of PublishedScore
        What others report for the same test trials. Nothing is tested against them: their predictions are not at hand.
    warnings : tuple of str
        What may make the numbers too good.
    """

    scores: tuple[Score, ...]
    baselines: tuple[Score, ...] = ()
    published: tuple[PublishedScore, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = {s.n_test for s in self.every} | {p.n_test for p in self.published}
        if len(sizes) != 1:
            raise DataError(f"a report compares scores on the same test trials; found {sorted(sizes)} trials")

    @property
    def every(self) -> tuple[Score, ...]:
        """Scores of models, then of plain methods."""
        return (*self.scores, *self.baselines)

    @property
    def best(self) -> Score | None:
        """The best plain method."""
        return max(self.baselines, key=lambda s: s.value, default=None)

    @property
    def verdict(self) -> str:
        """What the numbers allow to say, one sentence or two a model, and one on what others report."""
        lines = [_verdict(s, self.best) for s in self.scores]
        if self.published:
            accuracies, top = [p.accuracy for p in self.published], max(self.published, key=lambda p: p.accuracy)
            lines.append(
                f"Others report accuracies of {min(accuracies):.2f} to {top.accuracy:.2f} for these {top.n_test} test trials "
                f"({len(accuracies)} methods, none run here; highest: {top.method}). Their predictions are not at hand, so "
                "no difference is tested."
            )
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return a table, the verdict, the other measures and the protocol."""
        metric = self.every[0].metric
        rows = [
            f"| {s.method} | {s.value:.3f} | {s.low:.3f} to {s.high:.3f} | {s.chance:.3f} | {_p(s.p_value)} "
            f"| {s.n_train} / {s.n_test} |"
            for s in self.every
        ]
        for p in self.published:
            low, high = wilson(p.accuracy, p.n_test)
            value = f"{p.accuracy:.3f} (accuracy)"
            rows.append(f"| {p.method} (published) | {value} | {low:.3f} to {high:.3f} | – | – | – / {p.n_test} |")
        names = list(dict.fromkeys(m.name for s in self.every for m in s.others))
        cells = [{m.name: f"{m.value:.3f} ({m.low:.2f} to {m.high:.2f})" for m in s.others} for s in self.every]
        others = [
            f"| method | {' | '.join(names)} |",
            f"|---|{'---|' * len(names)}",
            *(
                f"| {s.method} | {' | '.join(cell.get(name, '–') for name in names)} |"
                for s, cell in zip(self.every, cells, strict=True)
            ),
            "",
        ]
        return "\n".join(
            [
                f"| method | {metric} | 95% interval | chance | p | trials (train / test) |",
                "|---|---|---|---|---|---|",
                *rows,
                "",
                *([self.verdict, ""] if self.verdict else []),
                *(others if names else []),
                *(f"- {s.method}: {s.protocol}; seed {s.seed}" for s in self.every),
                *(f"- {p.method}: {PUBLISHED}: {p.source}; {WILSON} of {p.n_test} trials" for p in self.published),
                *(f"- WARNING: {text}" for text in self.warnings),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, without the single trials."""
        return {
            "scores": [s.to_dict() for s in self.scores],
            "baselines": [s.to_dict() for s in self.baselines],
            "published": [
                {**asdict(p), "low": low, "high": high, "interval": WILSON}
                for p in self.published
                for low, high in [wilson(p.accuracy, p.n_test)]
            ],
            "verdict": self.verdict,
            "warnings": list(self.warnings),
        }


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
    found = compare(s, best)
    p = found.p_value
    beside = f"the best baseline, {best.method} ({best.value:.2f}"
    if s.value > best.value:
        sure = "beats" if p < 0.05 else f"is higher than, but on {s.n_test} trials not clearly better than,"
        return f"{text} It {sure} {beside}; {found.test}: p = {_p(p)})."
    sure = " and is clearly worse" if p < 0.05 else ""
    return f"{text} It does not beat {beside}){sure}; {found.test}: p = {_p(p)}."
