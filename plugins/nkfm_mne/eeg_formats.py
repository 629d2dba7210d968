"""EEG and intracranial formats: one function a family, `(path) -> Recording`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mne
import numpy as np

from neurokit_fm import Recording, TimeSeries
from neurokit_fm.errors import need
from nkfm_mne.edf import EdfHeader, mixed_rates, read_header, record_onsets
from nkfm_mne.opening import check_not_empty, open_with_mne


def read_edf(path: Path) -> Recording:
    """Read EDF and EDF+; a file shorter than its header promises is an error, gaps of EDF+D become breaks."""
    check_not_empty(path, "an EDF recording")
    header = read_header(path, "EDF")
    rates = mixed_rates(header)
    steps = [rates] if rates else []
    read = mne.io.read_raw_edf
    return _with_gaps(open_with_mne(path, "EDF", lambda: read(path, verbose="ERROR"), steps=steps), path, header)


def read_bdf(path: Path) -> Recording:
    """Read BDF and BDF+ (BioSemi), checked like EDF."""
    check_not_empty(path, "a BDF recording")
    header = read_header(path, "BDF")
    rates = mixed_rates(header)
    steps = [rates] if rates else []
    read = mne.io.read_raw_bdf
    return _with_gaps(open_with_mne(path, "BDF", lambda: read(path, verbose="ERROR"), steps=steps), path, header)


def read_gdf(path: Path) -> Recording:
    """Read GDF 1 and 2."""
    return open_with_mne(path, "GDF", lambda: mne.io.read_raw_gdf(path, verbose="ERROR"))


def read_brainvision(path: Path) -> Recording:
    """Read BrainVision from its header file (``.vhdr``, ``.ahdr``)."""
    return open_with_mne(path, "a BrainVision header", lambda: mne.io.read_raw_brainvision(path, verbose="ERROR"))


def read_eeg(path: Path) -> Recording:
    """Read ``.eeg``: the samples of BrainVision where a header of that name lies beside it, else Nihon Kohden."""
    header = path.with_suffix(".vhdr")
    if header.exists():
        return read_brainvision(header)
    return open_with_mne(
        path,
        "Nihon Kohden (and there is no BrainVision header .vhdr of that name beside it)",
        lambda: mne.io.read_raw_nihon(path, verbose="ERROR"),
    )


def read_eeglab(path: Path) -> Recording:
    """Read EEGLAB ``.set``, continuous or cut into epochs."""
    need("pymatreader", "reading EEGLAB files", extra="formats")

    def read() -> mne.io.BaseRaw | mne.BaseEpochs:
        try:
            return mne.io.read_raw_eeglab(path, verbose="ERROR")
        except TypeError as err:
            if "read_epochs_eeglab" not in str(err):
                raise
            return mne.read_epochs_eeglab(path, verbose="ERROR")

    return open_with_mne(path, "an EEGLAB set", read)


def read_cnt(path: Path) -> Recording:
    """Read ``.cnt``: Neuroscan, or ANT eego (which begins with RIFF)."""
    check_not_empty(path, "a Neuroscan or ANT recording")
    with path.open("rb") as file:
        is_ant = file.read(4) in (b"RIFF", b"RF64")
    if is_ant:
        need("antio", "reading ANT .cnt files")
        return open_with_mne(path, "ANT .cnt", lambda: mne.io.read_raw_ant(path, verbose="ERROR"))
    return open_with_mne(path, "Neuroscan .cnt", lambda: mne.io.read_raw_cnt(path, verbose="ERROR"))


def read_curry(path: Path) -> Recording:
    """Read Curry 6 to 9."""
    need("curryreader", "reading Curry files", extra="formats")
    return open_with_mne(path, "Curry", lambda: mne.io.read_raw_curry(path, verbose="ERROR"))


def read_dat(path: Path) -> Recording:
    """Read ``.dat``: BCI2000 (which begins with its header's length), else Curry."""
    check_not_empty(path, "a BCI2000 or Curry recording")
    with path.open("rb") as file:
        is_bci2000 = file.read(32).startswith((b"HeaderLen=", b"BCI2000V="))
    if is_bci2000:
        return open_with_mne(path, "BCI2000 .dat", lambda: mne.io.read_raw_bci2k(path, verbose="ERROR"))
    return read_curry(path)


def read_egi(path: Path) -> Recording:
    """Read EGI: simple binary ``.raw`` or a folder ``.mff``."""
    if path.suffix.lower() == ".mff":
        need("defusedxml", "reading EGI .mff folders")
        need("mffpy", "reading EGI .mff folders")
    return open_with_mne(path, "EGI", lambda: mne.io.read_raw_egi(path, verbose="ERROR"))


def read_nicolet(path: Path) -> Recording:
    """Read Nicolet ``.data`` with the ``.head`` file beside it, as EEG."""
    return open_with_mne(path, "Nicolet", lambda: mne.io.read_raw_nicolet(path, ch_type="eeg", verbose="ERROR"))


def read_persyst(path: Path) -> Recording:
    """Read Persyst from its ``.lay`` file."""
    return open_with_mne(path, "Persyst", lambda: mne.io.read_raw_persyst(path, verbose="ERROR"))


def read_eximia(path: Path) -> Recording:
    """Read Nexstim eXimia."""
    return open_with_mne(path, "eXimia", lambda: mne.io.read_raw_eximia(path, verbose="ERROR"))


def read_nedf(path: Path) -> Recording:
    """Read Neuroelectrics NEDF."""
    need("defusedxml", "reading NEDF files")
    return open_with_mne(path, "NEDF", lambda: mne.io.read_raw_nedf(path, verbose="ERROR"))


def read_nsx(path: Path) -> Recording:
    """Read Blackrock ``.ns1`` to ``.ns6``."""
    return open_with_mne(path, "Blackrock NSx", lambda: mne.io.read_raw_nsx(path, verbose="ERROR"))


def read_mef(path: Path) -> Recording:
    """Read a MEF3 folder (``.mefd``)."""
    need("pymef", "reading MEF3 folders")
    return open_with_mne(path, "MEF3", lambda: mne.io.read_raw_mef(path, verbose="ERROR"))


def read_neuralynx(path: Path) -> Recording:
    """Read a folder of Neuralynx files, given the folder or any ``.ncs`` file in it."""
    need("neo", "reading Neuralynx files")
    folder = path if path.is_dir() else path.parent
    step = f"joined every .ncs file of the folder {folder.name}"
    return open_with_mne(path, "Neuralynx", lambda: mne.io.read_raw_neuralynx(folder, verbose="ERROR"), steps=[step])


def read_fieldtrip(path: Path) -> Recording:
    """Read a FieldTrip structure called ``data`` from a ``.mat`` file, continuous or cut into trials."""
    need("pymatreader", "reading FieldTrip files", extra="formats")

    def read() -> mne.io.BaseRaw | mne.BaseEpochs:
        try:
            return mne.io.read_raw_fieldtrip(path, info=None)
        except RuntimeError as err:
            if "epoch" not in str(err).lower() and "trial" not in str(err).lower():
                raise
            return mne.read_epochs_fieldtrip(path, info=None)

    return open_with_mne(path, "a FieldTrip structure named data", read)


def _with_gaps(recording: Recording, path: Path, header: EdfHeader) -> Recording:
    """Turn the gaps of a discontinuous file into breaks, and put its events where their samples are."""
    if not header.discontinuous:
        return recording
    onsets = record_onsets(path, header)
    gaps = np.flatnonzero(np.abs(np.diff(onsets) - header.record_s) > 1e-3 * max(header.record_s, 1e-3)) + 1
    if not gaps.size:
        return recording
    signals = {
        name: replace(signal, breaks=tuple(round(float(g) * header.record_s * signal.sfreq) for g in gaps))
        for name, signal in recording.signals.items()
        if isinstance(signal, TimeSeries)
    }
    record = np.searchsorted(onsets - onsets[0], recording.events.onset + 1e-9, side="right") - 1  # (N,)
    moved = record.clip(0) * header.record_s + (recording.events.onset - (onsets - onsets[0])[record.clip(0)])
    events = type(recording.events).of(
        moved, recording.events.label, recording.events.duration, recording.events.columns
    )
    step = f"joined {len(gaps) + 1} runs of a discontinuous file; times count recorded samples only"
    info = replace(recording.info, steps=(step, *recording.info.steps))
    return replace(recording, signals=signals, events=events, info=info)
