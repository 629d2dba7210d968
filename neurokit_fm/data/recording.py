"""Recording: the named signals of one session, what happened in it, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.data.events import Events
from neurokit_fm.data.graph import Graph
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.series import TimeSeries, join
from neurokit_fm.data.volume import Volume
from neurokit_fm.errors import DataError, UnknownName, did_you_mean

Signal = TimeSeries | PointProcess | Volume | Graph
"""What a recording holds under a name."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """Where a recording came from and what was done to it.

    Attributes
    ----------
    source : str
        File or dataset it was read from; used in messages.
    subject, session, task, run : str
        Who and which; the keys on which splits are made. Empty = unknown.
    licence, citation : str
    steps : tuple of str
        Everything already done to the values, in order, in words.
    facts : mapping
        Further JSON-able facts (line frequency, device, filter settings).
    """

    source: str = ""
    subject: str = ""
    session: str = ""
    task: str = ""
    run: str = ""
    licence: str = ""
    citation: str = ""
    steps: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Named signals on one clock, with events.

    Attributes
    ----------
    signals : mapping of str to Signal
        Usually named after their modality: ``eeg, meg, spikes, connectome``.
    events : Events
    info : Info
    """

    signals: Mapping[str, Signal]
    events: Events = field(default_factory=Events.of)
    info: Info = field(default_factory=Info)

    def __getitem__(self, name: str) -> Signal:
        if name not in self.signals:
            have = ", ".join(self.signals) or "nothing"
            raise UnknownName(
                f"{self.title} has no signal {name!r}; it holds {have}.{did_you_mean(name, self.signals)}"
            )
        return self.signals[name]

    def __contains__(self, name: object) -> bool:
        return name in self.signals

    def __iter__(self) -> Iterator[str]:
        return iter(self.signals)

    @property
    def title(self) -> str:
        """How to call this recording in a message."""
        return self.info.source or "this recording"

    @property
    def start(self) -> float:
        """Earliest time of any signal, seconds."""
        return min((s.start for s in self.signals.values()), default=0.0)

    @property
    def stop(self) -> float:
        """Latest time of any signal, seconds."""
        return max((s.stop for s in self.signals.values()), default=0.0)

    def series(self, modality: str) -> tuple[str, TimeSeries]:
        """Name and signal of the one time series of a modality.

        Of ``"eeg|meg"``, the first that is there; of ``"eeg+meg"``, one made of those there are.

        Raises
        ------
        UnknownName
            If there is none, naming what there is.
        DataError
            If several are to be joined that differ in rate, samples or clock.
        """
        for option in modality.split("|"):
            wanted = {option, *option.split("+")}
            found = {n: s for n, s in self.signals.items() if isinstance(s, TimeSeries) and s.modality in wanted}
            if found:
                alone = len(found) == 1 or "+" not in option
                return next(iter(found.items())) if alone else (option, join(list(found.values()), option))
        have = ", ".join(f"{n} ({s.modality})" for n, s in self.signals.items()) or "nothing"
        raise UnknownName(f"{self.title} has no {modality.replace('|', ' or ')} time series; it holds {have}")

    def crop(self, start: float, stop: float) -> Recording:
        """Return all signals and events of [start, stop) seconds, reading only that."""
        return replace(
            self,
            signals={name: signal.crop(start, stop) for name, signal in self.signals.items()},
            events=self.events.between(start, stop),
        )

    def with_signal(self, name: str, signal: Signal, *steps: str) -> Recording:
        """Return a copy in which one signal is added or replaced and `steps` are noted as done."""
        info = replace(self.info, steps=(*self.info.steps, *steps))
        return replace(self, signals={**self.signals, name: signal}, info=info)

    def describe(self) -> str:
        """Say in a few lines what the recording holds."""
        lines = [self.title]
        for name, signal in self.signals.items():
            n, known = len(signal.channels), int(signal.channels.has_position.sum())
            size = f"{n} channels" + (f", {int(signal.channels.bad.sum())} bad" if signal.channels.bad.any() else "")
            if isinstance(signal, TimeSeries):
                size += f" x {signal.n_samples:,} samples at {signal.sfreq:g} Hz = {signal.duration:.1f} s"
                size += f" in {len(signal.breaks) + 1} runs" if signal.breaks else ""
            elif isinstance(signal, PointProcess):
                size += f", {len(signal.times):,} events in {signal.duration:.1f} s"
            elif isinstance(signal, Graph):
                size += f", {signal.edges.shape[1]:,} edges ({', '.join(signal.kinds)})"
            else:
                size += f", grid {tuple(signal.data.shape)}"
            lines.append(f"  {name}: {size}; {known}/{n} positions" + (f" ({signal.channels.frame})" if known else ""))
        counts = list(self.events.counts().items())
        if counts:
            more = f" and {len(counts) - 8} more labels" if len(counts) > 8 else ""
            lines.append("  events: " + ", ".join(f"{label} x{n}" for label, n in counts[:8]) + more)
        return "\n".join(lines)


def from_array(
    x: npt.ArrayLike,
    *,
    sfreq: float,
    names: Sequence[str],
    positions: npt.ArrayLike | None = None,
    frame: str = "unknown",
    modality: str = "eeg",
    unit: str = "V",
    events: Events | None = None,
    subject: str = "",
) -> Recording:
    """Make a Recording from an array in SI units.

    Parameters
    ----------
    x : array, shape (C, T), or (trials, C, T)
        Trials are joined, with a break between each two and an event ``"trial"`` at each start.
    sfreq : float, Hz
    names : sequence of str
        C channel names.
    positions : array, shape (C, 3), metres, optional
        Needs `frame`.
    frame : str
        ``head``, ``template``, ``device`` ...
    modality, unit, subject : str
    events : Events, optional
        Replaces the trial events.

    Raises
    ------
    DataError
        If shapes, names or frame do not fit.
    """
    data = np.asarray(x)
    breaks: tuple[int, ...] = ()
    if data.ndim == 3:
        trials, rows, length = data.shape
        data = data.swapaxes(0, 1).reshape(rows, trials * length)  # (C, trials*T)
        breaks = tuple(length * i for i in range(1, trials))
        events = events or Events.of(np.arange(trials) * length / sfreq, ["trial"] * trials, length / sfreq)
    if data.dtype.kind not in "fiu":
        raise DataError(f"samples must be numbers; got dtype {data.dtype}")
    if data.dtype.kind != "f":
        data = data.astype(np.float32)
    channels = Channels.of(names, kind=modality, unit=unit, position=positions, frame=frame)
    series = TimeSeries(data=data, sfreq=float(sfreq), channels=channels, modality=modality, breaks=breaks)
    return Recording(
        signals={modality: series}, events=events or Events.of(), info=Info(source="array", subject=subject)
    )
