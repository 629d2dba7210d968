"""Settings of the beat tokenizer, and of the autoencoder it is put into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BeatConfig:
    """What is cut around a beat, and what counts as one.

    Attributes
    ----------
    before_s, after_s : float, seconds
        A token runs from so long before the peak to so long after it.
    refractory_s : float, seconds
        Shortest time between two beats.
    band : (float, float), Hz
        Where the QRS complex has its energy.
    smooth_s : float, seconds
        Window over which the energy is averaged.
    threshold : float
        Smallest peak of the averaged energy, as a share of a typical one; in (0, 1).
    """

    before_s: float = 0.2
    after_s: float = 0.4
    refractory_s: float = 0.3
    band: tuple[float, float] = (5.0, 15.0)
    smooth_s: float = 0.12
    threshold: float = 0.35

    def __post_init__(self) -> None:
        if min(self.before_s, self.after_s, self.refractory_s, self.smooth_s) <= 0:
            raise ConfigError(f"before_s, after_s, refractory_s and smooth_s must be positive; got {self}")
        if not 0 < self.band[0] < self.band[1] or not 0 < self.threshold < 1:
            raise ConfigError(f"expected 0 < band[0] < band[1] and 0 < threshold < 1; got {self}")


ECG = SeriesContract(
    modality="ecg", sfreq=125.0, min_sfreq=100.0, window_s=5.0, min_window_s=1.0, band=(0.5, 40.0), clip=15.0
)
"""One rate and a z-score; sensors of the heart come without positions, so no frame is asked for."""

AUTOENCODER: Mapping[str, Any] = {
    "encoder": {
        "tokenizer": {"name": "beat"},
        "encoding": {"name": "fourier-4d", "step_s": 1.0},
        "transformer": {"width": 64, "depth": 2, "heads": 4, "head_dim": 16},
    },
    "decoder": {"width": 64, "depth": 1, "heads": 4, "head_dim": 16},
    "mask": {"kind": "random", "ratio": 0.5},
}
"""A small `mae`. Masks are random: block masks hide neighbouring channels, and an ECG may have a single one."""
