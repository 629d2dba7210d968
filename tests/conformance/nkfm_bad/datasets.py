"""Data sets, honest and not."""

import socket
from dataclasses import replace

import numpy as np

from neurokit_fm import Dataset
from neurokit_fm.errors import DataError
from neurokit_fm.testing import fake_recording


def dataset(name, rows=None, make=lambda row, subject: fake_recording(seed=row, subject=subject), **changes):
    rows = rows or [{"subject": f"{i}", "part": "train" if i < 2 else "test"} for i in range(4)]
    given = {"licence": "CC0-1.0", "citation": "Nobody (2024), Nothing"} | changes
    return Dataset(name=name, table=rows, open=lambda row: make(row, str(rows[row].get("subject", ""))), **given)


def honest():
    return dataset("honest-data")


def subject_leak():
    return dataset("subject-leak", [{"subject": s, "part": p} for s, p in ("aa", "ab", "bb")])


def one_subject():
    return dataset("one-subject", [{"subject": "a", "part": p} for p in "ab"])


def recording_leak():
    rows = [{"subject": "a", "part": p} for p in ("train", "test")]
    return dataset("recording-leak", rows, lambda row, subject: fake_recording(seed=0, subject=subject))


def no_licence():
    return dataset("no-licence")


def unstated():
    return dataset("unstated", licence="")


def other_licence():
    return dataset("other-licence", licence="CC-BY-NC-4.0")


def no_subjects():
    return dataset("no-subjects", [{"session": "1"}, {"session": "2"}])


def not_finite():
    def make(row, subject):
        recording = fake_recording(seed=row, subject=subject)
        data = recording["eeg"].read().copy()
        data[0, 3] = np.nan
        return recording.with_signal("eeg", replace(recording["eeg"], data=data))

    return dataset("not-finite", make=make)


def other_subject():
    return dataset("other-subject", make=lambda row, subject: fake_recording(seed=row, subject="x"))


def phones_home():
    def make(row, subject):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)

    return dataset("phones-home", make=make)


def to_download():
    def make(row, subject):
        try:
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)
        except OSError as err:
            raise DataError("part 1 of to-download is not here; run `nkfm pull to-download` with a network") from err

    return dataset("to-download", make=make)
