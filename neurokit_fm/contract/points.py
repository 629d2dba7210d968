"""PointsContract: the events (spikes) a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from neurokit_fm.contract.base import Contract, Problem
from neurokit_fm.data.points import PointProcess
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PointsContract(Contract):
    """Sources and bin width of a model of events; the times themselves are left as they are.

    Attributes
    ----------
    modality : str
        Which point process of a recording is meant.
    bin_s : float, seconds
        Width of the bins in which the model counts.
    window_s : float, seconds
        Length of the windows the model is run on, where it needs any.
    channels : tuple of str
        Exactly these sources, in this order; empty = any.
    """

    layout: ClassVar[str] = "points"

    modality: str = "spikes"
    bin_s: float = 0.02
    window_s: float = 10.0
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.bin_s <= self.window_s:
            raise ConfigError(f"bin_s must be in (0, window_s={self.window_s:g}] s; got {self.bin_s:g}")

    def check(self, recording: Recording) -> list[Problem]:
        """Look for the one point process, its sources, and supported stretches of at least one bin."""
        found = [s for s in recording.signals.values() if isinstance(s, PointProcess) and s.modality == self.modality]
        if len(found) != 1:
            have = ", ".join(f"{n} ({s.modality})" for n, s in recording.signals.items()) or "nothing"
            return [
                Problem(
                    f"expected one {self.modality} point process, found {len(found)}; it holds {have}",
                    "name the one to use",
                )
            ]
        points, problems = found[0], []
        missing = [name for name in self.channels if name not in points.channels.name]
        if missing:
            problems.append(
                Problem(
                    f"{len(missing)} of {len(self.channels)} sources are missing: {', '.join(missing[:8])}",
                    "give the recording the names the model was trained on",
                )
            )
        if not self.channels and points.channels.bad.all():
            problems.append(Problem(f"no usable source among {len(points.channels)}", "check bads"))
        longest = float(np.max(points.support[:, 1] - points.support[:, 0], initial=0.0))
        if longest < self.bin_s * (1 - 1e-6):
            problems.append(
                Problem(
                    f"the longest recorded stretch is {longest:g} s; a bin is {self.bin_s:g} s",
                    "use a longer recording or narrower bins",
                )
            )
        return problems

    def apply(self, recording: Recording) -> Recording:
        """Return a recording that holds only the model's point process, with its sources in order.

        Raises
        ------
        ContractError
            With every problem of `check`.
        """
        self.require(recording)
        name, points = next(
            (n, s) for n, s in recording.signals.items() if isinstance(s, PointProcess) and s.modality == self.modality
        )
        rows = points.channels.rows(self.channels) if self.channels else np.flatnonzero(~points.channels.bad)
        place = np.full(len(points.channels), -1)
        place[rows] = np.arange(len(rows))
        kept = place[points.source] >= 0
        chosen = replace(
            points,
            times=points.times[kept],
            source=place[points.source[kept]],
            marks=None if points.marks is None else points.marks[kept],
            channels=points.channels.take(rows),
        )
        step = f"{len(rows)} of {len(points.channels)} {self.modality} sources used"
        info = replace(recording.info, steps=(*recording.info.steps, step))
        return replace(recording, signals={name: chosen}, info=info)

    def plan(self, recording: Recording) -> list[str]:
        """Say which sources will be used, and in which bins they are counted."""
        return [self.apply(recording).info.steps[-1], f"counted in bins of {self.bin_s:g} s by the model"]
