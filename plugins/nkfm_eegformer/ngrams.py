"""N-grams of codes, and the naive Bayes classifier whose every decision can be traced back to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from neurokit_fm.errors import ConfigError, DataError

Codes = npt.NDArray[np.int64]
"""Codes of segments, shape (B, C, N): samples, channels, patches; -1 where nothing is real."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Vocabulary:
    """The n-grams that were found in some codes.

    Attributes
    ----------
    orders : tuple of int
        Lengths n, ascending.
    base : int
        Codes there were; larger ones are unknown.
    ids : tuple of ndarray, int64
        For each order the n-grams as numbers to this base, in order of their first appearance.
    """

    orders: tuple[int, ...]
    base: int
    ids: tuple[Codes, ...]

    @classmethod
    def of(cls, codes: Codes, orders: Sequence[int] = (1, 2)) -> Vocabulary:
        """Collect all n-grams of codes (B, C, N), none across the border of a channel.

        Raises
        ------
        ConfigError
            If orders are not positive, or so long that they do not fit into 63 bits.
        DataError
            If codes have another shape, or there is none.
        """
        codes = _checked(codes)
        chosen = tuple(sorted(set(orders)))
        base = int(codes.max(initial=-1)) + 1
        if not chosen or chosen[0] < 1:
            raise ConfigError(f"orders must be positive; got {tuple(orders)}")
        if base < 1:
            raise DataError("there is no code to read")
        if base ** chosen[-1] >= 2**63:
            raise ConfigError(f"{chosen[-1]}-grams of {base} codes are too many to number; use shorter ones")
        found = []
        for n in chosen:
            numbers = _numbers(codes, n, base)
            unique, first = np.unique(numbers[numbers >= 0], return_index=True)
            found.append(unique[np.argsort(first)])
        return cls(orders=chosen, base=base, ids=tuple(found))

    def __len__(self) -> int:
        return sum(map(len, self.ids))

    @property
    def keys(self) -> Codes:
        """The n-grams, (G, longest order), -1 behind shorter ones."""
        parts = []
        for n, ids in zip(self.orders, self.ids, strict=True):
            key = np.full((len(ids), self.orders[-1]), -1, dtype=np.int64)
            key[:, :n] = ids[:, None] // self.base ** np.arange(n - 1, -1, -1) % self.base
            parts.append(key)
        return np.concatenate(parts)

    def columns(self, codes: Codes) -> list[Codes]:
        """For each order the column of the n-gram that begins at each place, (B, C, N - n + 1); -1 = unknown."""
        found, before = [], 0
        for n, ids in zip(self.orders, self.ids, strict=True):
            numbers = _numbers(_checked(codes), n, self.base)
            order = np.argsort(ids)
            at = np.searchsorted(ids[order], numbers).clip(max=max(0, len(ids) - 1))
            known = (ids[order][at] == numbers) if len(ids) else np.zeros(numbers.shape, dtype=bool)
            found.append(np.where(known, before + order[at] if len(ids) else -1, -1))
            before += len(ids)
        return found

    def count(self, codes: Codes) -> csr_matrix:
        """How often each n-gram stands in each sample, summed over its channels, (B, G) sparse; unknown ones nowhere."""
        rows, columns = [], []
        for found in self.columns(codes):
            flat = found.reshape(len(found), -1)
            rows.append(np.nonzero(flat >= 0)[0])
            columns.append(flat[flat >= 0])
        at = (np.concatenate(rows), np.concatenate(columns))
        counts = csr_matrix((np.ones(len(at[0]), dtype=np.int64), at), shape=(len(codes), len(self)))
        counts.sum_duplicates()
        return counts


