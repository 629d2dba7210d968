"""Tables of an NWB file: electrodes and cells as channels, trials and annotations as events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels, Events
from neurokit_fm.errors import DataError, did_you_mean

Columns = dict[str, npt.NDArray[Any]]

ELECTRODE_NAMES = ("channel_name", "label", "electrode_name", "name")
"""Columns of the electrodes table that name its rows, the first that does; else their ids."""

CELL_NAMES = ("unit_name", "cell_name", "roi_name", "label", "name")
"""The same for units and regions of interest."""

BAD = {"bad": True, "is_bad": True, "bad_channel": True, "good": False, "is_good": False}
"""Columns of truth values that flag electrodes, and what they hold of a bad one."""

TYPES = ("type", "channel_type", "electrode_type")
"""Columns that may say of which kind an electrode is, in the words of `KINDS`."""

KINDS = ("eeg", "eog", "ecg", "emg", "seeg", "ecog", "dbs", "misc", "stim")

SCALP = re.compile(r"(?<![a-z])eeg(?![a-z])|electroencephalogra|scalp", re.IGNORECASE)
SURFACE = re.compile(r"ecog|electrocorticogra|subdural|epidural", re.IGNORECASE)
INSIDE = re.compile(r"[is]eeg|intracran|depth|lfp|local field|stereo", re.IGNORECASE)

LABELS = ("trial_type", "label", "condition")
"""Columns of a table of intervals or events that say what a row is, the first that is there; else the table's name."""

TIMES = ("start_time", "stop_time", "timestamp", "duration")

METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6}


def plain_columns(table: Any) -> Columns:
    """Columns with one text, number or truth value a row; lists, images and references are left out."""
    found: Columns = {}
    for name in table.colnames:
        column = table[name]
        if type(column).__name__ in ("VectorIndex", "DynamicTableRegion"):
            continue
        values = column[:]
        if not isinstance(values, list | np.ndarray) and not hasattr(values, "__array__"):
            continue
        array = np.asarray(values)
        if array.dtype.kind in "OS" and array.ndim == 1:
            array = np.array([x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in array], dtype=object)
            if not all(isinstance(x, str) for x in array):
                continue
            array = array.astype(str)
        if array.ndim == 1 and array.dtype.kind in "biufU" and len(array) == len(table):
            found[str(name)] = array
    return found


def electrodes(series: Any, names: str, unit: str, frame: str) -> tuple[Columns, dict[str, Any]]:
    """What is known of the electrodes of a series.

    Parameters
    ----------
    series : pynwb.ecephys.ElectricalSeries
    names : str
        Column that names them; empty = the first of `ELECTRODE_NAMES` that is there and filled.
    unit : {"", "m", "mm", "um"}
        Of the columns ``x, y, z``; empty = not known, and positions are not used.
    frame : str
        What ``x, y, z`` are meant in.

    Returns
    -------
    columns : dict of str to ndarray, shape (C, ...)
        As they stand in the file.
    known : dict
        ``names``, ``bad`` and, with `unit`, ``position`` and ``frame``: arguments of `Channels.of`.
    """
    table, rows = series.electrodes.table, np.asarray(series.electrodes.data[:], dtype=np.int64)
    columns = {name: values[rows] for name, values in plain_columns(table).items()}
    known: dict[str, Any] = {"names": row_names(table, columns, rows, names, ELECTRODE_NAMES)}
    bad = np.zeros(len(rows), dtype=bool)
    for name, means in BAD.items():
        if name in columns and columns[name].dtype.kind in "biu":
            bad |= columns[name].astype(bool) == means
    known["bad"] = bad
    if unit and {"x", "y", "z"} <= columns.keys():
        known |= {"position": METRES[unit] * np.stack([columns[axis] for axis in "xyz"], axis=1), "frame": frame}
    return columns, known


def electrode_kinds(series: Any, columns: Columns, about: str, modality: str) -> list[str]:
    """Kind of each electrode of a series.

    Parameters
    ----------
    series : pynwb.ecephys.ElectricalSeries
    columns : dict of str to ndarray, shape (C, ...)
        Of its electrodes.
    about : str
        What the file says of the whole series.
    modality : {"", "eeg", "ieeg"}
        Where the words of the file shall not decide between scalp and brain.

    Returns
    -------
    list of str
        The column `TYPES` where it holds one of `KINDS`; else ``eeg`` or ``ecog`` by what group and location say, then by what
        is said of the series; else ``seeg``, which is what the format is made for.
    """
    table, rows = series.electrodes.table, np.asarray(series.electrodes.data[:], dtype=np.int64)
    groups = table["group"][:] if "group" in table.colnames else [None] * len(table)
    typed = next((columns[name] for name in TYPES if name in columns), np.full(len(rows), ""))
    kinds = []
    for i, row in enumerate(rows):
        group, stated = groups[row], str(typed[i]).lower()
        words = " ".join(
            str(word)
            for word in (
                columns["location"][i] if "location" in columns else "",
                *((group.name, group.description, group.location) if group is not None else ()),
            )
        )
        for said in (words, about):
            scalp = modality == "eeg" or (modality != "ieeg" and SCALP.search(said) and not INSIDE.search(said))
            kind = "eeg" if scalp else "ecog" if SURFACE.search(said) else "seeg" if INSIDE.search(said) else ""
            if kind:
                break
        kinds.append(stated if stated in KINDS else kind or "seeg")
    return kinds


