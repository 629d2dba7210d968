"""Readers of a text format, honest and not."""

import numpy as np

from neurokit_fm import from_array
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import DataError


def read_honest(path):
    try:
        lines = path.read_text(encoding="utf8").splitlines()
        if not lines or not lines[0].startswith("eeg"):
            raise ValueError("no header")
    except ValueError as err:
        raise DataError(f"{path} is not our format: {err}") from err
    x, places = np.loadtxt(lines[1:5]), np.loadtxt(lines[5:9])
    names = lines[0].split()[1:]
    onsets = [float(v) for v in lines[9].split()]
    from neurokit_fm import Events

    labels = ["ab"[i % 2] for i in range(len(onsets))]
    return from_array(x, sfreq=200, names=names, positions=places, frame="template", events=Events.of(onsets, labels))


def save_recording(recording, path):
    series = recording.signals.get("eeg")
    if not isinstance(series, TimeSeries):
        raise DataError("only EEG")
    with path.open("w", encoding="utf8") as file:
        file.write("eeg " + " ".join(series.channels.name) + "\n")
        np.savetxt(file, series.read())
        np.savetxt(file, series.channels.position)
        file.write(" ".join(f"{t:g}" for t in recording.events.onset) + "\n")


def read_unguarded(path):
    return read_honest(path) if path.read_bytes().startswith(b"eeg") else path.read_text()[5000]


def read_anything(path):
    try:
        return read_honest(path)
    except DataError:
        return from_array(np.zeros((1, 10)), sfreq=10, names=["Cz"])


def read_millivolts(path):
    recording = read_honest(path)
    series = recording["eeg"]
    return recording.with_signal("eeg", TimeSeries(data=1e3 * series.data, sfreq=200, channels=series.channels))


def read_nameless(path):
    try:
        return read_honest(path)
    except DataError as err:
        raise DataError("not our format") from err
