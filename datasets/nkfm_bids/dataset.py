"""bids: a BIDS tree as a Dataset. mne-bids finds and reads the files; nothing is downloaded."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm import Dataset, Events, Recording, from_mne, read
from neurokit_fm.errors import DataError, need

DATATYPES = ("eeg", "meg", "ieeg")
RAW = (".vhdr", ".edf", ".bdf", ".set", ".fif", ".ds", ".con", ".sqd", ".mefd", ".nwb", ".cnt")
EMPTY = ("", "n/a", "N/A", "nan")


def bids(
    root: str,
    *,
    task: str = "",
    datatype: str = "",
    labels: Mapping[str, str] | Sequence[str] | None = None,
    target: str = "",
    start_s: float = 0.0,
    trial_s: float = 0.0,
    parts: Mapping[str, Sequence[str]] | None = None,
    site: str = "site",
) -> Dataset:
    """Recordings of a BIDS tree, with the columns of its participants table.

    Of NWB files, which mne-bids does not read, the reader of NWB files and the events table beside them are used.

    Parameters
    ----------
    root : str
        Folder that holds ``dataset_description.json``.
    task, datatype : str
        Only recordings of this task and of ``eeg``, ``meg`` or ``ieeg``; empty = all.
    labels : mapping of str to str, or sequence of str, optional
        Values of ``trial_type`` to class names, or those that are their own class names.
    target : str
        Without `labels`: column of ``participants.tsv`` (or of the sessions table beside it) that is to be predicted of each
        recording, such as ``group``; recordings where it is empty are left out. With `labels`: column of the events.
    start_s, trial_s : float, seconds
        A trial starts so long after its event and lasts so long; `trial_s` 0 = as long as the event says.
    parts : mapping of str to sequence of str, optional
        Subjects of ``"train"`` and ``"test"`` (without ``sub-``), for a given split.
    site : str
        Column of the participants table that becomes ``site``.

    Returns
    -------
    Dataset
        Table: ``subject, session, task, run, file, site, part`` where known, and every column of the participants table.

    Raises
    ------
    FileNotFoundError
        If there is no such tree.
    MissingDependency
        If mne-bids is not installed.
    DataError
        If no recording fits, or a subject of `parts` is not there.
    """
    mne_bids = need("mne_bids", "reading BIDS trees", extra="bids")
    folder = Path(root)
    described = folder / "dataset_description.json"
    if not described.is_file():
        raise FileNotFoundError(f"{folder} is not a BIDS tree: it has no dataset_description.json")
    about = json.loads(described.read_text(encoding="utf-8"))
    people = {row["participant_id"].removeprefix("sub-"): row for row in _table(folder / "participants.tsv")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sidecars; what matters is said when a file is read
        paths = mne_bids.find_matching_paths(
            folder, tasks=task or None, datatypes=[datatype] if datatype else list(DATATYPES), extensions=list(RAW)
        )
    paths = sorted(
        (p for p in paths if p.suffix in DATATYPES and p.split in (None, "01", "1")), key=lambda p: str(p.fpath)
    )
    rows, kept = [], []
    for path in paths:
        person = {key: _value(v) for key, v in people.get(path.subject, {}).items() if key != "participant_id"}
        sessions = _table(folder / f"sub-{path.subject}" / f"sub-{path.subject}_sessions.tsv")
        for row in sessions:
            if row.get("session_id", "").removeprefix("ses-") == path.session:
                person |= {key: _value(v) for key, v in row.items() if key != "session_id"}
        known = {"subject": path.subject, "session": path.session or "1", "task": path.task, "run": path.run}
        more = {
            "site": person.get(site),
            "part": _part(path.subject, parts),
            "file": path.fpath.relative_to(folder).as_posix(),
        }
        row = {key: value for key, value in {**person, **known, **more}.items() if value not in (None, "")}
        if not labels and target and row.get(target) is None:
            continue
        rows.append(row)
        kept.append(path)
    if not rows:
        wanted = ", ".join(
            filter(None, [f"task {task}" if task else "", datatype, f"a {target}" if target and not labels else ""])
        )
        raise DataError(
            f"{folder} holds no recording{f' with {wanted}' if wanted else ''}; it has {len(paths)} recordings"
        )
    missing = sorted({s for some in (parts or {}).values() for s in some} - {str(row["subject"]) for row in rows})
    if missing:
        raise DataError(f"{folder} has no subject {', '.join(missing[:5])} named in parts")

    def open_row(number: int) -> Recording:
        recording = _read(mne_bids, kept[number])
        row = rows[number]
        info = replace(
            recording.info,
            source=str(kept[number].fpath),
            subject=str(row["subject"]),
            session=str(row["session"]),
            task=str(row.get("task", "")),
            run=str(row.get("run", "")),
            licence=licence,
            citation=citation,
        )
        return replace(recording, info=info, events=_trials(recording.events, label_of, start_s, trial_s))

    licence = str(about.get("License") or "not stated in dataset_description.json")
    citation = "; ".join(
        filter(
            None,
            [str(about.get("HowToAcknowledge") or ""), ", ".join(about.get("Authors") or []), str(about.get("Name") or ""),
             str(about.get("DatasetDOI") or "")],
        )
    ) or folder.name  # fmt: skip
    label_of = dict(labels) if isinstance(labels, Mapping) else {name: name for name in labels or ()}
    return Dataset(
        name=str(about.get("Name") or folder.name),
        table=rows,
        open=open_row,
        licence=licence,
        citation=citation,
        summary=f"BIDS tree {folder}",
        label_of=label_of or None,
        target=target,
    )


def _read(mne_bids: Any, path: Any) -> Recording:
    """Read a recording with what its sidecars say."""
    if path.fpath.suffix == ".nwb":  # which mne-bids finds, but does not read
        recording = read(path.fpath)
        rows = _table(path.fpath.with_name(path.fpath.name.removesuffix(f"_{path.suffix}.nwb") + "_events.tsv"))
        onset, length = ([_value(row.get(key, "")) or 0.0 for row in rows] for key in ("onset", "duration"))
        names = [row.get("trial_type", "") for row in rows]
        events = Events.of(np.array(onset) + recording.start, names, np.array(length)) if rows else recording.events
        return replace(recording, events=events)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_mne(mne_bids.read_raw_bids(path, verbose="ERROR"))


def _trials(events: Events, label_of: Mapping[str, str], start_s: float, trial_s: float) -> Events:
    """Move and stretch the labelled events; all others stay."""
    if not label_of or not (start_s or trial_s):
        return events
    mine = np.isin(events.label, list(label_of))
    return Events.of(
        events.onset + start_s * mine,
        events.label,
        np.where(mine & (trial_s > 0), trial_s, events.duration),
        events.columns,
    )


def _table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file, delimiter="\t")]


def _value(text: str) -> Any:
    """Number where it is one, None where nothing is said, else text."""
    if text in EMPTY:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text else number


def _part(subject: str, parts: Mapping[str, Sequence[str]] | None) -> str:
    return next((part for part, names in (parts or {}).items() if subject in names), "")
