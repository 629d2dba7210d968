"""Settings of the spectral tokenizers."""

from __future__ import annotations

from dataclasses import dataclass, field

from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.quantize import QuantizerConfig


@dataclass(frozen=True, kw_only=True)
class SpectralConfig:
    """How a segment becomes patches of its amplitude spectrum.

    Attributes
    ----------
    segment_s : float, seconds
        Length of a segment; its spectrum is normalised as a whole.
    piece_s : float, seconds, optional
        Cut a segment into pieces of this length first and transform each: patches then lie in time as well as in
        frequency. None: the segment is one piece, as published.
    patch_len : int
        Frequency bins of a patch; a bin is ``1 / piece_s`` Hz wide.
    stride : int
        Bins between patch starts; ``stride < patch_len`` overlaps patches. Bins that do not fill a patch are dropped.
    keep_dc : bool
        Keep the bin at 0 Hz.
    """

    segment_s: float = 12.0
    piece_s: float | None = None
    patch_len: int = 50
    stride: int = 50
    keep_dc: bool = False

    def __post_init__(self) -> None:
        if self.segment_s <= 0:
            raise ConfigError(f"segment_s must be positive; got {self.segment_s:g} s")
        if not 0 < self.piece <= self.segment_s:
            raise ConfigError(f"piece_s must be in (0, segment_s={self.segment_s:g}] s; got {self.piece:g}")
        if not 0 < self.stride <= self.patch_len:
            raise ConfigError(f"stride must be in [1, patch_len={self.patch_len}] bins; got {self.stride}")

    @property
    def piece(self) -> float:
        """Length of a piece, seconds."""
        return self.segment_s if self.piece_s is None else self.piece_s


@dataclass(frozen=True, kw_only=True)
class SpectralVQConfig:
    """A spectral tokenizer with a codebook.

    Attributes
    ----------
    frontend : SpectralConfig
    dim, depth, heads, ffn : int
        Width, layers, attention heads and hidden width of the encoder.
    dropout : float
    quantizer : QuantizerConfig
        One level; vectors of another width than `dim` are projected in and out.
    """

    frontend: SpectralConfig = field(default_factory=SpectralConfig)
    dim: int = 128
    depth: int = 6
    heads: int = 8
    ffn: int = 512
    dropout: float = 0.1
    quantizer: QuantizerConfig = field(
        default_factory=lambda: QuantizerConfig(size=512, width=128, table="learned", start="random", commitment=1.0)
    )

    def __post_init__(self) -> None:
        if min(self.dim, self.depth, self.heads, self.ffn) < 1 or self.dim % self.heads:
            raise ConfigError(f"sizes must be positive and dim a multiple of heads; got {self}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be in [0, 1); got {self.dropout:g}")
        if self.quantizer.levels != 1:
            raise ConfigError(f"a spectral patch has one code; got a quantizer of {self.quantizer.levels} levels")
