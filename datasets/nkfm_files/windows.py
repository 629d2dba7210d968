"""zarr_windows: the pre-windowed layout of braindecode's data sets on the Hub, which Open EEG Bench is made of."""

from __future__ import annotations

import csv
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Dataset, Events, Info, Recording, TimeSeries, from_mne
from neurokit_fm.errors import ConfigError, DataError, need
from nkfm_files.hub import fetch

WINDOWED = ("WindowsDataset", "EEGWindowsDataset")
WANTED = ("*dataset.zarr/*", "*dataset_description.json", "README.md")
"""What is read of a repository; the tables beside it say the same in another form."""

WINDOW = "window"
"""Label of every window where a quantity is predicted."""


def zarr_windows(
    root: str = "",
    *,
    repo: str = "",
    revision: str = "main",
    target: str = "",
    unit: str = "V",
    quantity: bool = False,
    parts: Mapping[str, Sequence[object]] | None = None,
    parts_by: str = "subject",
    download: bool = False,
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Windows of a folder, or of a data set on the Hub.

    Parameters
    ----------
    root : str
        Folder that holds ``format_info.json``, as ``hf download --repo-type dataset`` leaves it.
    repo : str
        In place of `root`: ``"owner/name"`` on the Hub, of which the Hub's cache holds a copy.
    revision : str
        Branch, tag or commit of `repo`. The citation and every recording's source name the commit it stood for.
    target : str
        Column of each recording's ``metadata.tsv``; default: what the recording names, else ``target``.
    unit : {"V", "uV"}
        Of the stored samples; the layout does not say. Data that a pipeline scaled are often in microvolts.
    quantity : bool
        The targets are numbers to be predicted as such, not classes.
    parts : mapping of str to sequence, optional
        Values of `parts_by` that make ``"train"`` and ``"test"``, compared as texts. Values that no recording has are warned
        of, as published lists name people who were taken out later; a part that stays empty is an error.
    parts_by : str
        What a recording says of itself in ``description``: ``"subject"``, ``"session"``, ``"run"``, ``"split"`` ...
    download : bool
        Fetch what the cache lacks of `repo`. Otherwise nothing is downloaded, and missing data are an error that says how
        to get them.
    licence, citation : str
        Default: those of ``dataset_description.json``, or the licence of ``README.md``.

    Returns
    -------
    Dataset
        Each recording's windows are trials, joined with breaks; their classes are the targets as text, or their quantities
        the targets as numbers.

    Raises
    ------
    ConfigError
        If both or neither of `root` and `repo` are given.
    FileNotFoundError
        If there is no such folder, or without `download` no whole copy of `repo` in the cache.
    DataError
        If the repository cannot be had, the folder holds something else or part of a data set, a column or a value of `parts`
        is not there, or a quantity is no number.
    MissingDependency
        If zarr is not installed.

    Notes
    -----
    Layout (braindecode 1.8): ``sourcedata/<pipeline>/dataset.zarr`` with one group ``recording_<i>`` each: array ``data``,
    windows (N, C, T) or the continuous signal (C, T); attributes ``description``, ``info`` (an `mne.Info` as JSON, null for
    NaN) and ``target_name``; ``metadata.tsv`` with ``i_start_in_trial``, ``i_stop_in_trial`` and the target of each window.
    Zarr reads a piece that is missing as zeros, so a piece that is missing is warned of.
    """
    zarr = need("zarr", "reading windows in Zarr folders")
    if unit not in ("V", "uV"):
        raise DataError(f"unit must be 'V' or 'uV'; got {unit!r}")
    if bool(root) == bool(repo):
        raise ConfigError("zarr-windows needs either root, a folder, or repo, 'owner/name' on the Hub")
    folder, commit = fetch(repo, revision, WANTED, download=download) if repo else (Path(root), "")
    source = f"{repo}@{commit}" if repo else str(folder)
    found = sorted(folder.glob("**/dataset.zarr"))
    if not found and repo:
        raise DataError(f"the data set {source} holds no dataset.zarr: it is not in the layout of windows")
    if not found:
        raise FileNotFoundError(f"{folder} holds no dataset.zarr; give the folder of the downloaded data set")
    group = zarr.open_group(found[0], mode="r")
    kind, count = str(group.attrs.get("dataset_type")), int(group.attrs.get("n_datasets", 0))
    if kind not in WINDOWED or not count:
        raise DataError(f"{found[0]} holds a {kind} of {count} recordings; windows are {' or '.join(WINDOWED)}")
    absent = [f"recording_{i}" for i in range(count) if f"recording_{i}/data" not in group]
    if absent:
        raise DataError(f"{found[0]} lacks {absent[0]} ({len(absent)} of {count} recordings); download it again")
    members = [group[f"recording_{i}"] for i in range(count)]
    if any(member.attrs.get("targets_from") == "channels" for member in members):
        raise DataError(f"the targets of {source} are in channels; only targets in metadata.tsv are read")
    rows: list[dict[str, object]] = []
    for member in members:
        about = {key: value for key, value in dict(member.attrs["description"]).items() if value is not None}
        rows.append({"session": "1", **about, "subject": str(about.get("subject", ""))})
    rows = _divided(rows, parts, parts_by, source) if parts else rows
    described = found[0].parent / "dataset_description.json"
    said = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}

    def targets(number: int) -> tuple[list[dict[str, str]], list[str]]:
        file = found[0] / f"recording_{number}" / "metadata.tsv"
        if not file.is_file():
            raise DataError(f"{file} is missing; download the data set again")
        with file.open(encoding="utf-8", newline="") as opened:
            table = list(csv.DictReader(opened, delimiter="\t"))
        column = target or str(members[number].attrs.get("target_name") or "target")
        if table and column not in table[0]:
            column = "target" if not target and "target" in table[0] else column
        if table and column not in table[0]:
            raise DataError(f"{file} has no column {column!r}; columns: {', '.join(filter(None, table[0]))}")
        values = [row[column] for row in table]
        odd = [value for value in values if quantity and not _is_number(value)]
        if odd:
            raise DataError(f"{file}: column {column!r} holds {odd[0]!r}, which is no number; quantity takes numbers")
        return table, values

    def open_row(number: int) -> Recording:
        member, (table, values) = members[number], targets(number)
        pieces, there = member["data"].nchunks, member["data"].nchunks_initialized
        if there < pieces:
            words = f"{pieces - there} of {pieces} pieces of recording {number} are missing and read as zeros"
            warnings.warn(f"{source}: {words}; if a download was cut short, repeat it", stacklevel=2)
        data = np.asarray(member["data"][:]) * (1e-6 if unit == "uV" else 1.0)
        windows = data if data.ndim == 3 else _cut(data, table)  # (N, C, T)
        n, _, t = windows.shape
        info = _info(dict(member.attrs["info"]))
        blank = from_mne(_blank(info))
        modality = next(name for name in ("eeg", "meg", "ieeg", *blank.signals) if name in blank.signals)
        _, series = blank.series(modality)
        names = list(info["ch_names"])
        picked = windows[:, [names.index(name) for name in _original(series, names)]]
        joined = picked.swapaxes(0, 1).reshape(picked.shape[1], n * t)
        labels, columns = ([WINDOW] * n, {"target": np.array(values, dtype=np.float64)}) if quantity else (values, {})
        events = Events.of(np.arange(n) * t / info["sfreq"], labels, t / info["sfreq"], columns)
        signal = TimeSeries(
            data=joined, sfreq=float(info["sfreq"]), channels=series.channels, modality=modality,
            breaks=tuple(range(t, n * t, t)),
        )  # fmt: skip
        row = rows[number]
        return Recording(
            signals={modality: signal},
            events=events,
            info=Info(
                source=f"{source if repo else folder.name}, recording {number}",
                subject=str(row["subject"]),
                session=str(row["session"]),
            ),
        )

    stated = str(said.get("DatasetDOI") or said.get("Name") or (repo or "not stated"))
    classes = sorted({value for number in range(count) for value in targets(number)[1]})
    return Dataset(
        name=repo.partition("/")[2] or str(said.get("Name") or folder.name),
        table=rows,
        open=open_row,
        licence=licence or str(said.get("License") or _card_licence(folder / "README.md") or "not stated"),
        citation=f"{citation or stated} ({source})" if repo else citation or stated,
        summary=f"windows of {source}",
        label_of={name: name for name in ([WINDOW] if quantity else classes)},
        target="target" if quantity else "",
    )


def _divided(
    rows: Sequence[dict[str, object]], parts: Mapping[str, Sequence[object]], column: str, source: str
) -> list[dict[str, object]]:
    """Put the part of each row into the table."""
    named = [(str(value), part) for part, values in parts.items() for value in values]
    part_of, there = dict(named), list(dict.fromkeys(str(row[column]) for row in rows if column in row))
    if not there:
        known = ", ".join(dict.fromkeys(key for row in rows for key in row))
        raise DataError(f"the recordings of {source} have no {column!r} to divide them by; they have {known}")
    absent = [value for value in part_of if value not in there]
    if absent:
        have = ", ".join([*there[:50], *(["..."] if len(there) > 50 else [])])
        words = f"{source} has no {column} {', '.join(absent[:5])} named in parts; it has {have}"
        if any(set(map(str, values)) <= set(absent) for values in parts.values()):
            raise DataError(words)
        warnings.warn(words, stacklevel=3)  # published lists name people who were taken out later
    twice = sorted({value for value, part in named if part_of[value] != part})
    if twice:
        raise DataError(f"{column} {', '.join(twice[:5])} is named in two parts; name it in one")
    mine = [part_of.get(str(row.get(column, ""))) for row in rows]
    return [row | ({"part": part} if part else {}) for row, part in zip(rows, mine, strict=True)]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _cut(data: npt.NDArray[Any], table: Sequence[dict[str, str]]) -> npt.NDArray[Any]:
    bounds = [(int(row["i_start_in_trial"]), int(row["i_stop_in_trial"])) for row in table]
    lengths = {b - a for a, b in bounds}
    if len(lengths) != 1 or any(a < 0 or b > data.shape[1] for a, b in bounds):
        raise DataError(f"windows must have one length within {data.shape[1]} samples; found lengths {sorted(lengths)}")
    return np.stack([data[:, a:b] for a, b in bounds])


def _card_licence(card: Path) -> str:
    """Licence in the metadata of a card; empty where there is none or the writer's placeholder."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    found = re.match(r"---\n(?:.*\n)*?license: *([\w.-]+).*\n(?:.*\n)*?---\n", text)
    return "" if found is None or found[1] in ("please-specify", "unknown") else found[1]


def _info(values: dict[str, Any]) -> Any:
    mne = need("mne", "reading the sensors of Zarr folders")
    return mne.Info.from_json_dict(_with_nan(values))


def _with_nan(value: Any) -> Any:
    """Put NaN back where a list of numbers holds null, such as a sensor's unknown orientation."""
    if isinstance(value, dict):
        return {key: _with_nan(inner) for key, inner in value.items()}
    if isinstance(value, list) and all(x is None or isinstance(x, int | float) for x in value):
        return [math.nan if x is None else x for x in value]
    return [_with_nan(inner) for inner in value] if isinstance(value, list) else value


def _blank(info: Any) -> Any:
    mne = need("mne", "reading the sensors of Zarr folders")
    return mne.io.RawArray(np.zeros((len(info["ch_names"]), 2)), info, verbose="ERROR")


def _original(series: TimeSeries, names: Sequence[str]) -> list[str]:
    """Names in the file of the channels of a signal; the reader may have tidied them."""
    tidy = {name.strip().lower().rstrip("."): name for name in names}
    return [name if name in names else tidy[name.lower()] for name in series.channels.name]
