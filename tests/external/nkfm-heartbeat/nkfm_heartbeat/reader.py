"""Reads text recordings: `# key:= value` lines, then one line a sample with one number a channel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from neurokit_fm import Recording, from_array
from neurokit_fm.errors import DataError

MODALITIES = ("ecg", "ppg")
RATE, LABELS = "sampling rate (hz)", "labels"


def read_text(path: Path) -> Recording:
    """Read one recording; all its channels are of one modality.

    Samples are counts of the converter, whose gain the file does not give: the unit is ``au``.

    Raises
    ------
    DataError
        If the header lacks the rate or the labels, a label names neither ECG nor PPG, or a line holds other numbers
        than one a channel.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as err:
        raise DataError(f"{path} is not text ({err})") from err
    header = {}
    for line in lines:
        key, found, value = line.removeprefix("#").partition(":=")
        if line.startswith("#") and found:
            header[key.strip().lower()] = value.strip()
    missing = [key for key in (RATE, LABELS) if key not in header]
    if missing:
        raise DataError(f"{path}: no line '# {missing[0]}:= ...' in the header; found {', '.join(header) or 'none'}")
    names = [name.strip() for name in header[LABELS].split(",")]
    of_name = {name: next((m for m in MODALITIES if name.lower().startswith(m)), "") for name in names}
    if len(set(of_name.values())) != 1 or not of_name[names[0]]:
        raise DataError(f"{path}: labels must all start with ECG or all with PPG; got {', '.join(names)}")
    try:
        samples = np.loadtxt(lines, comments="#", ndmin=2)  # (T, C)
    except ValueError as err:
        raise DataError(f"{path}: {err}") from err
    if samples.shape[1] != len(names) or not len(samples):
        raise DataError(f"{path}: {len(names)} labels for {samples.shape[1]} columns of {len(samples)} samples")
    recording = from_array(samples.T, sfreq=float(header[RATE]), names=names, modality=of_name[names[0]], unit="au")
    facts = {"resolution_bits": int(header["resolution"])} if header.get("resolution", "").isdigit() else {}
    return replace(recording, info=replace(recording.info, source=str(path), facts=facts))
