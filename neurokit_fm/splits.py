"""split: a data set in a part to train on and a part to test on, with nothing of one group in both."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import DataError

By = Literal["subject", "session", "time", "given"]


def split(dataset: Dataset, by: By = "subject", *, test_size: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Divide a data set.

    Parameters
    ----------
    dataset : Dataset
    by : {"subject", "session", "time", "given"}
        Whole subjects; whole sessions (told apart by subject and session); the first part of each recording to train
        and the rest to test; or the split its authors made (column ``part``, ``"train"`` or ``"test"``; rows with
        another value are in neither).
    test_size : float
        Share of the groups, or of each recording's duration, to test on; not used by ``"given"``.
    seed : int
        Which groups; not used by ``"time"`` and ``"given"``.

    Returns
    -------
    train, test : Dataset

    Raises
    ------
    DataError
        If a column is missing or holds a single value, naming it, or `by` is unknown.

    Notes
    -----
    A recording that is cut in time is cut when it is opened, at the break between two trials where one lies within a
    tenth of its duration, else where the share says. An event belongs to the part in which it starts; whoever cuts
    windows drops one that runs past the end of its part.
    """
    if not 0 < test_size < 1:
        raise DataError(f"test_size must be a share between 0 and 1; got {test_size:g}")
    if by == "given":
        return _take(dataset, "train"), _take(dataset, "test")
    if by == "time":
        return _slice(dataset, 1 - test_size, first=True), _slice(dataset, 1 - test_size, first=False)
    if by not in ("subject", "session"):
        raise DataError(f"by must be 'subject', 'session', 'time' or 'given'; got {by!r}")
    groups = [" / ".join(key) for key in zip(*(_column(dataset, name) for name in _key(dataset, by)), strict=True)]
    names = sorted(set(groups))
    if len(names) < 2:
        raise DataError(
            f"cannot split {dataset.name!r} by {by}: its column {by!r} holds the single value {names[0]!r}; "
            "use by='time', or by='given' where the data set has parts"
        )
    count = min(max(1, round(test_size * len(names))), len(names) - 1)
    chosen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]}
    train, test = ([i for i, group in enumerate(groups) if (group in chosen) is held] for held in (False, True))
    return dataset.take(train), dataset.take(test)


def _key(dataset: Dataset, by: str) -> list[str]:
    """Columns whose values together name a group: session 1 of one subject is not session 1 of another."""
    has_subjects = any(row.get("subject") for row in dataset.table)
    return ["subject", "session"] if by == "session" and has_subjects else [by]


def _column(dataset: Dataset, name: str) -> list[str]:
    values = [str(row.get(name) or "") for row in dataset.table]
    empty = [row for row, value in enumerate(values) if not value]
    if empty or not values:
        known = ", ".join(dict.fromkeys(key for row in dataset.table for key in row)) or "none"
        raise DataError(
            f"cannot split {dataset.name!r}: column {name!r} is missing in {len(empty)} of {len(values)} rows; "
            f"columns: {known}"
        )
    return values


def _take(dataset: Dataset, part: str) -> Dataset:
    parts = _column(dataset, "part")
    rows = [row for row, value in enumerate(parts) if value == part]
    if not rows:
        raise DataError(f"{dataset.name!r} has no row whose column 'part' is {part!r}; it holds {sorted(set(parts))}")
    return dataset.take(rows)


def _slice(dataset: Dataset, share: float, *, first: bool) -> Dataset:
    def open_part(row: int) -> Recording:
        recording = dataset[row]
        border = _border(recording, share)
        part = recording.crop(recording.start, border) if first else recording.crop(border, recording.stop)
        kind = f"first {share:.0%}" if first else f"last {1 - share:.0%}"
        return replace(part, info=replace(part.info, source=f"{recording.title} ({kind})"))

    return replace(dataset, open=open_part, published=())


def _border(recording: Recording, share: float) -> float:
    """When to cut, seconds: at a break nearby if there is one, the same for both parts."""
    wanted = recording.start + share * (recording.stop - recording.start)
    breaks = [
        signal.start + b / signal.sfreq
        for signal in recording.signals.values()
        if isinstance(signal, TimeSeries)
        for b in signal.breaks
    ]
    nearest = min(breaks, key=lambda when: abs(when - wanted), default=wanted)
    return nearest if abs(nearest - wanted) <= 0.1 * (recording.stop - recording.start) else wanted
