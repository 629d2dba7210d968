"""SeriesContract: the sampled signals a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from neurokit_fm.contract.base import Contract, Problem
from neurokit_fm.contract.quality import inspect
from neurokit_fm.contract.signal import Steps, condition
from neurokit_fm.data.channels import name_key
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries, carry
from neurokit_fm.errors import ConfigError, UnknownName
from neurokit_fm.positions import place
from neurokit_fm.registry import modalities


@dataclass(frozen=True, kw_only=True)
class SeriesContract(Contract):
    """Rate, band, scale, sensors and window of a time-series model.

    `apply` works in this order: choose sensors, place them, re-reference, notch, band-pass, resample, scale,
    normalise, clip. Bad channels are left out.

    Attributes
    ----------
    modality : str
        Which signal of a recording is meant. ``"eeg|meg"``: the EEG, or where there is none the MEG; ``"eeg+meg"``: either
        or both, joined.
    sfreq : float, Hz
    min_sfreq : float, Hz
        Lowest rate accepted; between the two a signal is resampled up and simply lacks the highest frequencies.
    window_s : float, seconds
        Length of the windows the model is run on.
    min_window_s : float, seconds
        Shortest stretch that gives a token.
    band : (float, float) or None, Hz
        Pass band, zero-phase FIR; edges at or above the Nyquist frequency are left out.
    notch : tuple of float, Hz
    reference : {"as-recorded", "average"}
    unit_scale : float
        Factor from SI units to the model's, before normalising: 1e4 for units of 100 microvolts.
    normalise : {"none", "zscore"}
        Per channel, with the mean and standard deviation of the whole recording, never of a window.
    clip : float or None
        Largest magnitude after normalising.
    channels : tuple of str
        Exactly these, in this order; empty = any.
    known_names : tuple of str
        Electrodes that the model has learned by name, in upper case; any of them, in any order. Empty = it looks at no name.
    max_channels : int or None
    frame : str or None
        Coordinate frame of positions; ``"native"``: each sensor's own, as it was measured (EEG head, MEG device). None =
        the model does not look at them. Coils are carried from the device to the head frame by the recording's own
        ``dev_head_t`` where ``"head"`` is asked for.
    """

    layout: ClassVar[str] = "series"

    modality: str = "eeg"
    sfreq: float = 200.0
    min_sfreq: float = 100.0
    window_s: float = 10.0
    min_window_s: float = 1.0
    band: tuple[float, float] | None = None
    notch: tuple[float, ...] = ()
    reference: Literal["as-recorded", "average"] = "as-recorded"
    unit_scale: float = 1.0
    normalise: Literal["none", "zscore"] = "zscore"
    clip: float | None = None
    channels: tuple[str, ...] = ()
    known_names: tuple[str, ...] = ()
    max_channels: int | None = None
    frame: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_sfreq <= self.sfreq:
            raise ConfigError(f"min_sfreq must be in (0, sfreq={self.sfreq:g}] Hz; got {self.min_sfreq:g}")
        if not 0 < self.min_window_s <= self.window_s:
            raise ConfigError(f"min_window_s must be in (0, window_s={self.window_s:g}] s; got {self.min_window_s:g}")
        if self.band is not None and not 0 <= self.band[0] < self.band[1]:
            raise ConfigError(f"band must be (low, high) with 0 <= low < high; got {self.band}")
        if self.reference not in ("as-recorded", "average") or self.normalise not in ("none", "zscore"):
            raise ConfigError(f"unknown reference {self.reference!r} or normalisation {self.normalise!r}")

    @property
    def needs_positions(self) -> bool:
        """Whether every sensor must have a position."""
        return self.frame is not None

    def check(self, recording: Recording) -> list[Problem]:
        """Read the signal once and return everything that stands in the way, the unit included."""
        try:
            _, series = recording.series(self.modality)
            rows = self._sensors(series)
        except UnknownName as err:
            return [Problem(str(err), f"this model takes {self.modality.replace('|', ' or ')}")]
        if not len(rows):
            return [
                Problem(f"no usable {series.modality} channel (all are bad or of another kind)", "check bads and types")
            ]
        return [*self._check_shape(recording, series, rows), *self._check_values(series, rows)]

    def apply(self, recording: Recording) -> Recording:
        """Return a recording that holds only the model's input: float32, contract rate, scale, frame and channels.

        Long results lie in an unnamed temporary file, not in memory.

        Raises
        ------
        ContractError
            With every problem of `check`.
        """
        self.require(recording)
        name, series = recording.series(self.modality)
        series, words = self._arrange(recording, series)
        steps = Steps.plan(series, self)
        done = condition(series, steps)
        events = replace(recording.events, onset=carry(recording.events.onset, series, done))
        return replace(
            recording,
            signals={name: done},
            events=events,
            info=replace(recording.info, steps=(*recording.info.steps, *words, *steps.words())),
        )

    def plan(self, recording: Recording) -> list[str]:
        """Say which channels will be used, where they sit, and how the signal will be conditioned."""
        series, words = self._arrange(recording, recording.series(self.modality)[1])
        return [*words, *Steps.plan(series, self).words()]

    def _sensors(self, series: TimeSeries) -> npt.NDArray[np.int64]:
        """Rows that are sensors of the modality and not bad, or exactly the contract's channels."""
        kinds = [kind for word in series.modality.split("+") for kind in modalities.load(word).kinds]
        if self.channels:
            return series.channels.rows(self.channels)
        fits = np.array([kind in kinds for kind in series.channels.kind], dtype=bool) & ~series.channels.bad
        return np.flatnonzero(fits)

    def _arrange(self, recording: Recording, series: TimeSeries) -> tuple[TimeSeries, list[str]]:
        """Choose sensors and place them; still lazy."""
        rows = self._sensors(series)
        words = [f"{len(rows)} of {len(series.channels)} {series.modality} channels used"]
        left_out = [n for i, n in enumerate(series.channels.name) if i not in set(rows.tolist())]
        words[0] += f" (left out: {', '.join(left_out)})" if left_out else ""
        series = series.take(rows)
        if self.frame is not None:
            channels, steps = place(
                series.channels, series.modality, self.frame, recording.info.facts.get("dev_head_t")
            )
            return replace(series, channels=channels), [*words, *steps]
        return series, words

    def _check_shape(self, recording: Recording, series: TimeSeries, rows: npt.NDArray[np.int64]) -> list[Problem]:
        problems = []
        if series.sfreq < self.min_sfreq * (1 - 1e-6):
            problems.append(
                Problem(
                    f"{series.sfreq:g} Hz is below the {self.min_sfreq:g} Hz this model can use (trained at {self.sfreq:g} Hz)",
                    "record or export at a higher rate, or use a model trained on slower signals",
                )
            )
        longest = max(stop - start for start, stop in series.runs()) / series.sfreq
        if longest < self.min_window_s * (1 - 1e-6):
            problems.append(
                Problem(
                    f"the longest unbroken stretch is {longest:g} s; the model needs at least {self.min_window_s:g} s",
                    "use a longer recording, or a model with shorter patches",
                )
            )
        if self.max_channels is not None and len(rows) > self.max_channels:
            problems.append(
                Problem(f"{len(rows)} channels, at most {self.max_channels} allowed", "drop some (`--drop`)")
            )
        names = [series.channels.name[i] for i in rows] if self.known_names else []
        strange = [name for name in names if name_key(name) not in self.known_names]
        if strange:
            found = f"{len(strange)} of {len(rows)} channels have names this model has learned nothing for"
            remedy = f"rename them, or drop them (`--drop`); it knows {', '.join(self.known_names)}"
            problems.append(Problem(f"{found}: {', '.join(strange[:12])}", remedy))
        if self.frame is not None:
            try:
                place(series.channels.take(rows), series.modality, self.frame, recording.info.facts.get("dev_head_t"))
            except UnknownName as err:
                what, _, remedy = str(err).partition("; ")
                problems.append(Problem(what, remedy))
        return problems

    def _check_values(self, series: TimeSeries, rows: npt.NDArray[np.int64]) -> list[Problem]:
        found, problems = inspect(series, rows), []
        names = np.array(series.channels.name)[rows]
        broken = ~np.isnan(found.first_bad_s)
        if broken.any():
            where = ", ".join(
                f"{n} (first at {t:.3f} s)" for n, t in zip(names[broken][:6], found.first_bad_s[broken], strict=False)
            )
            problems.append(
                Problem(
                    f"{int(broken.sum())} channels hold NaN or infinite samples: {where}",
                    "mark them bad, drop them, or cut the stretch out",
                )
            )
        if found.flat.any():
            problems.append(
                Problem(
                    f"{int(found.flat.sum())} of {len(rows)} channels are flat (never change): {', '.join(names[found.flat][:12])}",
                    "mark them bad or drop them (`nkfm embed --drop`)",
                )
            )
        parts = [modalities.load(word) for word in series.modality.split("+")]
        for sensor_type in dict.fromkeys(series.channels.sensor_type[i] for i in rows):
            usual = next(filter(None, (part.plausible(sensor_type) for part in parts)), None)
            mine = np.array([series.channels.sensor_type[i] == sensor_type for i in rows]) & ~found.flat & ~broken
            if usual is None or not mine.any():
                continue
            slow, fast = float(np.median(found.std[mine])), float(np.median(found.short_std[mine]))
            typical, unit = min(slow, max(fast, usual[0])), series.channels.unit[rows[int(np.argmax(mine))]]
            if not usual[0] <= typical <= usual[1]:  # drift may enlarge std, never shrink it
                problems.append(
                    Problem(
                        f"{sensor_type} channels have a typical standard deviation of {typical:.3g} {unit}; "
                        f"expected {usual[0]:g} to {usual[1]:g} {unit}, so the unit is probably wrong",
                        "give samples in SI units (multiply microvolts by 1e-6, femtotesla by 1e-15)",
                    )
                )
        return problems
