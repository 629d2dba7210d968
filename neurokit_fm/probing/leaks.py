"""Leak check: what could let a test score be high for no good reason, found before anything is trained."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import DataError
from neurokit_fm.evaluation.protocols import SEPARATES, Fold, Piece, result_groups
from neurokit_fm.probing.trials import target_windows

logger = logging.getLogger(__name__)
Array = npt.NDArray[Any]

REACH, LENGTH = 24, 32
"""Samples around a peak that must be lower, and samples after it that make its mark."""

SHARED = 0.05
"""Share of the marks of the smaller recording, above which two hold the same signal."""

CHANCE = 1e-3
"""Probability of agreeing so well with the order of files by luck, below which order is said to tell the label."""


@dataclass(frozen=True)
class Leak:
    """One thing that is wrong.

    Attributes
    ----------
    kind : str
    fatal : bool
        Whether a score would mean nothing; else it may, and the report shouts.
    message : str
        What was found where, and the way out.
    """

    kind: str
    fatal: bool
    message: str


def refuse_leaks(
    folds: Sequence[Fold], by: str, *, modality: str = "eeg", corpora: Sequence[str | Path] = ()
) -> list[Leak]:
    """Check folds; raise if a score would mean nothing, else return what is suspicious.

    Raises
    ------
    DataError
        Listing every fatal leak.
    """
    found = find_leaks(folds, by, modality=modality, corpora=corpora)
    fatal = [leak for leak in found if leak.fatal]
    if fatal:
        raise DataError(
            "the test part is not new to the training part:\n" + "\n".join(f"  - {leak.message}" for leak in fatal)
        )
    for leak in found:
        logger.warning("%s", leak.message)
    return found


def find_leaks(
    folds: Sequence[Fold], by: str, *, modality: str = "eeg", corpora: Sequence[str | Path] = ()
) -> list[Leak]:
    """Look for leaks between the training and the test part of each fold.

    Parameters
    ----------
    folds : sequence of Fold
        Of one data set.
    by : str
        Protocol; says which column may not have a value on both sides.
    modality : str
        Signal whose samples are compared.
    corpora : sequence of path-like
        That a model was pre-trained on; test recordings in there are reported.

    Returns
    -------
    list of Leak
        Each kind once. Fatal: a subject, session or site in both parts; stretches that overlap; trials of one recording in
        both parts in turns; the same signal in both, also rescaled, with channels in another order, or a part of it; a
        channel that spells out the label. Suspicious: the order of recordings or of trials, or a property of recordings
        (rate, channels, length), tells the label; test recordings or subjects in a pre-training corpus.

    Notes
    -----
    The same signal is recognised by marks: wherever a sample is the highest of `REACH` before and after it, the `LENGTH`
    samples that follow, standardised and coarsely rounded, are hashed; a short run is hashed whole. Marks do not depend on gain, offset, order of
    channels or where a recording was cut; they do on sampling rate and filters, so a resampled copy is not found.
    """
    if not folds:
        return []
    dataset, facts = folds[0].dataset, _Facts(folds[0], modality)
    checks: list[Callable[[Fold], Iterator[Leak]]] = [
        lambda fold: _columns(fold, SEPARATES.get(by, ())),
        _stretches,
        lambda fold: _same_signal(fold, facts),
        lambda fold: _label_channel(fold, facts),
        lambda fold: _place_in_recording(fold, facts),
    ]
    found: dict[str, Leak] = {}
    for fold in folds:
        for check in checks:
            for leak in check(fold):
                found.setdefault(leak.kind, leak)
    used = sorted({piece.row for fold in folds for piece in (*fold.train, *fold.test)})
    for leak in (*_order_of_recordings(used, facts), *_properties(used, facts)):
        found.setdefault(leak.kind, leak)
    tested = sorted({piece.row for fold in folds for piece in fold.test})
    for corpus in corpora:
        for leak in _pretrained(
            Corpus(corpus), [dict(dataset.table[row]) for row in tested], [dataset[row] for row in tested]
        ):
            found.setdefault(leak.kind, leak)  # fmt: skip
    return list(found.values())


@dataclass(frozen=True, eq=False)
class _Fact:
    """What is known about a recording: properties, trials, marks of its signal."""

    title: str
    properties: Mapping[str, object]
    onset: Array
    values: list[Any]
    marks: Mapping[bytes, float]
    constant: Array
    names: tuple[str, ...]


class _Facts:
    """Facts about recordings, each read once."""

    def __init__(self, fold: Fold, modality: str):
        self.dataset, self.modality = fold.dataset, modality
        self.known: dict[int, _Fact] = {}

    def __getitem__(self, row: int) -> _Fact:
        if row not in self.known:
            recording = self.dataset[row]
            _, series = recording.series(self.modality)
            bounds, values = target_windows(self.dataset, row, recording, series, 0.0)
            self.known[row] = _Fact(
                title=recording.title,
                properties={
                    "sampling rate": series.sfreq,
                    "number of channels": len(series.channels),
                    "length": round(series.duration, 1),
                },
                onset=series.start + bounds[:, 0] / series.sfreq,
                values=values,
                marks=signal_marks(series),
                constant=_constant_in_trials(series, bounds),
                names=series.channels.name,
            )
        return self.known[row]

    def trials(self, piece: Piece) -> tuple[Array, list[Any]]:
        """Numbers (in the recording) and values of the trials of a piece."""
        fact = self[piece.row]
        start, stop = (-np.inf if piece.start is None else piece.start), (np.inf if piece.stop is None else piece.stop)
        inside = np.flatnonzero((fact.onset >= start - 1e-9) & (fact.onset < stop - 1e-9))
        return inside, [fact.values[i] for i in inside]


def signal_marks(series: TimeSeries) -> dict[bytes, float]:
    """Marks of a signal and when each was made, seconds; see `find_leaks`."""
    found: dict[bytes, float] = {}
    for first, last in series.runs():
        x = series.read(first, last).astype(np.float64)  # (C, T)
        short = x.shape[1] < 2 * REACH + LENGTH
        for channel in x:
            if not np.ptp(channel):
                continue
            highest = channel == maximum_filter1d(channel, 2 * REACH + 1)
            highest[:REACH] = False  # what comes before a cut is not known
            peaks = np.array([0]) if short else np.flatnonzero(highest)
            for at in peaks[peaks + min(LENGTH, x.shape[1]) <= x.shape[1]]:
                part = channel if short else channel[at : at + LENGTH]
                spread = part.std()
                if spread:
                    code = np.rint(2 * (part - part.mean()) / spread).astype(np.int8)
                    mark = hashlib.blake2b(code.tobytes(), digest_size=8).digest()
                    found[mark] = series.start + (first + int(at)) / series.sfreq
    return found


def _constant_in_trials(series: TimeSeries, bounds: Array) -> Array:
    """Mean of each channel in each trial where it does not vary within any, else NaN, (W, C)."""
    blocks = [series.read(int(a), int(b)) for a, b in bounds]
    if not blocks:
        return np.zeros((0, len(series.channels)))
    mean = np.stack([block.mean(1) for block in blocks])
    varies = np.stack([np.ptp(block, axis=1) for block in blocks]).max(0) > 0
    return np.where(varies, np.nan, mean)


def _columns(fold: Fold, columns: Sequence[str]) -> Iterator[Leak]:
    table = fold.dataset.table
    for column in columns:
        key = ("subject", "session") if column == "session" else (column,)

        def names(pieces: Sequence[Piece], key: tuple[str, ...] = key) -> set[str]:
            return {" / ".join(str(table[p.row].get(k) or "") for k in key) for p in pieces}

        both = sorted(names(fold.train) & names(fold.test))
        if both:
            yield Leak(
                column, True, f"{column} {', '.join(both[:5])} is trained and tested on; put each {column} on one side"
            )


def _stretches(fold: Fold) -> Iterator[Leak]:
    for a in fold.train:
        for b in fold.test:
            if a.row != b.row:
                continue
            (a0, a1), (b0, b1) = (
                (-np.inf if p.start is None else p.start, np.inf if p.stop is None else p.stop) for p in (a, b)
            )
            if min(a1, b1) - max(a0, b0) > 1e-9:
                yield Leak(
                    "overlap",
                    True,
                    f"row {a.row}: seconds {max(a0, b0):g} to {min(a1, b1):g} are trained and tested on; cut between trials",
                )
    for row in {p.row for p in fold.train} & {p.row for p in fold.test}:
        sides = sorted(
            [(-np.inf if p.start is None else p.start, side) for side, ps in enumerate((fold.train, fold.test))
             for p in ps if p.row == row]
        )  # fmt: skip
        turns = sum(one[1] != two[1] for one, two in itertools.pairwise(sides))
        if turns > 2:
            yield Leak(
                "interleaved",
                True,
                f"row {row}: training and test trials take turns {turns} times; neighbours in time resemble each other. Test "
                "on one block of consecutive trials, or on another session",
            )


def _same_signal(fold: Fold, facts: _Facts) -> Iterator[Leak]:
    train_rows, test_rows = ({p.row for p in pieces} for pieces in (fold.train, fold.test))
    where: dict[bytes, list[int]] = {}
    for row in train_rows:
        for mark in facts[row].marks:
            where.setdefault(mark, []).append(row)
    for row in sorted(test_rows):
        counts: dict[int, int] = {}
        for mark in facts[row].marks:
            for other in where.get(mark, ()):
                counts[other] = counts.get(other, 0) + 1
        for other, n in sorted(counts.items()):
            smaller = min(len(facts[row].marks), len(facts[other].marks))
            if other != row and n > max(3, SHARED * smaller):
                yield Leak(
                    "same signal",
                    True,
                    f"{facts[row].title} (row {row}, tested on) and {facts[other].title} (row {other}, trained on) share "
                    f"{n / smaller:.0%} of their signal; leave one out",
                )


def _label_channel(fold: Fold, facts: _Facts) -> Iterator[Leak]:
    parts = [(facts[p.row], facts.trials(p)) for p in (*fold.train, *fold.test)]
    if len({fact.names for fact, _ in parts}) != 1:
        return
    means = np.concatenate([fact.constant[rows] for fact, (rows, _) in parts])  # (W, C)
    values = [str(value) for _, (_, some) in parts for value in some]
    if len(set(values)) < 2 or len(values) < 4:
        return
    for channel, name in enumerate(parts[0][0].names):
        column = means[:, channel]
        if np.isnan(column).any() or len(np.unique(column)) < 2:
            continue
        of_level = {
            level: {v for v, c in zip(values, column, strict=True) if c == level} for level in np.unique(column)
        }
        if all(len(said) == 1 for said in of_level.values()) and len(of_level) < len(values) / 2:
            yield Leak(
                "label channel",
                True,
                f"channel {name} is constant within each trial and spells out the label; mark it bad, or give it the kind "
                "'stim'",
            )


def _place_in_recording(fold: Fold, facts: _Facts) -> Iterator[Leak]:
    """Whether the training trial that comes at the same time in its recording tells the label of a test trial."""
    found: list[tuple[Array, Array]] = []
    for pieces in (fold.train, fold.test):
        parts = [(facts[p.row], *facts.trials(p)) for p in pieces]
        if all(len(set(map(str, fact.values))) < 2 for fact, _, _ in parts):
            return
        at = np.concatenate([(numbers + 0.5) / max(1, len(fact.values)) for fact, numbers, _ in parts])
        found.append((at, np.array([str(value) for _, _, values in parts for value in values])))
    (x, y), (x_test, y_test) = found
    if min(len(y), len(y_test)) < 4 or _agreement(x, y, x_test, y_test) >= CHANCE:
        return
    yield Leak(
        "order",
        False,
        "when a trial comes in its recording tells its label, and so does whatever drifts with time. Use a data set whose "
        "classes are mixed in time, or show that the score survives without the drift",
    )


def _order_of_recordings(rows: Sequence[int], facts: _Facts) -> Iterator[Leak]:
    """Whether neighbouring groups have the same label more often than by luck, where each has one label."""
    groups = result_groups(facts.dataset)
    firsts = list({groups[row]: row for row in reversed(rows)}.values())[::-1]
    labels = [set(map(str, facts[row].values)) for row in rows]
    if any(len(some) != 1 for some in labels):
        return
    label = np.array([str(facts[row].values[0]) for row in firsts])
    names, counts = np.unique(label, return_counts=True)
    if len(names) < 2 or len(label) < 8:
        return
    from scipy.stats import binom

    same, n = int((label[1:] == label[:-1]).sum()), len(label)
    luck = float((counts * (counts - 1)).sum() / (n * (n - 1)))
    p = float(binom.sf(same - 1, n - 1, luck))
    if p < CHANCE:
        yield Leak(
            "order",
            False,
            f"the order of the recordings alone tells the label (neighbours share it {same} times of {n - 1}, p = {p:.1g}); so "
            "does whatever drifts with it: site, device, time of year. Compare with recordings made in mixed order",
        )


def _agreement(x: Array, y: Array, x_test: Array, y_test: Array) -> float:
    """P of the nearest trial's label being right so often; from permuted test labels, then the binomial tail."""
    from scipy.stats import binom

    said = y[np.abs(x_test[:, None] - x[None]).argmin(1)]
    right = int((said == y_test).sum())
    names = np.unique(np.concatenate([y, y_test]))
    luck = sum(float((said == name).mean() * (y_test == name).mean()) for name in names)
    return float(binom.sf(right - 1, len(y_test), min(max(luck, 1 / len(names)), 1 - 1e-9)))


