"""write_bids: a data set of EEG as a BIDS tree, for tests of what reads them and for passing simulations on."""

from __future__ import annotations

import csv
import json
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm import Dataset, Recording
from neurokit_fm.data.atomic import atomic_path
from neurokit_fm.errors import DataError, need


def write_bids(
    dataset: Dataset,
    root: str | os.PathLike[str],
    *,
    task: str = "task",
    columns: Sequence[str] = (),
    modality: str = "eeg",
) -> Path:
    """Write every recording of a data set as EDF into a BIDS tree.

    Parameters
    ----------
    dataset : Dataset
    root : path-like
        Folder that does not exist yet.
    task : str
        Where a recording names none.
    columns : sequence of str
        Columns of the table that go into ``participants.tsv``; the first row of a subject counts.
    modality : str
        Signal to write; EDF holds 16 bits, so values are within 1.5e-5 of a channel's range.

    Returns
    -------
    Path
        The tree.

    Raises
    ------
    DataError
        If the folder exists, or a recording has no positions in the head frame but some positions.
    MissingDependency
        If mne-bids or edfio is not installed.
    """
    mne_bids = need("mne_bids", "writing BIDS trees", extra="bids")
    need("edfio", "writing EDF files")
    folder = Path(root)
    if folder.exists():
        raise DataError(f"{folder} exists; a BIDS tree is written into a new folder")
    people: dict[str, dict[str, Any]] = {}
    runs: dict[tuple[str, str], int] = {}
    for row, recording in zip(dataset.table, dataset, strict=True):
        subject, session = (_plain(str(row.get(key) or "1")) for key in ("subject", "session"))
        people.setdefault(subject, {name: row.get(name, "n/a") for name in columns})
        runs[subject, session] = runs.get((subject, session), 0) + 1
        path = mne_bids.BIDSPath(
            subject=subject,
            session=session,
            task=_plain(recording.info.task or task),
            run=f"{runs[subject, session]:02d}",
            datatype="eeg",
            root=folder,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mne_bids.write_raw_bids(
                _raw(recording, modality), path, allow_preload=True, format="EDF", overwrite=True, verbose="ERROR"
            )
    _rewrite(folder / "participants.tsv", people, columns)
    described = folder / "dataset_description.json"
    about = json.loads(described.read_text(encoding="utf-8"))
    about |= {"Name": dataset.name, "License": dataset.licence, "HowToAcknowledge": dataset.citation, "Authors": []}
    with atomic_path(described) as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return folder


def _raw(recording: Recording, modality: str) -> Any:
    """The signal as an MNE object with its places and events."""
    import mne

    _, series = recording.series(modality)
    names, positions = list(series.channels.name), series.channels.position
    info = mne.create_info(names, series.sfreq, ["eeg" if kind == "eeg" else "misc" for kind in series.channels.kind])
    info["line_freq"] = recording.info.facts.get("line_freq")
    raw = mne.io.RawArray(series.read().astype(np.float64), info, verbose="ERROR")
    placed = np.asarray(np.isfinite(positions).all(1))
    if placed.any():
        if series.channels.frame != "head":
            raise DataError(
                f"{recording.title}: positions are in the frame {series.channels.frame!r}; BIDS wants 'head'"
            )
        places = {name: place for name, place, ok in zip(names, positions, placed.tolist(), strict=True) if ok}
        fiducials = {"nasion": [0, 0.1, 0], "lpa": [-0.08, 0, 0], "rpa": [0.08, 0, 0]}  # the axes of the head frame
        raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head", **fiducials), on_missing="ignore")
    events = recording.events
    raw.set_annotations(mne.Annotations(events.onset - series.start, events.duration, list(events.label)))
    return raw


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _rewrite(path: Path, people: dict[str, dict[str, Any]], columns: Sequence[str]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *(c for c in columns if c not in rows[0])], delimiter="\t")
        writer.writeheader()
        writer.writerows({**row, **people[row["participant_id"].removeprefix("sub-")]} for row in rows)
