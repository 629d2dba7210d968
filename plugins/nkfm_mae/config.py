"""Settings of the masked autoencoder and of its masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.blocks import TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoderConfig


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """Which tokens are hidden.

    Attributes
    ----------
    kind : {"block", "random"}
        Neighbouring channels for several steps on end, or tokens at random.
    ratio : float
        Share of channels hidden at each step (block) or of tokens (random); ``int(ratio * n)`` of them.
    radius_m : float, metres
        Channels within this distance of a chosen centre are hidden with it.
    steps : int
        Consecutive steps that share one choice of channels.
    dropout_ratio, dropout_radius_m : float
        Channels hidden for the whole window, chosen the same way first.
    legacy : bool
        Reproduce the published masks with their defects; see `nkfm_mae.masking.block_mask`.
    """

    kind: Literal["block", "random"] = "block"
    ratio: float = 0.55
    radius_m: float = 0.03
    steps: int = 3
    dropout_ratio: float = 0.1
    dropout_radius_m: float = 0.04
    legacy: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("block", "random"):
            raise ConfigError(f"kind must be 'block' or 'random'; got {self.kind!r}")
        if not 0 < self.ratio < 1 or not 0 <= self.dropout_ratio <= self.ratio:
            raise ConfigError(
                f"expected 0 <= dropout_ratio <= ratio < 1; got {self.dropout_ratio:g} and {self.ratio:g}"
            )
        if self.steps < 1 or self.radius_m < 0 or self.dropout_radius_m < 0:
            raise ConfigError(f"steps must be positive and radii not negative; got {self}")


@dataclass(frozen=True, kw_only=True)
class MaskedAutoencoderConfig:
    """A masked autoencoder.

    Attributes
    ----------
    encoder : TokenEncoderConfig
    decoder : TransformerConfig
    mask : MaskConfig
    noise_m : float, metres
        Standard deviation of the position noise in training.
    global_weight : float
        Weight of the secondary loss, which predicts hidden tokens from one global token; 0 leaves it out.
    spectrum_weight : float
        Weight of a loss that reads the power spectrum of each channel, hidden stretches included, off its visible tokens
        by one linear map, so that rhythms are in the features and not only waveforms; 0 leaves it out. Not in REVE.
    """

    encoder: TokenEncoderConfig = field(default_factory=TokenEncoderConfig)
    decoder: TransformerConfig = field(default_factory=TransformerConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    noise_m: float = 0.0025
    global_weight: float = 0.1
    spectrum_weight: float = 0.0
