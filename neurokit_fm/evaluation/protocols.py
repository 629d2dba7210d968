"""Protocols: which parts of a data set are trained and tested on, fold by fold, with nothing of one group in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.recording import Recording
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, DataError

By = Literal["given", "within-session", "cross-session", "cross-subject", "cross-site", "few-shot"]

SEPARATES: dict[str, tuple[str, ...]] = {
    "given": (),
    "within-session": (),
    "cross-session": ("session",),
    "cross-subject": ("subject",),
    "cross-site": ("site",),
    "few-shot": (),
}
"""Columns of which no value may stand on both sides of a fold."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a data set is divided.

    Attributes
    ----------
    by : str
        ``given``: the data set's own parts. ``within-session``: blocks of consecutive trials of each session, each tested
        once on a model trained on that session's others. ``cross-session``: within each subject, each session tested once.
        ``cross-subject`` and ``cross-site``: groups of whole subjects or sites, each tested once. ``few-shot``: of each
        session the first `shots` trials of each class to train, all after them to test.
    n_folds : int
        0 = leave one out; for within-session at least 2.
    shots : int
    """

    by: By = "given"
    n_folds: int = 5
    shots: int = 5

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise ConfigError(f"by must be one of {', '.join(get_args(By))}; got {self.by!r}")
        if self.n_folds < 0 or self.n_folds == 1 or (self.by == "within-session" and self.n_folds < 2):
            raise ConfigError(f"n_folds must be at least 2, or 0 to leave one out; got {self.n_folds}")
        if self.shots < 1:
            raise ConfigError(f"shots must be at least 1; got {self.shots}")

    @property
    def words(self) -> str:
        """How to call it."""
        if self.by in ("given", "cross-session"):
            return f"{self.by} split" if self.by == "given" else "cross-session, one left out"
        if self.by == "few-shot":
            return f"few-shot, {self.shots} trials a class"
        return f"{self.by}, " + (f"{self.n_folds} folds" if self.n_folds else "one left out")


@dataclass(frozen=True)
class Piece:
    """A recording of a data set, or a stretch of it.

    Attributes
    ----------
    row : int
    start, stop : float, seconds, optional
        Of the stretch; an event belongs to it if it starts in there.
    shots : int
        Only the first so many events of each class; 0 = all.
    """

    row: int
    start: float | None = None
    stop: float | None = None
    shots: int = 0


@dataclass(frozen=True, eq=False)
class Fold:
    """What is trained on and what is tested on.

    Attributes
    ----------
    name : str
    dataset : Dataset
    train, test : tuple of Piece
    """

    name: str
    dataset: Dataset
    train: tuple[Piece, ...]
    test: tuple[Piece, ...]

    def take(self, pieces: Sequence[Piece]) -> Dataset:
        """Return pieces as a data set; normalisation then knows nothing but the piece."""
        return pieces_of(self.dataset, pieces)


def pieces_of(dataset: Dataset, pieces: Sequence[Piece]) -> Dataset:
    """Return stretches of recordings as a data set of their own; each row keeps its ``group`` and ``unit``."""
    pieces = list(pieces)
    groups = result_groups(dataset)

    def open_piece(number: int) -> Recording:
        piece = pieces[number]
        recording = dataset[piece.row]
        if piece.start is not None or piece.stop is not None:
            start = recording.start if piece.start is None else piece.start
            stop = recording.stop if piece.stop is None else piece.stop
            title = f"{recording.title} ({start:g} to {stop:g} s)"
            recording = recording.crop(start, stop)
            recording = replace(recording, info=replace(recording.info, source=title))
        if piece.shots:
            recording = replace(recording, events=recording.events.take(_first(dataset, recording, piece.shots)))
        return recording

    table = [{**dataset.table[p.row], "group": groups[p.row], "unit": f"recording {p.row}"} for p in pieces]
    return replace(dataset, table=table, open=open_piece)


def result_groups(dataset: Dataset) -> list[str]:
    """What is resampled: subjects where there are several, else sessions, else recordings."""
    for columns in (["subject"], ["subject", "session"]):
        names = [" / ".join(str(row.get(c) or "") for c in columns) for row in dataset.table]
        if len(set(names)) > 1 and all(row.get(columns[-1]) for row in dataset.table):
            return names
    return [f"recording {row}" for row in range(len(dataset))]


def folds(dataset: Dataset, protocol: Protocol, *, seed: int = 0) -> list[Fold]:
    """Divide a data set after a protocol.

    Parameters
    ----------
    dataset : Dataset
    protocol : Protocol
    seed : int
        Which groups go together.

    Returns
    -------
    list of Fold

    Raises
    ------
    DataError
        If a column is missing or holds too few values, or a session has too few trials, naming it.
    """
    if protocol.by == "given":
        parts = _column(dataset, "part")
        train, test = (
            tuple(Piece(i) for i, part in enumerate(parts) if part == wanted) for wanted in ("train", "test")
        )
        if not train or not test:
            have = ", ".join(sorted(filter(None, set(parts)))) or "nothing"
            raise DataError(
                f"{dataset.name!r} has no given split: its column 'part' holds {have}, where 'train' and 'test' are looked for. "
                "Divide it by cross-subject, cross-session or within-session instead"
            )
        return [Fold("given", dataset, train, test)]
    if protocol.by in ("within-session", "few-shot"):
        make = _blocks if protocol.by == "within-session" else _shots
        return [fold for row in range(len(dataset)) for fold in make(dataset, row, protocol)]
    if protocol.by == "cross-session":
        return _cross_session(dataset)
    return _cross_group(dataset, "subject" if protocol.by == "cross-subject" else "site", protocol.n_folds, seed)


def _cross_group(dataset: Dataset, column: str, n_folds: int, seed: int) -> list[Fold]:
    values = _column(dataset, column)
    names = sorted(set(values))
    if len(names) < 2:
        raise DataError(f"cross-{column} needs two values of column {column!r} in {dataset.name!r}; it holds {names}")
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))] if n_folds else names
    n = min(n_folds or len(names), len(names))
    found = []
    for chosen in np.array_split(np.array(order, dtype=object), n):
        train, test = _sides(values, set(chosen))
        found.append(Fold(f"{column} {', '.join(sorted(chosen))}", dataset, train, test))
    return found


def _cross_session(dataset: Dataset) -> list[Fold]:
    sessions = _column(dataset, "session")
    subjects = [str(row.get("subject") or "") for row in dataset.table]
    found = []
    for subject in sorted(set(subjects)):
        mine = [i for i, name in enumerate(subjects) if name == subject]
        names = sorted({sessions[i] for i in mine})
        if len(names) < 2:
            raise DataError(
                f"cross-session needs two sessions of each subject; {subject or 'the only one'} has {names}"
            )
        for name in names:
            test = tuple(Piece(i) for i in mine if sessions[i] == name)
            train = tuple(Piece(i) for i in mine if sessions[i] != name)
            found.append(Fold(f"subject {subject}, session {name}", dataset, train, test))
    return found


def _blocks(dataset: Dataset, row: int, protocol: Protocol) -> list[Fold]:
    recording = dataset[row]
    onset, stop, _ = _trials(dataset, recording)
    if len(onset) < 2 * protocol.n_folds:
        raise DataError(
            f"{recording.title}: {len(onset)} trials are too few for {protocol.n_folds} blocks; take fewer folds"
        )
    parts = np.array_split(np.arange(len(onset)), protocol.n_folds)
    borders: list[float | None] = [None]
    borders += [_between(stop[part[-1]], onset[part[-1] + 1]) for part in parts[:-1]]
    borders.append(None)
    found = []
    for number in range(protocol.n_folds):
        first, last = borders[number], borders[number + 1]
        train = [Piece(row, None, first)] if first is not None else []
        train += [Piece(row, last, None)] if last is not None else []
        found.append(Fold(f"row {row}, block {number}", dataset, tuple(train), (Piece(row, first, last),)))
    return found


def _shots(dataset: Dataset, row: int, protocol: Protocol) -> list[Fold]:
    recording = dataset[row]
    onset, stop, labels = _trials(dataset, recording)
    last = max(np.flatnonzero(labels == name)[: protocol.shots][-1] for name in np.unique(labels)) if len(labels) else 0
    if len(np.unique(labels)) < 2 or last + 2 > len(onset):
        raise DataError(f"{recording.title}: too few trials for {protocol.shots} of each class and some to test on")
    border = _between(stop[last], onset[last + 1])
    return [
        Fold(f"row {row}", dataset, (Piece(row, None, border, protocol.shots),), (Piece(row, border, None),))
    ]  # fmt: skip


def _between(stop: float, onset: float) -> float:
    """Where to cut between two trials; one that runs into the next is cut off there, and is then left out."""
    return min((stop + onset) / 2, onset)


def _trials(
    dataset: Dataset, recording: Recording
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Start, stop and class of the labelled events."""
    if not dataset.label_of:
        raise DataError(f"dataset {dataset.name!r} has one target a recording; divide it by subject, session or site")
    events = recording.events.labelled(*dataset.label_of)
    labels = np.array([dataset.label_of[label] for label in events.label])
    return events.onset, events.onset + events.duration, labels


def _first(dataset: Dataset, recording: Recording, shots: int) -> npt.NDArray[np.int64]:
    """Rows of the first events of each class."""
    classes = [(dataset.label_of or {}).get(label) for label in recording.events.label]
    rows = [[i for i, c in enumerate(classes) if c == name][:shots] for name in {c for c in classes if c is not None}]
    return np.array(sorted(i for some in rows for i in some), dtype=np.int64)


def _sides(values: Sequence[str], chosen: set[str]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    train = tuple(Piece(i) for i, value in enumerate(values) if value not in chosen)
    return train, tuple(Piece(i) for i, value in enumerate(values) if value in chosen)


def _column(dataset: Dataset, name: str) -> list[str]:
    values = [str(row.get(name) or "") for row in dataset.table]
    if not values or (not all(values) and name != "part"):
        known = ", ".join(dict.fromkeys(key for row in dataset.table for key in row)) or "none"
        raise DataError(f"cannot divide {dataset.name!r}: column {name!r} is empty in some row; columns: {known}")
    return values
