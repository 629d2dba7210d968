"""nwb: files of Neurodata Without Borders as a Dataset, labelled by their trials or by their subjects."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm import Dataset, Events, Recording, TimeSeries
from neurokit_fm.errors import DataError, UnknownName, did_you_mean, need
from nkfm_nwb.reader import About, look, read_nwb
from nkfm_nwb.tables import age_days, text

SUBJECT = ("species", "sex", "age", "genotype", "strain", "institution", "lab")


def nwb(
    root: str | Sequence[str],
    *,
    labels: Mapping[str, str] | Sequence[str] | None = None,
    label_column: str = "",
    target: str = "",
    signal: str = "",
    modality: str = "",
    start_s: float = 0.0,
    trial_s: float = 0.0,
    parts: Mapping[str, Sequence[str]] | None = None,
    site: str = "institution",
    names: str = "",
    position_unit: str = "",
    frame: str = "",
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """NWB files as recordings, with a table of their subjects and sessions; nothing is downloaded.

    Parameters
    ----------
    root : str, or sequence of str
        Folder that is searched for ``*.nwb`` (a downloaded dandiset), a pattern, or files.
    labels : mapping of str to str, or sequence of str, optional
        Values of `label_column` to class names, or those that are their own class names; default: all of its values.
    label_column : str
        Column of the trials, epochs or other intervals that says of which class each is; default with `labels`: ``trial_type``,
        ``label`` or ``condition``, else the table's name.
    target : str
        With `labels` or `label_column`: column of the trials that is to be predicted of them, in place of the class. Without:
        column of the table, such as ``species`` or ``age_days``, to be predicted of each recording, those where it is empty
        being left out; or, if the table has no such column, column of the trials, each row that has a value being a trial.
    signal : str
        The signal to use, by its name (``nkfm info FILE``), where a file holds several of a kind.
    modality, names, position_unit, frame : str
        What electrical series are, which column names electrodes, and what their ``x, y, z`` mean, as in `read_nwb`.
    start_s, trial_s : float, seconds
        A trial starts so long after its event and lasts so long; `trial_s` 0 = as long as the event says.
    parts : mapping of str to sequence of str, optional
        Subjects of ``"train"`` and ``"test"``, for a given split.
    site : str
        Column of the table that becomes ``site``.
    licence, citation : str
        Default: those of a ``dandiset.yaml`` in the folder or above the files, else the publications that the files name.

    Returns
    -------
    Dataset
        Table: ``subject, session, task, run, file, site, part, species, sex, age, age_days, genotype, strain, institution, lab``
        where known; names of files (``sub-XX_ses-YY``) say what the files do not.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    DataError
        If there is no NWB file, one of them is damaged, or labels, a column or a subject of `parts` are not there.
    UnknownName
        If a file has no such signal.
    MissingDependency
        If pynwb is not installed.
    """
    files = _files(root)
    folder = Path(root) if isinstance(root, str) and Path(root).is_dir() else files[0].parent
    abouts = [look(path, label_column) for path in files]
    lacking = [path for path, about in zip(files, abouts, strict=True) if signal and signal not in about.signals]
    if lacking:
        have = sorted({name for about in abouts for name in about.signals})
        raise UnknownName(
            f"{_some(lacking)} has no signal {signal!r}.{did_you_mean(signal, have)} Signals: {', '.join(have) or 'none'}"
        )
    rows = [_row(path, about, folder, site, parts) for path, about in zip(files, abouts, strict=True)]
    missing = sorted({s for some in (parts or {}).values() for s in some} - {str(row.get("subject")) for row in rows})
    if missing:
        raise DataError(f"{folder} has no subject {', '.join(missing[:5])} named in parts")
    kept = list(range(len(files)))
    label_of: dict[str, str] = {}
    if labels or label_column:
        label_of = _label_of(files, abouts, labels, label_column)
    elif target and any(target in row for row in rows):
        kept = [number for number in kept if target in rows[number]]
    elif target:
        label_column = "table"
        label_of = {name: name for about in abouts for name in _tables_with(about.events, target)}
        _need_column(files, abouts, target, {name for row in rows for name in row})
    if label_of and target:
        _need_column(files, abouts, target)
    said = _dandiset(folder, files[0])
    cited = dict.fromkeys(about.info.citation for about in abouts if about.info.citation)
    licence = licence or said.get("license", "") or "not stated"
    citation = citation or said.get("citation", "") or "; ".join(cited) or "not stated"

    def open_row(number: int) -> Recording:
        path, row = files[kept[number]], rows[kept[number]]
        recording = read_nwb(
            path, signal=signal, modality=modality, names=names, position_unit=position_unit, frame=frame, label_column=label_column
        )  # fmt: skip
        if label_of or target:
            _check_one(recording)
        known = {key: str(row[key]) for key in ("subject", "session") if key in row}
        info = replace(recording.info, **known, licence=licence, citation=citation)  # type: ignore[arg-type]  # texts
        return replace(recording, info=info, events=_trials(recording.events, label_of, target, start_s, trial_s))

    return Dataset(
        name=said.get("name", "") or folder.name,
        table=[rows[number] for number in kept],
        open=open_row,
        licence=licence,
        citation=citation,
        summary=f"NWB files of {folder}",
        label_of=label_of or None,
        target=target,
    )


def _files(root: str | Sequence[str]) -> list[Path]:
    """NWB files of a folder, a pattern or a list of either, sorted within each."""
    found: dict[Path, None] = {}
    for item in [root] if isinstance(root, str | Path) else root:
        path = Path(item)
        if path.is_dir():
            more = sorted(p for p in path.rglob("*.nwb") if p.is_file())
            if not more:
                raise DataError(f"{path} holds no .nwb file")
        else:
            more = (
                [path]
                if path.is_file()
                else [Path(name) for name in sorted(glob.glob(str(item), recursive=True)) if Path(name).is_file()]
            )
            if not more:
                raise FileNotFoundError(f"no such file or folder, and no file matches: {item}")
        found |= dict.fromkeys(more)
    if not found:
        raise DataError("root names no file")
    return list(found)


def _row(
    path: Path, about: About, folder: Path, site: str, parts: Mapping[str, Sequence[str]] | None
) -> dict[str, object]:
    info = about.info
    person: dict[str, Any] = {key: info.facts.get(key) for key in SUBJECT}
    row: dict[str, Any] = {
        "subject": info.subject,
        "session": info.session or "1",
        "task": info.task,
        "run": info.run,
        "file": path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path),
        "site": person.get(site),
        "part": next((part for part, people in (parts or {}).items() if info.subject in people), ""),
        **person,
        "age_days": age_days(str(person["age"] or "")),
    }
    return {key: value for key, value in row.items() if value not in (None, "")}


def _label_of(
    files: Sequence[Path], abouts: Sequence[About], labels: Mapping[str, str] | Sequence[str] | None, column: str
) -> dict[str, str]:
    """Which labels are which class, all of them seen in the files.

    Raises
    ------
    DataError
        If a file has no such column or none of the labels, or no file has one of the labels.
    """
    if column:
        _need_column(files, abouts, column)
    seen = [_values(about.events, column) for about in abouts]
    every = sorted(set().union(*seen))
    wanted = dict(labels) if isinstance(labels, Mapping) else {str(name): str(name) for name in labels or every}
    where = f"in column {column!r}" if column else "among the events"
    gone = [name for name in wanted if name not in every]
    if gone:
        have = ", ".join(every[:12]) or "none"
        raise DataError(f"no file has the label {gone[0]!r} {where}.{did_you_mean(gone[0], every)} Labels: {have}")
    bare = [path for path, here in zip(files, seen, strict=True) if not here & wanted.keys()]
    if bare:
        raise DataError(
            f"{_some(bare)} has no trial labelled {', '.join(list(wanted)[:5])} {where}; give `root` the other files only"
        )
    return wanted


def _values(events: Events, column: str) -> set[str]:
    """Labels of the events whose table has the column; of all without one."""
    if not column:
        return set(events.label) - {""}
    pairs = zip(events.label, events.columns[column], strict=True)
    return {label for label, value in pairs if label and label == text(value)}


def _tables_with(events: Events, column: str) -> set[str]:
    """Names of the tables in which a column has values."""
    if column not in events.columns:
        return set()
    return set(events.columns["table"][_filled(events.columns[column])].tolist())


def _filled(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """True where a column of the events has a value."""
    if values.dtype.kind == "U":
        return np.asarray(values != "")
    return np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)


def _need_column(files: Sequence[Path], abouts: Sequence[About], column: str, others: set[str] | None = None) -> None:
    """Raise unless the events of every file have a column."""
    lacking = [path for path, about in zip(files, abouts, strict=True) if column not in about.events.columns]
    if lacking:
        have = sorted({name for about in abouts for name in about.events.columns})
        table = f"; columns of the table: {', '.join(sorted(others))}" if others else ""
        raise DataError(
            f"{_some(lacking)} has no column {column!r} in its trials or other intervals."
            f"{did_you_mean(column, {*have, *(others or ())})} Columns: {', '.join(have) or 'none'}{table}"
        )


def _check_one(recording: Recording) -> None:
    """Raise if it is not plain which signal is meant."""
    by: dict[str, list[str]] = {}
    for name, signal in recording.signals.items():
        if isinstance(signal, TimeSeries):
            by.setdefault(signal.modality, []).append(name)
    for kind, several in by.items():
        if len(several) > 1:
            raise DataError(
                f"{recording.title} holds {len(several)} {kind} signals: {', '.join(several)}; choose one with `signal`"
            )


def _trials(events: Events, label_of: Mapping[str, str], target: str, start_s: float, trial_s: float) -> Events:
    """Move and stretch the labelled events, and leave out those without a target; all others stay."""
    mine = np.isin(events.label, list(label_of)) if label_of and len(events) else np.zeros(len(events), dtype=bool)
    if label_of and target:
        keep = ~mine | _filled(events.columns[target])
        events, mine = events.take(keep), mine[keep]
    return Events.of(
        events.onset + start_s * mine,
        events.label,
        np.where(mine & (trial_s > 0), trial_s, events.duration),
        events.columns,
    )


def _dandiset(folder: Path, first: Path) -> dict[str, str]:
    """Name, licence and citation that a dandiset's own file states; empty without one."""
    places = [folder, *list(first.parents)[:2]]
    described = next((place / "dandiset.yaml" for place in places if (place / "dandiset.yaml").is_file()), None)
    if described is None:
        return {}
    yaml = need("yaml", "reading dandiset.yaml")
    try:
        about = yaml.safe_load(described.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise DataError(f"{described} is not YAML: {' '.join(str(err).split())}") from err
    if not isinstance(about, dict):
        raise DataError(f"{described} holds no table of facts about a dandiset")
    licences = about.get("license") or ()
    licences = [licences] if isinstance(licences, str) else licences
    return {
        "name": str(about.get("name") or ""),
        "license": ", ".join(str(x).removeprefix("spdx:") for x in licences),
        "citation": str(about.get("citation") or about.get("doi") or ""),
    }


def _some(paths: Sequence[Path]) -> str:
    """Name a file of several."""
    return f"{paths[0]}{f' (and {len(paths) - 1} more)' if len(paths) > 1 else ''}"