def ngram_counts(codes: npt.ArrayLike, orders: Sequence[int] = (1, 2)) -> tuple[Codes, Codes]:
    """Count the n-grams of each sample.

    Parameters
    ----------
    codes : array of int, shape (B, C, N)
    orders : sequence of int

    Returns
    -------
    keys : ndarray, shape (G, longest order)
        The n-grams by order, then by first appearance; -1 behind shorter ones.
    counts : ndarray, shape (B, G)
        Summed over channels; no n-gram crosses the border of a channel.
    """
    given = np.asarray(codes)
    vocabulary = Vocabulary.of(given, orders)
    return vocabulary.keys, np.asarray(vocabulary.count(given).todense())


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One n-gram that speaks for a class.

    Attributes
    ----------
    key : tuple of int
        The codes.
    column : int
        Of the vocabulary.
    log_odds : float
        log p(g | class) - log p(g | the others).
    at_least : float
        Lower end of its 95 % interval, so that what was seen once does not come first.
    inside, outside : int
        How often it stands in samples of the class and of the others.
    """

    key: tuple[int, ...]
    column: int
    log_odds: float
    at_least: float
    inside: int
    outside: int


class CodeNGramBayes:
    r"""Multinomial naive Bayes over n-grams of codes.

    A sample is the bag of the n-grams of all its channels; $\log p(g|y) = \log\frac{n_{g,y} + \alpha}{\sum_g n_{g,y} +
    \alpha G}$, and the prior is the frequency of the class.

    Parameters
    ----------
    orders : sequence of int
    alpha : float
        Added to each count.

    Attributes
    ----------
    classes : ndarray, shape (Y,)
    vocabulary : Vocabulary
        Of the training samples; other n-grams are ignored.
    counts : ndarray, shape (Y, G)
        Of each class.
    log_prior : ndarray, shape (Y,)
    log_prob : ndarray, shape (Y, G)

    Notes
    -----
    Source: EEGFormer, arXiv:2401.10278, interpretability; the estimate is that of `sklearn.naive_bayes.MultinomialNB`.
    """

    classes: npt.NDArray[Any]
    vocabulary: Vocabulary
    counts: npt.NDArray[np.float64]
    log_prior: npt.NDArray[np.float64]
    log_prob: npt.NDArray[np.float64]

    def __init__(self, orders: Sequence[int] = (1, 2), alpha: float = 1.0):
        if not alpha > 0:
            raise ConfigError(f"alpha must be positive, or an unseen n-gram decides everything; got {alpha:g}")
        self.orders, self.alpha = tuple(orders), alpha

    def fit(self, codes: npt.ArrayLike, labels: npt.ArrayLike, vocabulary: Vocabulary | None = None) -> CodeNGramBayes:
        """Learn from codes (B, C, N) and their classes (B,).

        Parameters
        ----------
        codes : array of int, shape (B, C, N)
        labels : array, shape (B,)
        vocabulary : Vocabulary, optional
            N-grams to count. Default: those of `codes`.

        Raises
        ------
        DataError
            If there are fewer than two classes, or not one label a sample.
        """
        from sklearn.naive_bayes import MultinomialNB

        given, y = np.asarray(codes), np.asarray(labels)
        if len(given) != len(y):
            raise DataError(f"{len(given)} samples and {len(y)} labels")
        if len(np.unique(y)) < 2:
            raise DataError(f"naive Bayes needs two classes; the samples are all {y[:1].tolist() or 'missing'}")
        self.vocabulary = Vocabulary.of(given, self.orders) if vocabulary is None else vocabulary
        found = MultinomialNB(alpha=self.alpha).fit(self.vocabulary.count(given), y)
        self.classes, self.counts = found.classes_, found.feature_count_
        self.log_prior, self.log_prob = found.class_log_prior_, found.feature_log_prob_
        return self

    def predict_log_proba(self, codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log-probability of each class, (B, Y)."""
        joint = self.vocabulary.count(np.asarray(codes)) @ self.log_prob.T + self.log_prior  # (B, Y)
        return np.asarray(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

    def predict_proba(self, codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability of each class, (B, Y)."""
        return np.asarray(np.exp(self.predict_log_proba(codes)))

    def predict(self, codes: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class of each sample, (B,)."""
        return np.asarray(self.classes[self.predict_log_proba(codes).argmax(axis=1)])

    def log_odds(self, label: Any = None) -> npt.NDArray[np.float64]:
        """Log p(g | class) - log p(g | the others, taken together) of each n-gram, (G,); default: the last class."""
        inside, outside = self._sides(label)
        size = self.alpha * len(self.vocabulary)
        mine = np.log((inside + self.alpha) / (inside.sum() + size))
        theirs = np.log((outside + self.alpha) / (outside.sum() + size))
        return np.asarray(mine - theirs)

    def telling(self, label: Any = None, count: int = 10) -> list[Telling]:
        r"""The n-grams that speak most clearly for a class, clearest first.

        Notes
        -----
        In order of the lower end of the interval of the log-odds, whose standard error is $\sqrt{1/(n + \alpha) + 1/(m +
        \alpha)}$ (Monroe et al. 2008, doi 10.1093/pan/mpn018).
        """
        inside, outside = self._sides(label)
        odds = self.log_odds(label)
        at_least = odds - 1.96 * np.sqrt(1 / (inside + self.alpha) + 1 / (outside + self.alpha))
        keys = self.vocabulary.keys
        return [
            Telling(
                key=tuple(int(code) for code in keys[g] if code >= 0),
                column=int(g),
                log_odds=float(odds[g]),
                at_least=float(at_least[g]),
                inside=int(inside[g]),
                outside=int(outside[g]),
            )
            for g in np.argsort(-at_least, kind="stable")[:count]
        ]

    def evidence(self, codes: npt.ArrayLike, label: Any = None) -> npt.NDArray[np.float64]:
        """Evidence for a class at each patch: the log-odds of the n-grams that cover it, summed, (B, C, N)."""
        given = np.asarray(codes)
        odds = np.append(self.log_odds(label), 0.0)  # the last stands for unknown ones, whose column is -1
        total = np.zeros(given.shape)
        for n, found in zip(self.vocabulary.orders, self.vocabulary.columns(given), strict=True):
            for shift in range(n if found.shape[2] else 0):
                total[..., shift : shift + found.shape[2]] += odds[found]
        return total

    def _sides(self, label: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Counts (G,) in the class and in all others."""
        row = len(self.classes) - 1
        if label is not None:
            rows = np.flatnonzero(self.classes == label)
            if not len(rows):
                raise DataError(f"there is no class {label!r}; there are {', '.join(map(str, self.classes))}")
            row = int(rows[0])
        return self.counts[row], self.counts.sum(axis=0) - self.counts[row]


def places(codes: npt.ArrayLike, key: Sequence[int]) -> npt.NDArray[np.int64]:
    """Where an n-gram stands, (M, 3): sample, channel, first patch."""
    given = _checked(np.asarray(codes))
    if len(key) > given.shape[2]:
        return np.zeros((0, 3), dtype=np.int64)
    return np.argwhere((np.lib.stride_tricks.sliding_window_view(given, len(key), axis=2) == list(key)).all(-1))


def _checked(codes: Codes) -> Codes:
    if codes.ndim != 3 or codes.dtype.kind not in "iu":
        raise DataError(f"codes are integers of shape (samples, channels, patches); got {codes.dtype} {codes.shape}")
    return codes.astype(np.int64, copy=False)


def _numbers(codes: Codes, n: int, base: int) -> Codes:
    """Each n-gram as a number, (B, C, N - n + 1); -1 if one of its codes is not real or not below the base."""
    if codes.shape[2] < n:
        return np.zeros((*codes.shape[:2], 0), dtype=np.int64)
    view = np.lib.stride_tricks.sliding_window_view(codes, n, axis=2)  # (B, C, N-n+1, n)
    known = ((view >= 0) & (view < base)).all(-1)
    return np.where(known, (view.clip(min=0) * base ** np.arange(n - 1, -1, -1)).sum(-1), -1)
