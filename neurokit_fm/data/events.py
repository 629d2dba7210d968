"""What happened when: stimuli, responses, labels. Onsets are seconds on the recording's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import same_columns
from neurokit_fm.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Labelled moments or stretches of a recording, in order of onset.

    Attributes
    ----------
    onset : ndarray, shape (N,), float64, seconds
    duration : ndarray, shape (N,), float64, seconds
        0 for a moment.
    label : tuple of str
    columns : mapping of str to ndarray, shape (N, ...)
        Free columns (trial number, reaction time ...).
    """

    onset: npt.NDArray[np.float64]
    duration: npt.NDArray[np.float64]
    label: tuple[str, ...]
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.onset), len(self.duration), len(self.label), *map(len, self.columns.values())}
        if len(lengths) > 1:
            raise DataError(f"events: columns of different lengths: {sorted(lengths)}")
        if len(self.onset) and not (np.isfinite(self.onset).all() and (np.diff(self.onset) >= 0).all()):
            raise DataError("events: onsets must be finite and in ascending order; build them with Events.of")

    @classmethod
    def of(
        cls,
        onset: npt.ArrayLike = (),
        label: Iterable[str] = (),
        duration: npt.ArrayLike = 0.0,
        columns: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Events:
        """Build a table sorted by onset; one `duration` may serve all.

        Examples
        --------
        >>> Events.of([2.0, 1.0], ["b", "a"]).label
        ('a', 'b')
        """
        when = np.atleast_1d(np.asarray(onset, dtype=np.float64))
        order = np.argsort(when, kind="stable")
        labels = list(label)
        long = np.asarray(duration, dtype=np.float64)
        long = np.full(when.shape, long) if long.ndim == 0 else long
        free = {k: np.asarray(v) for k, v in (columns or {}).items()}
        lengths = {len(when), len(labels), len(long), *map(len, free.values())}
        if len(lengths) > 1:
            raise DataError(f"events: columns of different lengths: {sorted(lengths)}")
        return cls(
            onset=when[order],
            duration=long[order],
            label=tuple(str(labels[i]) for i in order),
            columns={k: v[order] for k, v in free.items()},
        )

    def __len__(self) -> int:
        return len(self.onset)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return (
            self.label == other.label
            and np.array_equal(self.onset, other.onset)
            and np.array_equal(self.duration, other.duration)
            and same_columns(self.columns, other.columns)
        )

    def take(self, rows: npt.ArrayLike) -> Events:
        """Return some rows (mask or ascending indices)."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return Events(
            onset=self.onset[index],
            duration=self.duration[index],
            label=tuple(self.label[i] for i in index),
            columns={k: v[index] for k, v in self.columns.items()},
        )

    def between(self, start: float, stop: float) -> Events:
        """Return the events whose onset lies in [start, stop) seconds."""
        return self.take((self.onset >= start) & (self.onset < stop))

    def labelled(self, *labels: str) -> Events:
        """Return the events that carry one of the labels."""
        return self.take(np.isin(self.label, labels) if len(self) else np.zeros(0, dtype=bool))

    def counts(self) -> dict[str, int]:
        """How often each label occurs, the most frequent first."""
        names, n = np.unique(np.asarray(self.label, dtype=str), return_counts=True)
        return {str(names[i]): int(n[i]) for i in np.argsort(-n, kind="stable")}
