"""A modality is a label over one of the four layouts, with what is usual for it."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm.errors import ConfigError

LAYOUTS = ("series", "points", "volume", "graph")
"""The four layouts: `TimeSeries`, `PointProcess`, `Volume`, `Graph`."""


@dataclass(frozen=True, kw_only=True)
class Modality:
    """What a kind of recording is called, how it is laid out and how large its values usually are.

    Attributes
    ----------
    name : str
        ``eeg, meg, ieeg, calcium, spikes, fmri, mri, connectome`` ...
    layout : str
        One of `LAYOUTS`.
    kinds : tuple of str
        Channel kinds that carry the modality; other rows of the same signal (EOG, stim) are not sensors.
    unit_range : mapping as tuple of (str, float, float)
        Per sensor type, the lowest and highest plausible standard deviation of one channel in SI units. Values
        outside mean that the unit is wrong, the commonest silent error of all.
    summary : str
    """

    name: str
    layout: str
    kinds: tuple[str, ...] = ()
    unit_range: tuple[tuple[str, float, float], ...] = ()
    summary: str = ""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(
                f"modality {self.name!r}: layout must be one of {', '.join(LAYOUTS)}; got {self.layout!r}"
            )

    def plausible(self, sensor_type: str) -> tuple[float, float] | None:
        """Plausible range of a channel's standard deviation, or None where nothing is known."""
        return next(((lo, hi) for kind, lo, hi in self.unit_range if kind == sensor_type), None)
