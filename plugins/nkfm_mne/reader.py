"""MNE objects as recordings: one signal a modality, samples left where they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mne
import numpy as np

from neurokit_fm import Events, Info, Recording, TimeSeries
from neurokit_fm.errors import DataError
from nkfm_mne.events import epoch_labels, metadata_columns, raw_breaks, raw_events, trial_events
from nkfm_mne.facts import bids_entities, facts
from nkfm_mne.lazy import MneSamples, ReadBlock, epochs_block, raw_block
from nkfm_mne.names import clean_names, other_kind
from nkfm_mne.sensors import kinds, sensor_table, signal_of

_ORDER = ("eeg", "meg", "ieeg", "fnirs", "eog", "ecg", "emg", "aux")


def from_mne(instance: Any) -> Recording:
    """Make a Recording of an MNE object; its samples are read on demand and the object is not changed.

    Parameters
    ----------
    instance : mne.io.BaseRaw, mne.BaseEpochs, mne.Evoked or list of mne.Evoked
        Epochs and Evoked are laid end to end from 0 s, with a break between each two and an event over each.
        Epochs that are not loaded are copied and their bad ones dropped, as MNE demands before anything is read.

    Returns
    -------
    Recording
        Signals ``eeg, meg, ieeg, fnirs, eog, ecg, emg`` as far as there are such channels, and ``aux`` for the rest
        (reference coils, stimulus and auxiliary channels). A Raw starts at 0 s whatever its `first_samp` is.

    Raises
    ------
    DataError
        If the object is none of these, or holds no sample.
    """
    with quiet() as said:
        if isinstance(instance, mne.io.BaseRaw):
            recording = _from_raw(instance)
        elif isinstance(instance, mne.BaseEpochs):
            recording = _from_epochs(instance)
        else:
            evokeds = [instance] if isinstance(instance, mne.Evoked) else instance
            if not (isinstance(evokeds, list) and evokeds and all(isinstance(e, mne.Evoked) for e in evokeds)):
                raise DataError(f"from_mne takes Raw, Epochs or Evoked objects; got {type(instance).__name__}")
            recording = _from_evokeds(evokeds)
    return note(recording, warned=said)


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Collect what MNE warns about data, each once, instead of showing it; the list is filled on leaving."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    texts = (str(w.message) for w in caught if issubclass(w.category, RuntimeWarning | UserWarning))
    said += list(dict.fromkeys(texts))


def note(
    recording: Recording, *, steps: Sequence[str] = (), warned: Sequence[str] = (), source: Path | None = None
) -> Recording:
    """Return the recording with further steps, reader warnings and the file it came from."""
    old = recording.info
    warnings_so_far = [*old.facts.get("reader_warnings", ()), *warned]
    known = {**old.facts, "reader_warnings": warnings_so_far} if warnings_so_far else dict(old.facts)
    info = Info(
        source=str(source) if source else old.source,
        **(bids_entities(source) if source else {k: getattr(old, k) for k in ("subject", "session", "task", "run")}),
        steps=(*steps, *old.steps),
        facts=known,
    )
    return Recording(signals=recording.signals, events=recording.events, info=info)


def _from_raw(raw: Any) -> Recording:
    events, notes = raw_events(raw)
    first = next((Path(name) for name in raw.filenames if name is not None), None)
    recording = _assemble(raw, raw_block, len(raw.times), raw_breaks(raw), events, notes)
    return note(recording, source=first) if first else recording


def _from_epochs(epochs: Any) -> Recording:
    if not epochs.preload:
        epochs = epochs.copy().drop_bad(verbose="ERROR")
    n, length, sfreq = len(epochs), len(epochs.times), epochs.info["sfreq"]
    events = trial_events(epoch_labels(epochs), epochs.events[:, 0], length, sfreq, float(epochs.times[0]))
    more = metadata_columns(epochs)
    events = Events(
        onset=events.onset, duration=events.duration, label=events.label, columns={**more, **events.columns}
    )
    breaks = tuple(length * i for i in range(1, n))
    return _assemble(epochs, epochs_block, n * length, breaks, events, [])


def _from_evokeds(evokeds: list[Any]) -> Recording:
    info, length, sfreq = evokeds[0].info, len(evokeds[0].times), evokeds[0].info["sfreq"]
    alike = [
        e for e in evokeds if e.ch_names == info["ch_names"] and len(e.times) == length and e.info["sfreq"] == sfreq
    ]
    if len(alike) != len(evokeds):
        raise DataError(
            "averages with different channels, lengths or rates do not fit one recording; convert them one by one"
        )
    joined = mne.io.RawArray(np.concatenate([e.data for e in evokeds], axis=1), info, verbose="ERROR")
    labels = [str(e.comment or "average") for e in evokeds]
    events = trial_events(labels, np.zeros(len(evokeds)), length, sfreq, float(evokeds[0].times[0]))
    breaks = tuple(length * i for i in range(1, len(evokeds)))
    return _assemble(joined, raw_block, len(joined.times), breaks, events, [])


def _assemble(
    instance: Any, read_block: ReadBlock, n_samples: int, breaks: tuple[int, ...], events: Events, notes: list[str]
) -> Recording:
    info = instance.info
    if not n_samples:
        raise DataError(
            f"this {type(instance).__name__} holds no sample (every epoch was dropped, or the file is only a header)"
        )
    names, now, notes = _relabelled(info, notes)
    home = np.array([signal_of(kind) for kind in now], dtype=str)
    signals = {}
    for signal in (s for s in _ORDER if s in home):
        rows = np.flatnonzero(home == signal)
        channels, remarks = sensor_table(info, rows, [names[i] for i in rows], [now[i] for i in rows])
        notes = [*notes, *remarks]
        signals[signal] = TimeSeries(
            data=MneSamples(instance, read_block, rows, n_samples),
            sfreq=float(info["sfreq"]),
            channels=channels,
            modality=signal,
            breaks=breaks,
        )
    about = Info(source=f"MNE {type(instance).__name__}", steps=tuple(notes), facts=facts(info))
    return Recording(signals=signals, events=events, info=about)


def _relabelled(info: Any, notes: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Names and kinds of all channels after reading their labels, and the notes with what was changed."""
    names, found = [str(name) for name in info["ch_names"]], list(kinds(info))
    other = {i: kind for i, name in enumerate(names) if found[i] == "eeg" and (kind := other_kind(name))}
    found = [other.get(i, kind) for i, kind in enumerate(found)]
    for kind in dict.fromkeys(other.values()):
        notes = [*notes, f"typed {', '.join(names[i] for i in other if other[i] == kind)} as {kind} by their names"]
    scalp = [i for i, kind in enumerate(found) if kind == "eeg"]
    spelled = dict(zip(scalp, clean_names([names[i] for i in scalp]), strict=True))
    changed = [f"{names[i]} -> {spelled[i]}" for i in scalp if spelled[i] != names[i]]
    if changed:
        more = " ..." if len(changed) > 3 else ""
        notes = [*notes, f"spelled electrode names the usual way: {', '.join(changed[:3])}{more}"]
    return [spelled.get(i, name) for i, name in enumerate(names)], found, notes
