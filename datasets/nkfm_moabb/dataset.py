"""moabb: a data set of MOABB under one of its paradigms, one recording of labelled trials a subject and session."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from neurokit_fm import Dataset, Events, Recording, from_mne
from neurokit_fm.errors import ConfigError, DataError, NkfmError
from nkfm_moabb.choose import find_dataset, find_paradigm
from nkfm_moabb.local import data_folder, looking_into, no_download, quiet

MOABB = "Aristimunha et al., Mother of all BCI Benchmarks, doi 10.5281/zenodo.10034223"


def moabb(
    dataset: Any,
    *,
    paradigm: Any = "",
    subjects: Sequence[int | str] | None = None,
    paradigm_settings: Mapping[str, Any] | None = None,
    dataset_settings: Mapping[str, Any] | None = None,
    index: Literal["declared", "read"] = "declared",
    download: bool = False,
    root: str = "",
) -> Dataset:
    """A data set of MOABB, cut into trials and labelled by one of MOABB's paradigms.

    Parameters
    ----------
    dataset : str or moabb.datasets.base.BaseDataset
        Name of its class or its code, ``BNCI2014_001`` or ``BNCI2014-001``; or the object.
    paradigm : str or moabb.paradigms.base.BaseProcessing
        Name of its class, ``LeftRightImagery``; or the object. Empty = MOABB's usual one for the kind of data set.
    subjects : sequence of int or str, optional
        Default: all.
    paradigm_settings, dataset_settings : mapping, optional
        Keyword arguments of the two classes: ``fmin, fmax, resample, tmin, tmax, channels, events, n_classes`` ...
    index : {"declared", "read"}
        How the table knows the sessions. ``"declared"``: each subject has as many as MOABB says, counted from 0, and nothing
        is read before it is asked for; a subject who has another number is an error when opened. ``"read"``: every subject
        is read once now, and sessions are called as in MOABB.
    download : bool
        Let MOABB fetch what is missing when it is asked for. Otherwise nothing is downloaded, and missing data are an error
        that says how to get them.
    root : str
        Folder of MOABB's downloads; default: that of MNE's configuration, else ``mne_data`` at home.

    Returns
    -------
    Dataset
        Table: ``subject, session``. A recording holds the trials of one session, in volts, joined with breaks that no window
        crosses; its events carry MOABB's labels and the columns ``subject, session, run``. So the groups of the protocols
        within-session, cross-session and cross-subject are those of MOABB's evaluations.

    Raises
    ------
    UnknownName
        If MOABB has no such data set or paradigm, with the closest name.
    ConfigError
        If a setting is unknown or refused.
    DataError
        If the two do not fit together, naming what does, or a subject is not there. When opened: if MOABB cannot read it.
    FileNotFoundError
        When opened: if data are missing.
    MissingDependency
        If MOABB is not installed.

    Notes
    -----
    MOABB reads all sessions of a subject at once; those of the last subject are kept in memory. While it reads without
    `download`, every connection of this process is refused, see `no_download`; it may leave empty folders in `root`. A few
    data sets ask their host for a list of files although these are there, and need `download` each time.
    """
    if index not in ("declared", "read"):
        raise ConfigError(f"index must be 'declared' or 'read'; got {index!r}")
    with quiet():
        source = find_dataset(dataset, dataset_settings or {})
        cut = find_paradigm(paradigm, source, paradigm_settings or {})
        try:
            labels = [str(name) for name in cut.used_events(source)]
        except (KeyError, ValueError) as err:
            raise DataError(f"{type(cut).__name__} finds no trials in {source.code}: {err}") from err
    known = {str(subject): subject for subject in source.subject_list}
    chosen = list(known) if subjects is None else [str(subject) for subject in subjects]
    odd = [subject for subject in chosen if subject not in known]
    if odd or not chosen:
        raise DataError(f"{source.code} has no subject {', '.join(odd[:5]) or 'to give'}; it has {', '.join(known)}")
    reader = _Reader(source, cut, download, root)
    licence, citation = terms(source)

    def rows_of(subject: str) -> list[str]:
        return list(reader(known[subject])) if index == "read" else [str(i) for i in range(source.n_sessions)]

    table = [{"subject": subject, "session": session} for subject in chosen for session in rows_of(subject)]

    def open_row(number: int) -> Recording:
        subject, session = table[number]["subject"], table[number]["session"]
        found = reader(known[subject])
        if index == "declared" and len(found) != source.n_sessions:
            raise DataError(
                f"{source.code}: MOABB declares {source.n_sessions} sessions of each subject, but subject {subject} has "
                f"{len(found)} with trials ({', '.join(found)}); use index='read', which reads every subject once first"
            )
        name = session if index == "read" else list(found)[int(session)]
        epochs, labels = found[name]
        recording = from_mne(epochs)
        events, runs = recording.events, list(dict.fromkeys(map(str, epochs.metadata["run"])))
        info = replace(
            recording.info,
            source=f"{source.code}, subject {subject}, session {name}",
            subject=subject,
            session=session,
            task=str(source.paradigm),
            run=runs[0] if len(runs) == 1 else "",
            licence=licence,
            citation=citation,
            steps=(*recording.info.steps, reader.words),
            facts={**recording.info.facts, "reader_warnings": reader.warned} if reader.warned else recording.info.facts,
        )
        events = Events.of(events.onset, labels, events.duration, events.columns)
        return replace(recording, events=events, info=info)

    return Dataset(
        name=source.code,
        table=table,
        open=open_row,
        licence=licence,
        citation=citation,
        summary=f"{source.code} of MOABB, {type(cut).__name__}",
        label_of={name: name for name in labels},
    )


class _Reader:
    """The trials of one subject at a time, by session; those of the last one are kept."""

    def __init__(self, dataset: Any, paradigm: Any, download: bool, root: str):
        self.dataset, self.paradigm, self.download = dataset, paradigm, download
        self.folder = data_folder(dataset, root)
        low, high = paradigm.filters[0]
        self.words = f"{type(paradigm).__name__} of MOABB: {low or 0:g} to {high or float('inf'):g} Hz"
        self.last: tuple[Any, dict[str, tuple[Any, list[str]]]] | None = None
        self.warned: list[str] = []

    def __call__(self, subject: Any) -> dict[str, tuple[Any, list[str]]]:
        """Epochs in volts and their labels of each session, in MOABB's order."""
        if self.last is None or self.last[0] != subject:
            self.last = None  # two subjects need not fit into memory
            epochs, labels, about = self._read(subject)
            names = np.array([str(name) for name in about["session"]])
            gain = getattr(self.dataset, "unit_factor", 1e6) / 1e6  # MOABB's factor to microvolts
            if gain != 1:
                epochs.apply_function(lambda x, by=gain: x * by, picks="all", verbose="ERROR")
            found = {}
            for name in dict.fromkeys(names.tolist()):
                rows = np.flatnonzero(names == name)
                found[name] = (epochs[rows], [str(labels[row]) for row in rows])
            self.last = (subject, found)
        return self.last[1]

    def _read(self, subject: Any) -> tuple[Any, Any, Any]:
        title, wanted = f"{self.dataset.code}, subject {subject}", list[str]()
        if self.download:
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            guard = nullcontext(wanted) if self.download else no_download()
            with quiet() as self.warned, looking_into(self.folder), guard as wanted:
                return tuple(self.paradigm.get_data(self.dataset, [subject], return_epochs=True))
        except NkfmError:
            raise
        except Exception as err:
            absent = wanted or not self.folder.is_dir() or type(err).__name__ == "NemarDownloadError"
            if absent and not self.download:
                raise self._missing(title, subject, wanted) from err
            raise DataError(f"{title}: MOABB cannot read it ({type(err).__name__}: {err})") from err

    def _missing(self, title: str, subject: Any, wanted: Sequence[str]) -> FileNotFoundError:
        where = f" from {wanted[-1]}" if wanted else ""
        name = type(self.dataset).__name__
        return FileNotFoundError(
            f"{title} is not in {self.folder}, and nothing is downloaded without being asked. MOABB would fetch it{where} "
            f"(it does not say how large it is; the data set has {len(self.dataset.subject_list)} subjects).\n"
            f"  download=True (--set download=true), or MOABB's own {name}().download(subject_list=[{subject!r}])"
        )


def terms(dataset: Any) -> tuple[str, str]:
    """Licence and citation as MOABB's metadata state them."""
    said = getattr(getattr(dataset, "metadata", None), "documentation", None)
    licence = str(getattr(said, "license", None) or "")
    people = list(getattr(said, "investigators", None) or ())
    year = getattr(said, "publication_year", None)
    who = ", ".join(people) if len(people) < 4 else f"{people[0]} et al."
    ids = (getattr(said, "doi", None) or dataset.doi, getattr(said, "associated_paper_doi", None))
    parts = [
        f"{who} ({year})" if who and year else who,
        *(f"doi {one}" for one in dict.fromkeys(filter(None, ids))),
    ]
    citation = ", ".join(filter(None, parts))
    version = getattr(sys.modules.get("moabb"), "__version__", "")
    return (
        licence if licence.lower() not in ("", "unknown") else "not stated by MOABB",
        f"{dataset.code}: {citation or 'not stated by MOABB'}; read through MOABB {version} ({MOABB})",
    )
