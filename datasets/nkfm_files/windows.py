"""zarr_windows: the pre-windowed layout of braindecode's data sets on the Hub, which Open EEG Bench is made of."""

from __future__ import annotations

import csv
import json
import math
import re
import warnings
from collections.abc import Sequence
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


def zarr_windows(
    root: str = "",
    *,
    repo: str = "",
    revision: str = "main",
    target: str = "",
    unit: str = "V",
    parts: dict[str, Sequence[str]] | None = None,
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Windows of a folder, or of a data set on the Hub.

    Parameters
    ----------
    root : str
        Folder that holds ``format_info.json``, as ``hf download --repo-type dataset`` leaves it.
    repo : str
        In place of `root`: ``"owner/name"`` on the Hub. It is downloaded into the Hub's cache, unless it is there.
    revision : str
        Branch, tag or commit of `repo`. The citation and every recording's source name the commit it stood for.
    target : str
        Column of each recording's ``metadata.tsv``; default: what the recording names, else ``target``.
    unit : {"V", "uV"}
        Of the stored samples; the layout does not say. Data that a pipeline scaled are often in microvolts.
    parts : mapping of str to sequence of str, optional
        Subjects of ``"train"`` and ``"test"``.
    licence, citation : str
        Default: those of ``dataset_description.json``, or the licence of ``README.md``.

    Returns
    -------
    Dataset
        Each recording's windows are trials, joined with breaks; their classes are the targets as text.

    Raises
    ------
    ConfigError
        If both or neither of `root` and `repo` are given.
    FileNotFoundError
        If there is no such folder.
    DataError
        If the repository cannot be had, the folder holds something else or part of a data set, or a column is missing.
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
    folder, commit = fetch(repo, revision, WANTED) if repo else (Path(root), "")
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
        row: dict[str, object] = {"session": "1", **about, "subject": str(about.get("subject", ""))}
        mine = [name for name, people in (parts or {}).items() if str(row["subject"]) in map(str, people)]
        row |= {"part": mine[0]} if mine else {}
        rows.append(row)
    described = found[0].parent / "dataset_description.json"
    said = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}

    def targets(number: int) -> tuple[list[dict[str, str]], str]:
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
        return table, column

    def open_row(number: int) -> Recording:
        member, (table, column) = members[number], targets(number)
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
        events = Events.of(np.arange(n) * t / info["sfreq"], [row[column] for row in table], t / info["sfreq"])
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
    names = sorted({row[column] for number in range(count) for table, column in [targets(number)] for row in table})
    return Dataset(
        name=repo.partition("/")[2] or str(said.get("Name") or folder.name),
        table=rows,
        open=open_row,
        licence=licence or str(said.get("License") or _card_licence(folder / "README.md") or "not stated"),
        citation=f"{citation or stated} ({source})" if repo else citation or stated,
        summary=f"windows of {source}",
        label_of={name: name for name in names},
    )


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
