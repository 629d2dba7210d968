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
    space_scale : float
        Weight of one metre, likewise. At 1, as published, the fastest wave takes ``(1 + 2 margin) / (freqs - 1)`` metres,
        several heads long; larger values tell neighbouring sensors further apart.
    """

    freqs: int = 4
    step_s: float = 0.9
    step_scale: float = 0.1
    margin_m: float = 0.4
    space_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.freqs < 1 or min(self.step_s, self.step_scale, self.space_scale) <= 0 or self.margin_m < 0:
            raise ConfigError(
                f"freqs, step_s, step_scale and space_scale must be positive, margin_m not negative; got {self}"
            )
