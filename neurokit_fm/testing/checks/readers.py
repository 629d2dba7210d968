"""Rules for readers. A module of a reader may also hold ``save_recording(recording, path)``: then what it writes is read back."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from neurokit_fm.data.modality import LAYOUTS
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import MissingDependency, NkfmError
from neurokit_fm.registry import readers
from neurokit_fm.testing.checks.check import Broken, Case, CheckSkipped, Rule, expect
from neurokit_fm.testing.fake import fake_recording

GARBAGE = {
    "random bytes": np.random.default_rng(0).bytes(4096),
    "text": b"this is no recording\n" * 20,
    "nothing": b"",
}


def suffixes(case: Case) -> None:
    """Suffixes are lower case without blanks, and no other reader has them."""
    wrong = [s for s in case.entry.suffixes if s != s.lower() or s != s.strip() or not s or "/" in s]
    expect(not wrong, ", ".join(map(repr, wrong)), "give endings such as '.edf' or '-epo.fif'; names are lowered first")
    others = {s: e.name for e in readers.entries() for s in e.suffixes if e.name != case.entry.name}
    twice = [f"{s!r} ({others[s]})" for s in case.entry.suffixes if s in others]
    expect(not twice, f"also claimed: {', '.join(twice)}", "give a longer ending; the longest that fits wins")


def garbage(case: Case) -> None:
    """A file that only has the right ending raises an error of `neurokit_fm` that names the file, and no other."""
    if not case.entry.suffixes:
        raise CheckSkipped("claims no ending")
    read = case.target
    for suffix in case.entry.suffixes:
        for what, content in GARBAGE.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"recording{suffix}"
                path.write_bytes(content)
                _read_garbage(read, path, what)


def _read_garbage(read: Any, path: Path, what: str) -> None:
    try:
        recording = read(path)
    except MissingDependency:
        raise
    except NkfmError as err:
        expect(path.name in str(err), f"{what} in {path.name}: {err}", "begin the message with the path")
    except Exception as err:
        raise Broken(
            f"{what} in {path.name}: {type(err).__name__}: {err}",
            f"raise DataError(f'{{path}} ...') from this {type(err).__name__}, saying what was expected",
        ) from err
    else:
        raise Broken(f"{what} in {path.name} was read as {recording!r:.200}", "check what the file begins with")


def round_trip(case: Case) -> None:
    """What `save_recording` of the reader's module writes comes back: values, clock, names, positions, events."""
    writer: Any = getattr(importlib.import_module(case.target.__module__), "save_recording", None)
    if writer is None or not case.entry.suffixes:
        raise CheckSkipped("its module has no save_recording(recording, path)")
    written = 0
    for layout in LAYOUTS:
        recording = fake_recording(layout, n_channels=4, duration_s=4.0)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"recording{case.entry.suffixes[0]}"
            try:
                writer(recording, path)
            except NkfmError:
                continue  # not every format holds every layout
            _compare(recording, case.target(path))
            written += 1
    expect(written, "save_recording refuses every layout", "let it write at least one of `fake_recording`'s")


def _compare(wrote: Recording, read: Recording) -> None:
    mend = "let reader and writer agree on units, order and names"
    expect(list(read) == list(wrote), f"signals {list(read)}, written were {list(wrote)}", mend)
    expect(read.events.counts() == wrote.events.counts(), f"events {read.events.counts()}", mend)
    for name, mine in wrote.signals.items():
        back: Any = read[name]
        same = back.layout == mine.layout and back.channels.name == mine.channels.name
        expect(same, f"{name}: a {back.layout} signal of {back.channels.name}", mend)
        places = np.allclose(back.channels.position, mine.channels.position, atol=1e-6, equal_nan=True)
        expect(places, f"{name}: other positions", "store positions in metres, with their frame")
        a, b = _numbers(mine), _numbers(back)
        far = np.inf if a.shape != b.shape else float(np.abs(a - b).max(initial=0.0))
        allowed = 1e-3 * float(np.abs(a).max(initial=0.0))  # half a step of 16 bits is 1e-5 of the range
        expect(far <= allowed, f"{name}: shape {b.shape}, written {a.shape}; values differ by up to {far:.3g}", mend)
        if isinstance(mine, TimeSeries):
            expect(abs(back.sfreq - mine.sfreq) < 1e-6 * mine.sfreq, f"{name}: {back.sfreq:g} Hz", mend)


def _numbers(signal: Any) -> Any:
    if isinstance(signal, TimeSeries):
        return signal.read()
    if isinstance(signal, PointProcess):
        return signal.times
    return np.asarray(signal.data if signal.layout == "volume" else signal.weight)


CASE = Case
CHECKS: tuple[Rule, ...] = (suffixes, garbage, round_trip)
