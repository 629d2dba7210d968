"""Sizes of BrainOmni, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from neurokit_fm import SeriesContract
from neurokit_fm.config import Part
from neurokit_fm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BrainOmniConfig:
    """One size of BrainOmni. The defaults are those of the released tiny one.

    Attributes
    ----------
    tokenizer : mapping
        ``{"name": "braintokenizer", **settings}``. It is frozen: its weights come from a tokenizer trained before.
    width : int
        D of the transformer.
    depth, heads : int
        Half of the heads look along time, half across latent sources.
    dropout : float
        Of attention and feed-forward, in training only (the published code also drops attention in evaluation).
    mask_ratio : float
        Share of tokens hidden in pretraining.
    rope : {"exact", "released"}
        Positions in time. The published checkpoints carry a damaged table: queries and keys are multiplied by its cosines
        instead of being rotated, up to 240 tokens; beyond that the published code rotates by rounded frequencies.
        "released" does the same (but forgets nothing from one call to the next, as the published code does).
    pretraining : bool
        Whether there is a mask token and a head that predicts codes; without them the model gives features only.
    classes : int
        Outputs of the published kind of classifier; 0 = none.
    """

    tokenizer: Part = field(default_factory=lambda: {"name": "braintokenizer", "overlap": 0.25})
    width: int = 256
    depth: int = 12
    heads: int = 8
    dropout: float = 0.1
    mask_ratio: float = 0.5
    rope: Literal["exact", "released"] = "exact"
    pretraining: bool = True
    classes: int = 0

    def __post_init__(self) -> None:
        if self.heads % 2 or self.width % self.heads or (self.width // self.heads) % 2 or self.depth < 1:
            raise ConfigError(
                f"heads must be even and divide width into even parts, depth at least 1; got width {self.width}, "
                f"{self.heads} heads, depth {self.depth}"
            )
        if not 0 < self.mask_ratio < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(f"mask_ratio must be in (0, 1), dropout in [0, 1); got {self.mask_ratio}, {self.dropout}")


TINY = BrainOmniConfig()
BASE = BrainOmniConfig(width=512, heads=16)

CONTRACT = SeriesContract(
    modality="eeg+meg",
    sfreq=256.0,
    min_sfreq=100.0,
    window_s=30.0,
    min_window_s=0.25,
    band=(0.1, 96.0),
    notch=(50.0, 60.0),
    normalise="none",
    frame="native",
)
"""Pretraining input: as the tokenizer's, in segments of 30 s (160 tokens)."""
