"""zarr_windows: the pre-windowed layout of braindecode's data sets on the Hub, which Open EEG Bench is made of."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Dataset, Events, Info, Recording, TimeSeries, from_mne
from neurokit_fm.errors import DataError, need

WINDOWED = ("WindowsDataset", "EEGWindowsDataset")


def zarr_windows(
    root: str,
    *,
    target: str = "",
    unit: str = "V",
    parts: dict[str, Sequence[str]] | None = None,
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Windows of a folder that was downloaded from the Hub (``hf download --repo-type dataset ...``).

    Parameters
    ----------
    root : str
        Folder that holds ``format_info.json``.
    target : str
        Column of each recording's ``metadata.tsv``; default: what the recording names, else ``target``.
    unit : {"V", "uV"}
        Of the stored samples; the layout does not say. Data that a pipeline scaled are often in microvolts.
    parts : mapping of str to sequence of str, optional
        Subjects of ``"train"`` and ``"test"``.
    licence, citation : str
        Default: those of ``dataset_description.json``.

    Returns
    -------
    Dataset
        Each recording's windows are trials, joined with breaks; their classes are the targets as text.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    DataError
        If the folder holds something else, or a column is missing.
    MissingDependency
        If zarr is not installed.

    Notes
    -----
    Layout (braindecode 1.8): ``sourcedata/<pipeline>/dataset.zarr`` with one group ``recording_<i>`` each: array ``data``,
    windows (N, C, T) or the continuous signal (C, T); attributes ``description``, ``info`` (an `mne.Info` as JSON) and
    ``target_name``; ``metadata.tsv`` with ``i_start_in_trial``, ``i_stop_in_trial`` and the target of each window.
    """
    zarr = need("zarr", "reading windows in Zarr folders")
    if unit not in ("V", "uV"):
        raise DataError(f"unit must be 'V' or 'uV'; got {unit!r}")
    folder = Path(root)
    found = sorted(folder.glob("**/dataset.zarr"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no dataset.zarr; give the folder of the downloaded data set")
    group = zarr.open_group(found[0], mode="r")
    kind, count = str(group.attrs.get("dataset_type")), int(group.attrs.get("n_datasets", 0))
    if kind not in WINDOWED or not count:
        raise DataError(f"{found[0]} holds a {kind} of {count} recordings; windows are {' or '.join(WINDOWED)}")
    members = [group[f"recording_{i}"] for i in range(count)]
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
                source=f"{folder.name}, recording {number}", subject=str(row["subject"]), session=str(row["session"])
            ),
        )

    names = sorted({row[column] for number in range(count) for table, column in [targets(number)] for row in table})
    return Dataset(
        name=str(said.get("Name") or folder.name),
        table=rows,
        open=open_row,
        licence=licence or str(said.get("License") or "not stated"),
        citation=citation or str(said.get("DatasetDOI") or said.get("Name") or "not stated"),
        summary=f"windows of {folder}",
        label_of={name: name for name in names},
    )


def _cut(data: npt.NDArray[Any], table: Sequence[dict[str, str]]) -> npt.NDArray[Any]:
    bounds = [(int(row["i_start_in_trial"]), int(row["i_stop_in_trial"])) for row in table]
    lengths = {b - a for a, b in bounds}
    if len(lengths) != 1 or any(a < 0 or b > data.shape[1] for a, b in bounds):
        raise DataError(f"windows must have one length within {data.shape[1]} samples; found lengths {sorted(lengths)}")
    return np.stack([data[:, a:b] for a, b in bounds])


def _info(values: dict[str, Any]) -> Any:
    mne = need("mne", "reading the sensors of Zarr folders")
    return mne.Info.from_json_dict(values)


def _blank(info: Any) -> Any:
    mne = need("mne", "reading the sensors of Zarr folders")
    return mne.io.RawArray(np.zeros((len(info["ch_names"]), 2)), info, verbose="ERROR")


def _original(series: TimeSeries, names: Sequence[str]) -> list[str]:
    """Names in the file of the channels of a signal; the reader may have tidied them."""
    tidy = {name.strip().lower().rstrip("."): name for name in names}
    return [name if name in names else tidy[name.lower()] for name in series.channels.name]
