"""Settings of the patch tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """How a continuous signal is cut into patches.

    Attributes
    ----------
    length_s : float, seconds
        Patch length, > 0.
    hop_s : float, seconds
        Step between patch starts; ``hop_s < length_s`` overlaps patches.
    linear : bool
        Embed patches by a linear map. False leaves them as they are, for a model with a stem of its own.
    """

    length_s: float = 1.0
    hop_s: float = 0.9
    linear: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.hop_s <= self.length_s:
            raise ConfigError(f"hop_s must be in (0, length_s={self.length_s:g}] s; got {self.hop_s:g}")