def row_names(
    table: Any, columns: Columns, rows: npt.NDArray[np.int64], wanted: str, usual: Sequence[str]
) -> list[str]:
    """Names of some rows of a table.

    Raises
    ------
    DataError
        If there is no such column, or names repeat.
    """
    ids = [str(number) for number in np.asarray(table.id[:])[rows]]
    if wanted and wanted != "id" and wanted not in columns:
        have = ", ".join(["id", *columns])
        raise DataError(
            f"the table {table.name!r} has no column {wanted!r} of names.{did_you_mean(wanted, columns)} Columns: {have}"
        )
    filled = [name for name in usual if name in columns and all(str(text).strip() for text in columns[name])]
    column = wanted or next(iter(filled), "id")
    found = ids if column == "id" else [text(value) for value in columns[column]]
    twice = sorted({name for name in found if found.count(name) > 1}) if len(set(found)) < len(found) else []
    if twice:
        raise DataError(
            f"names must be unique; repeated in column {column!r} of {table.name!r}: {', '.join(twice[:5])}. Rename them, or take "
            "another column with `names` of the data set 'nwb', such as names='id'"
        )
    return found


def cells(table: Any, rows: npt.NDArray[np.int64]) -> Channels:
    """Units or regions of interest as channels, with the plain columns of their table."""
    columns = {name: values[rows] for name, values in plain_columns(table).items()}
    usual = [name for name in CELL_NAMES if name in columns and len(set(columns[name].tolist())) == len(rows)]
    return Channels.of(row_names(table, columns, rows, "", usual), kind="neuron", unit="au", columns=columns)


def text(value: Any) -> str:
    """Word a value of a table: 1.0 and 1 are the same, True is ``True``."""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)


def table_events(table: Any, label_column: str) -> tuple[Events, int]:
    """Rows of a table of intervals or events.

    Parameters
    ----------
    table : pynwb.epoch.TimeIntervals or pynwb.event.EventsTable
    label_column : str
        Column that says what a row is, in tables that have it, or ``"table"``; empty = the first of `LABELS`.

    Returns
    -------
    events : Events
        Columns: those of the table, and ``table``, its name.
    dropped : int
        Rows without a time.
    """
    columns = plain_columns(table)
    n = len(table)
    names = "start_time" if "start_time" in columns else "timestamp"
    onset = np.asarray(columns.get(names, np.full(n, np.nan)), dtype=np.float64)
    duration = np.asarray(columns.get("duration", np.zeros(n)), dtype=np.float64)
    if "stop_time" in columns:
        duration = columns["stop_time"].astype(np.float64) - onset
    free: Columns = {
        name: np.array([str(x) for x in values]) if values.dtype.kind == "b" else values
        for name, values in columns.items()
        if name not in TIMES
    }
    free["table"] = np.full(n, str(table.name))
    given = [label_column] if label_column else [name for name in LABELS if name in free]
    labels = [text(x) for x in free.get(next(iter(given), "table"), free["table"])]
    real = np.isfinite(onset)
    duration = np.where(np.isfinite(duration), np.maximum(duration, 0.0), 0.0)
    kept = [label for label, ok in zip(labels, real, strict=True) if ok]
    events = Events.of(onset[real], kept, duration[real], {name: values[real] for name, values in free.items()})
    return events, int((~real).sum())


def moments(series: Any, labels: Sequence[str]) -> Events:
    """Moments with one label each, such as annotations."""
    onset = np.asarray(series.timestamps[:], dtype=np.float64)
    real = np.isfinite(onset)
    kept = [label for label, ok in zip(labels, real, strict=True) if ok]
    return Events.of(onset[real], kept, 0.0, {"table": np.full(len(kept), str(series.name))})


def join_events(parts: Sequence[Events]) -> Events:
    """One table of several; where a column is not there it is empty (text) or NaN (numbers)."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: _joined(name, parts) for name in names}
    return Events.of(
        np.concatenate([part.onset for part in parts]) if parts else (),
        [label for part in parts for label in part.label],
        np.concatenate([part.duration for part in parts]) if parts else 0.0,
        columns,
    )


def _joined(name: str, parts: Sequence[Events]) -> npt.NDArray[Any]:
    here = [part.columns[name] for part in parts if name in part.columns]
    as_text = any(values.dtype.kind == "U" for values in here)
    filled: list[npt.NDArray[Any]] = []
    for part in parts:
        values = part.columns.get(name)
        if values is None:
            filled.append(np.full(len(part), "" if as_text else np.nan))
        else:
            filled.append(np.array([text(x) for x in values], dtype=str) if as_text else values)
    return np.concatenate(filled)


AGE = re.compile(r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T.*)?")


def age_days(age: str) -> float | None:
    """Days of an ISO 8601 duration; None for ranges and anything else.

    Examples
    --------
    >>> age_days("P90D"), age_days("P2Y"), age_days("P1Y/P2Y"), age_days("adult")
    (90.0, 730.5, None, None)
    """
    found = AGE.fullmatch(age)
    if found is None or not any(found.groups()):
        return None
    years, months, weeks, days = (float(number or 0) for number in found.groups())
    return 365.25 * years + 365.25 / 12 * months + 7 * weeks + days
