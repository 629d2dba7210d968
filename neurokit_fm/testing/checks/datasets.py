"""Rules for data sets. The network is blocked throughout, so that no check downloads anything."""

from __future__ import annotations

import inspect
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from unittest import mock

import numpy as np

from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, NkfmError
from neurokit_fm.splits import split
from neurokit_fm.testing.checks.check import Case, CheckSkipped, Rule, expect


@contextmanager
def no_network() -> Iterator[None]:
    """Refuse every connection."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("the network is blocked while plugins are checked")

    with mock.patch.object(socket.socket, "connect", refuse), mock.patch.object(socket, "getaddrinfo", refuse):
        yield


OWN = "opens data of the user's own"
"""Why a data set that cannot go without arguments is not checked."""


class DatasetCase(Case):
    """A data set, and its first recording."""

    @cached_property
    def dataset(self) -> Dataset:
        """What the entry's function returns."""
        self.rests_on(builds)
        with no_network():
            return self.target()  # type: ignore[no-any-return]

    @cached_property
    def first(self) -> Recording:
        """The recording of row 0."""
        self.rests_on(offline)
        return self.open(0)

    def open(self, row: int) -> Recording:
        """Open a recording, or skip the check if it would have to be downloaded."""
        try:
            with no_network():
                return self.dataset[row]
        except NkfmError as err:
            raise CheckSkipped(f"cannot be opened without a network: {err}") from err


def builds(case: DatasetCase) -> None:
    """Without arguments and without a network the target returns a `Dataset` of the entry's name with a row or more.

    One that opens files of the user's takes them as required arguments, or says in a `ConfigError` which of several it needs;
    it cannot be checked without such files.
    """
    needed = [name for name, p in inspect.signature(case.target).parameters.items() if p.default is p.empty]
    if needed:
        raise CheckSkipped(f"{OWN}: it needs {', '.join(needed)}")
    try:
        with no_network():
            made = case.target()
    except ConfigError as err:
        raise CheckSkipped(f"{OWN}: {err}") from err
    expect(isinstance(made, Dataset), f"a {type(made).__name__}", "return a `neurokit_fm.Dataset`")
    expect(made.name == case.entry.name, f"a data set called {made.name!r}", f"call it {case.entry.name!r}")
    expect(len(made), "an empty table", "give one row a recording, known without opening it")


def table(case: DatasetCase) -> None:
    """Every row of the table has the same columns, JSON-able values and a subject."""
    rows = case.dataset.table
    for number, row in enumerate(rows):
        other = set(row) ^ set(rows[0])
        expect(not other, f"row {number} differs from row 0 in columns {', '.join(sorted(other))}", "fill in ''")
        expect(row.get("subject"), f"row {number} has no subject: {dict(row)}", "splits need it; use a code")
        json.dumps(dict(row))


def terms(case: DatasetCase) -> None:
    """The licence of the data set and that of its entry agree, and its citation can be found: it has a year or an id."""
    stated, entry = case.dataset.licence.lower(), case.entry.licence.lower()
    agree = entry in stated or stated in entry
    expect(agree, f"entry: {case.entry.licence!r}, data set: {case.dataset.licence!r}", "state the same licence")
    citation = case.dataset.citation
    found = re.search(r"\b(1[89]|20)\d\d\b|doi|arxiv|http", citation, re.IGNORECASE)
    expect(found, repr(citation), "cite author, year, title; with a DOI where there is one")


def offline(case: DatasetCase) -> None:
    """Without a network the first recording opens, or an error of `neurokit_fm` says what to download and how."""
    case.rests_on(builds)
    try:
        with no_network():
            recording = case.dataset[0]
    except NkfmError:
        return
    expect(isinstance(recording, Recording), f"a {type(recording).__name__}", "return a `neurokit_fm.Recording`")


def first_recording(case: DatasetCase) -> None:
    """The first recording holds signals, and is of the subject its row names."""
    case.rests_on(table)
    recording = case.first
    expect(recording.signals, "no signal", "return a Recording with at least one signal")
    says, row = recording.info.subject, case.dataset.table[0]["subject"]
    expect(not says or says == row, f"subject {says!r}, the table says {row!r}", "let info.subject be the row's")


def finite(case: DatasetCase) -> None:
    """Its values are finite in the first ten seconds of every signal."""
    for name, signal in case.first.signals.items():
        values = _beginning(signal)
        bad = int((~np.isfinite(values)).sum())
        expect(not bad, f"{name}: {bad} of {values.size} values are not finite", "mark them: breaks, bad, missing")


def split_leaks_nothing(case: DatasetCase) -> None:
    """Parts that the table gives share no subject; with a single subject they share no recording.

    Sessions of one subject may be in different parts only where there is no other subject to test on.
    """
    rows = case.dataset.table
    parts = {str(row["part"]) for row in rows if row.get("part")}
    subjects = {str(row["subject"]) for row in rows if row.get("subject")}
    if len(subjects) > 1:
        where = {s: {str(r["part"]) for r in rows if r.get("part") and str(r["subject"]) == s} for s in subjects}
        torn = [f"{subject} ({', '.join(sorted(found))})" for subject, found in sorted(where.items()) if len(found) > 1]
        expect(not torn, f"in several parts: {', '.join(torn[:6])}", "give each subject one `part`")
        split(case.dataset, by="subject")
    elif len(parts) > 1:
        seen: dict[bytes, str] = {}
        for number, row in enumerate(rows[:20]):
            part, start = str(row.get("part", "")), _content(case.open(number))
            same = seen.setdefault(start, part)
            expect(same == part, f"row {number} ({part}) begins like one of {same}", "give no recording to two parts")


def _beginning(signal: Any) -> Any:
    if isinstance(signal, TimeSeries):
        return signal.read(0, round(10 * signal.sfreq))
    if isinstance(signal, PointProcess):
        return signal.times
    return np.asarray(signal.data if signal.layout == "volume" else signal.weight)


def _content(recording: Recording) -> bytes:
    return b"".join(np.ascontiguousarray(_beginning(signal)).tobytes() for signal in recording.signals.values())


CASE = DatasetCase
CHECKS: tuple[Rule, ...] = (builds, table, terms, offline, first_recording, finite, split_leaks_nothing)
