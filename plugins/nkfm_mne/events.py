"""Events and breaks of an MNE object, in seconds and samples from its first sample."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from neurokit_fm import Events

_JUMP = re.compile(r"(bad|edge)[ _]boundary|boundary$|new segment", re.IGNORECASE)
_REMARK = re.compile(r"(bad|edge)", re.IGNORECASE)
_UNREADABLE = (ValueError, RuntimeError, IndexError, TypeError, OverflowError)


def raw_events(raw: Any) -> tuple[Events, list[str]]:
    """Annotations of a `Raw`; where they mark no event, the codes of its stimulus channel, too.

    Returns
    -------
    events : Events
        Labels are descriptions as they are, or ``stim/<code>``; column ``channels`` where annotations concern some
        channels only.
    notes : list of str
        Why a stimulus channel gave no events.
    """
    marks = raw.annotations
    onset = np.asarray(marks.onset, dtype=np.float64) - raw.first_time
    label, duration = [str(d) for d in marks.description], np.asarray(marks.duration, dtype=np.float64)
    concerned = [",".join(names) for names in marks.ch_names] if len(marks) else []
    notes: list[str] = []
    if all(_REMARK.match(text) for text in label):
        codes, notes = _stim_codes(raw)
        onset = np.concatenate([onset, (codes[:, 0] - raw.first_samp) / raw.info["sfreq"]])
        label += [f"stim/{code}" for code in codes[:, 2]]
        duration = np.concatenate([duration, np.zeros(len(codes))])
        concerned += [""] * len(codes)
    columns = {"channels": np.array(concerned, dtype=str)} if any(concerned) else {}
    return Events.of(onset, label, duration, columns), notes


def _stim_codes(raw: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    nothing = np.empty((0, 3), dtype=np.int64)
    if "stim" not in raw.get_channel_types():
        return nothing, []
    try:
        codes = mne.find_events(raw, shortest_event=1, verbose="ERROR")  # (N, 3)
    except _UNREADABLE as err:
        return nothing, [f"no events from the stimulus channel: {err}"]
    if len(codes) > max(10, len(raw.times) // 10):
        return nothing, [f"no events from the stimulus channel: {len(codes)} changes look like a signal, not codes"]
    return np.asarray(codes, dtype=np.int64), []


def raw_breaks(raw: Any) -> tuple[int, ...]:
    """First sample of each later run: where annotations say that recordings were joined or a pause ended."""
    n_samples, sfreq = len(raw.times), raw.info["sfreq"]
    jumps = (
        math.ceil((onset - raw.first_time) * sfreq - 1e-3)  # EEGLAB writes half a sample before the run
        for onset, text in zip(raw.annotations.onset, raw.annotations.description, strict=True)
        if _JUMP.match(text)
    )
    return tuple(sorted({jump for jump in jumps if 0 < jump < n_samples}))


def trial_events(labels: Sequence[str], samples: npt.ArrayLike, n_times: int, sfreq: float, tmin: float) -> Events:
    """One event a trial of `n_times` samples laid end to end, over the whole trial.

    Columns: ``sample``, where the event was in the recording the trials were cut from, and ``tmin``, seconds from the
    event to the first sample of the trial.
    """
    n = len(labels)
    columns = {"sample": np.asarray(samples, dtype=np.int64), "tmin": np.full(n, tmin)}
    return Events.of(np.arange(n) * n_times / sfreq, labels, n_times / sfreq, columns)


def epoch_labels(epochs: Any) -> list[str]:
    """Name of every epoch's event code; the code itself where it has no name."""
    names: dict[int, str] = {}
    for name, code in epochs.event_id.items():
        names.setdefault(int(code), str(name))
    return [names.get(int(code), str(int(code))) for code in epochs.events[:, 2]]


def metadata_columns(epochs: Any) -> dict[str, npt.NDArray[Any]]:
    """Numeric, boolean and text columns of the epochs' metadata table, by name."""
    table = epochs.metadata
    if table is None:
        return {}
    rows = table if isinstance(table, list) else table.to_dict("records")  # MNE gives a list where pandas is missing
    columns = {str(key): np.asarray([row[key] for row in rows]) for key in (rows[0] if rows else {})}
    return {key: values for key, values in columns.items() if values.dtype.kind in "biufU" and values.ndim == 1}
