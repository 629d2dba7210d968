"""Sizes of a BrainTokenizer, and the input it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.quantize import QuantizerConfig

SFREQ = 256.0
"""Rate of the published models, Hz."""


@dataclass(frozen=True, kw_only=True)
class BrainTokenizerConfig:
    """One size of the tokenizer. The defaults are those of the released one.

    Attributes
    ----------
    window : int
        Samples L of one window; a multiple of the product of `ratios`, which is the length of one token.
    overlap : float
        Share of a window that lies in the next one too. Without overlap a rest that fills no window is left out; with it
        the last window is filled with zeros.
    filters : int
        Channels of the first convolution; each ratio doubles them.
    ratios : tuple of int
        Factors of the transposed convolutions, in their order; the encoder goes the other way.
    kernel, last_kernel : int
    width : int
        Of a token, D.
    latents : int
        Latent sources K.
    heads : int
        Of both cross-attentions.
    codebook : QuantizerConfig
    start : {"published", "unit"}
        Initial weights: as published (linear maps of 0.02), with which latent sources hardly depend on the signal at first;
        or linear maps and convolutions that keep the size of what they take and have no offset, and sensors' vectors that
        differ by type and place from the start.
    phase : float
        Weight of the error of phases in training, 0.5 as published. Phases are not wrapped, so a reconstruction of phase 0
        everywhere, which is one that depends on nothing, has a smaller error (pi / 2 on average) than one of random phase
        (2 pi / 3): before anything is learned the term draws all codes together. Small models do not recover; give 0.
    balanced : bool
        Whether each sensor type has the same part in the loss, or, as published, each sensor.
    lonely : {"error", "absolute"}
        A sensor that is the only one of its type has neither an average reference nor a scale of positions. Refuse it, or
        take it as it is: not re-referenced, its place in units of `ABSOLUTE_M`.
    grad_positions : {"normalised", "metres"}
        Whether gradiometers are placed together with magnetometers, as in pretraining, or left in metres, as in the
        published scripts for downstream tasks.
    """

    window: int = 512
    overlap: float = 0.0
    filters: int = 32
    ratios: tuple[int, ...] = (8, 4, 2)
    kernel: int = 5
    last_kernel: int = 5
    width: int = 256
    latents: int = 16
    heads: int = 4
    codebook: QuantizerConfig = field(
        default_factory=lambda: QuantizerConfig(size=512, width=256, levels=4, gradient="rotation")
    )
    start: Literal["published", "unit"] = "published"
    phase: float = 0.5
    balanced: bool = False
    lonely: Literal["error", "absolute"] = "error"
    grad_positions: Literal["normalised", "metres"] = "normalised"

    def __post_init__(self) -> None:
        if self.window % self.token or min(self.window, self.filters, self.width, self.latents, *self.ratios) < 1:
            raise ConfigError(
                f"the window must be whole tokens of {self.token} samples (product of ratios {self.ratios}) and sizes "
                f"positive; got window {self.window}"
            )
        if not 0 <= self.overlap < 1 or self.step < 1:
            raise ConfigError(f"overlap must be in [0, 1) and leave a step of a sample; got {self.overlap:g}")
        if self.width % self.heads or self.width % 2:
            raise ConfigError(f"width must be even and divisible by {self.heads} heads; got {self.width}")

    @property
    def token(self) -> int:
        """Samples of one token."""
        return math.prod(self.ratios)

    @property
    def step(self) -> int:
        """Samples from one window to the next."""
        return int(self.window * (1 - self.overlap))


RELEASED = BrainTokenizerConfig()

CONTRACT = SeriesContract(
    modality="eeg+meg",
    sfreq=SFREQ,
    min_sfreq=100.0,
    window_s=10.0,
    min_window_s=0.25,
    band=(0.1, 96.0),
    notch=(50.0, 60.0),
    normalise="none",
    frame="native",
)
"""Pretraining input: EEG, MEG or both in SI units, notches, 256 Hz, 0.1 to 96 Hz, sensors in the frame they were measured in.

What is normalised is a window, by sensor type, so the tokenizer does it.
"""
