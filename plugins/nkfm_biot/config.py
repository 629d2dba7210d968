"""Sizes of BIOT, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BiotConfig:
    """One size of BIOT.

    Attributes
    ----------
    width, depth, heads : int
        Of the transformer; the feed-forward is four times as wide.
    channels : int
        Rows of the table of channels: the largest number of channels.
    frame_s, hop_s : float, seconds
        Length of a frame, and step between frames.
    percentile : float or None, per cent
        Each channel of each window is divided by this percentile of its magnitude, as in the published training; None
        leaves samples as they are, as the published model does, which trusts its input.
    """

    width: int = 256
    depth: int = 4
    heads: int = 8
    channels: int = 16
    frame_s: float = 1.0
    hop_s: float = 0.5
    percentile: float | None = 95.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"{self.heads} heads do not divide a width of {self.width}")
        if self.percentile is not None and not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must be in (0, 100]; got {self.percentile:g}")


CONTRACT_16 = SeriesContract(
    modality="eeg",
    sfreq=200.0,
    min_sfreq=100.0,
    window_s=10.0,
    min_window_s=1.0,
    unit_scale=1e6,
    normalise="none",
    max_channels=16,
)
"""Pretraining input of 16 channels: 200 Hz, microvolts, windows of 10 s. Which channel each row was is not published."""

CONTRACT_18 = replace(CONTRACT_16, max_channels=18)
"""The same with 18 channels."""
