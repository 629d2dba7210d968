"""One table for what the rows of a signal are: electrodes, coils, neurons, regions, contrasts or nodes.

It stores facts from the file and nothing derived: what a model wants is the Contract's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.errors import DataError, UnknownName, did_you_mean

Positions = npt.NDArray[np.float64]
"""Places in metres, shape (C, 3); NaN where unknown."""

SENSOR_TYPES = ("eeg", "mag", "grad_planar", "grad_axial")
"""Sensor types with an integer id (their order here) in streams; every other type has id -1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Channels:
    """What each row of a signal is.

    Attributes
    ----------
    name : tuple of str
        Unique names; the key on which signals are joined.
    kind : tuple of str
        ``eeg, meg, ref_meg, eog, ecg, emg, stim, misc, seeg, ecog, fnirs, neuron, region, node, contrast`` ...
    sensor_type : tuple of str
        ``eeg, mag, grad_planar, grad_axial`` or any other word.
    unit : tuple of str
        SI unit of each row: ``V, T, T/m, au`` ...
    position : ndarray, shape (C, 3), float64, metres
        NaN where unknown.
    orientation : ndarray, shape (C, 3), float64
        Unit vectors; NaN where unknown or not applicable.
    frame : str
        Coordinate frame of `position`: ``head, device, template, mri`` ...; ``"unknown"`` only if every position is NaN.
    bad : ndarray, shape (C,), bool
    columns : mapping of str to ndarray, shape (C, ...)
        Free columns (coil type, impedance, cell class ...).

    Raises
    ------
    DataError
        If names repeat, a column has the wrong length, or positions come without a frame.
    """

    name: tuple[str, ...]
    kind: tuple[str, ...]
    sensor_type: tuple[str, ...]
    unit: tuple[str, ...]
    position: Positions
    orientation: Positions
    frame: str = "unknown"
    bad: npt.NDArray[np.bool_]
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.name)
        duplicates = sorted({x for x in self.name if self.name.count(x) > 1}) if len(set(self.name)) < n else []
        if duplicates:
            raise DataError(
                f"channel names must be unique; repeated: {', '.join(duplicates)}. Rename them in the file."
            )
        for label, length in [(f.name, len(getattr(self, f.name))) for f in fields(self) if f.name not in _NOT_ROWS]:
            if length != n:
                raise DataError(f"channels: column {label!r} has {length} entries for {n} names")
        for label, values in self.columns.items():
            if len(values) != n:
                raise DataError(f"channels: column {label!r} has {len(values)} entries for {n} names")
        for label in ("position", "orientation"):
            if getattr(self, label).shape != (n, 3):
                raise DataError(f"channels: {label} must have shape ({n}, 3); found {getattr(self, label).shape}")
        if self.frame == "unknown" and np.isfinite(self.position).any():
            raise DataError(
                "channels: positions were given without a coordinate frame; say frame='head', 'device' or 'template' "
                "(the same cap differs by 5 cm between head and template)"
            )

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        kind: str | Sequence[str] = "eeg",
        sensor_type: str | Sequence[str] | None = None,
        unit: str | Sequence[str] = "V",
        position: npt.ArrayLike | None = None,
        orientation: npt.ArrayLike | None = None,
        frame: str = "unknown",
        bad: npt.ArrayLike | Sequence[str] = (),
        columns: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Channels:
        """Build a table; a single word is repeated for every row, `bad` may be names or a mask.

        Examples
        --------
        >>> Channels.of(["Fz", "Cz"]).has_position
        array([False, False])
        """
        n = len(names)
        nowhere = np.full((n, 3), np.nan)
        flags = np.asarray(bad)
        return cls(
            name=tuple(str(x) for x in names),
            kind=_column(kind, n),
            sensor_type=_column(kind if sensor_type is None else sensor_type, n),
            unit=_column(unit, n),
            position=nowhere if position is None else np.array(position, dtype=np.float64),
            orientation=nowhere.copy() if orientation is None else np.array(orientation, dtype=np.float64),
            frame=frame,
            bad=flags if flags.dtype == bool and flags.ndim == 1 else np.isin(list(names), list(flags)),
            columns={k: np.asarray(v) for k, v in (columns or {}).items()},
        )

    def __len__(self) -> int:
        return len(self.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channels):
            return NotImplemented
        plain = all(
            getattr(self, f.name) == getattr(other, f.name)
            for f in fields(self)
            if f.name in ("name", "kind", "sensor_type", "unit", "frame")
        )
        return (
            plain
            and np.array_equal(self.position, other.position, equal_nan=True)
            and np.array_equal(self.orientation, other.orientation, equal_nan=True)
            and np.array_equal(self.bad, other.bad)
            and same_columns(self.columns, other.columns)
        )

    @property
    def has_position(self) -> npt.NDArray[np.bool_]:
        """True where all three coordinates are known, shape (C,)."""
        return np.asarray(np.isfinite(self.position).all(axis=1))

    @property
    def sensor_type_id(self) -> npt.NDArray[np.int64]:
        """Index of each sensor type in `SENSOR_TYPES`, -1 for any other, shape (C,)."""
        ids = {name: i for i, name in enumerate(SENSOR_TYPES)}
        return np.array([ids.get(t, -1) for t in self.sensor_type], dtype=np.int64)

    def rows(self, names: Iterable[str]) -> npt.NDArray[np.int64]:
        """Row numbers of the named channels, in the order asked.

        Raises
        ------
        UnknownName
            Listing every name that is not here.
        """
        where = {name: i for i, name in enumerate(self.name)}
        names = list(names)
        missing = [name for name in names if name not in where]
        if missing:
            hint = did_you_mean(missing[0], self.name)
            raise UnknownName(f"no channel called {', '.join(map(repr, missing))}.{hint}")
        return np.array([where[name] for name in names], dtype=np.int64)

    def take(self, rows: npt.ArrayLike) -> Channels:
        """Return the table of some rows (indices or mask), in that order."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return replace(
            self,
            name=tuple(self.name[i] for i in index),
            kind=tuple(self.kind[i] for i in index),
            sensor_type=tuple(self.sensor_type[i] for i in index),
            unit=tuple(self.unit[i] for i in index),
            position=self.position[index],
            orientation=self.orientation[index],
            bad=self.bad[index],
            columns={k: v[index] for k, v in self.columns.items()},
        )


def name_key(name: str) -> str:
    """Return an electrode's name as tables of names hold it: upper case, without the dots that some files fill up with."""
    return name.upper().strip(" .")


_NOT_ROWS = ("frame", "columns")


def same_columns(mine: Mapping[str, npt.NDArray[Any]], other: Mapping[str, npt.NDArray[Any]]) -> bool:
    """True if both hold the same columns with the same values; an unknown value (NaN) equals an unknown value."""
    return mine.keys() == other.keys() and all(
        np.array_equal(v, other[k], equal_nan=v.dtype.kind == other[k].dtype.kind == "f") for k, v in mine.items()
    )


def _column(value: str | Sequence[str], n: int) -> tuple[str, ...]:
    return (value,) * n if isinstance(value, str) else tuple(str(x) for x in value)
