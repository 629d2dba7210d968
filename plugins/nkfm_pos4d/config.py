"""Settings of the 4-D Fourier encoding."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Fourier4dConfig:
    """Frequencies and scales of `Fourier4d`.

    Attributes
    ----------
    freqs : int
        Integer frequencies 0..freqs-1 on each of the four axes.
    step_s : float, seconds
        What counts as one step of time (the hop between two patches).
    step_scale : float
        Weight of one step against one metre, in the Fourier part only.
    margin_m : float, metres
        Coordinates are taken to lie in [-margin, 1 + margin]; one period is 1 + 2 margin.
    """

    freqs: int = 4
    step_s: float = 0.9
    step_scale: float = 0.1
    margin_m: float = 0.4

    def __post_init__(self) -> None:
        if self.freqs < 1 or self.step_s <= 0 or self.step_scale <= 0 or self.margin_m < 0:
            raise ConfigError(f"freqs, step_s and step_scale must be positive, margin_m not negative; got {self}")