def _properties(rows: Sequence[int], facts: _Facts) -> Iterator[Leak]:
    """Whether a property of recordings with one label each tells it."""
    labels = [set(map(str, facts[row].values)) for row in rows]
    if any(len(some) != 1 for some in labels) or len(set.union(*labels)) < 2 or len(rows) < 8:
        return
    for name in ("sampling rate", "number of channels", "length"):
        levels: dict[object, set[str]] = {}
        for row, some in zip(rows, labels, strict=True):
            levels.setdefault(facts[row].properties[name], set()).update(some)
        if 1 < len(levels) <= len(rows) / 2 and all(len(said) == 1 for said in levels.values()):
            yield Leak(
                "property",
                False,
                f"the {name} of a recording alone tells its label; make all recordings alike, or report the score within one",
            )


def _pretrained(
    corpus: Corpus, rows: Sequence[Mapping[str, object]], recordings: Sequence[Recording]
) -> Iterator[Leak]:  # fmt: skip
    sources = {Path(shard.source).name for shard in corpus.shards}
    subjects = {shard.subject for shard in corpus.shards if shard.subject}
    files = sorted({Path(r.info.source).name for r in recordings if Path(r.info.source).name in sources})
    people = sorted({str(row.get("subject") or "") for row in rows} & subjects)
    if files or people:
        what = f"recordings {', '.join(files[:5])}" if files else f"subjects {', '.join(people[:5])}"
        yield Leak(
            "pre-training",
            False,
            f"the test part holds {what} of the corpus {corpus.path}; a model trained on it has seen them without labels",
        )
