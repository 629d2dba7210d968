"""Sizes of CBraMod, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class CbramodConfig:
    """One size of CBraMod.

    Attributes
    ----------
    depth, heads : int
        Blocks, and attention heads in each: one half looks across channels, the other across time.
    hidden : int
        Width of the feed-forward.
    stem : tuple of (features, kernel, stride, padding, groups)
        Convolutions along each patch; with the patch length they give the width of tokens.
    out_width : int
        Width of the features. The patch length in samples for a model that is to be pretrained.
    patch_s : float, seconds
    reach : (int, int)
        Channels and patches, odd numbers, that the positional convolution sees.
    mask_ratio : float
        Share of patches that are hidden in pretraining.
    """

    depth: int = 12
    heads: int = 8
    hidden: int = 800
    stem: tuple[tuple[int, ...], ...] = ((25, 49, 25, 24, 5), (25, 3, 1, 1, 5), (25, 3, 1, 1, 5))
    out_width: int = 200
    patch_s: float = 1.0
    reach: tuple[int, int] = (19, 7)
    mask_ratio: float = 0.5

    def __post_init__(self) -> None:
        if self.heads < 2 or self.heads % 2 or any(n % 2 == 0 for n in self.reach):
            raise ConfigError(f"heads must be even and reach odd; got {self.heads} and {self.reach}")
        if not 0 < self.mask_ratio < 1:
            raise ConfigError(f"mask_ratio must be in (0, 1); got {self.mask_ratio:g}")


CONTRACT = SeriesContract(
    modality="eeg",
    sfreq=200.0,
    min_sfreq=100.0,
    window_s=30.0,
    min_window_s=1.0,
    band=(0.3, 75.0),
    notch=(60.0,),
    unit_scale=1e4,
    normalise="none",
)
"""Pretraining input: 200 Hz, 0.3 to 75 Hz, notch at 60 Hz, units of 100 microvolts, windows of 30 s; any channels, in a fixed order."""
