"""Sizes of REVE, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.blocks import TransformerConfig
from neurokit_fm.nn.encoder import TokenEncoderConfig


@dataclass(frozen=True, kw_only=True)
class ReveConfig:
    """One size of REVE.

    Attributes
    ----------
    width, depth, heads, head_dim, mlp_ratio, geglu :
        As in `TransformerConfig`.
    freqs : int
        Frequencies an axis of the 4-D encoding.
    patch_s, hop_s : float, seconds
    pooling : {"attention", "mean"}
        How `Features.pooled` sums a window up.
    """

    width: int = 512
    depth: int = 22
    heads: int = 8
    head_dim: int = 64
    mlp_ratio: float = 2.66
    geglu: bool = True
    freqs: int = 4
    patch_s: float = 1.0
    hop_s: float = 0.9
    pooling: Literal["attention", "mean"] = "attention"

    def __post_init__(self) -> None:
        if self.pooling not in ("attention", "mean"):
            raise ConfigError(f"pooling must be 'attention' or 'mean'; got {self.pooling!r}")

    @property
    def encoder(self) -> TokenEncoderConfig:
        """The token encoder this stands for."""
        return TokenEncoderConfig(
            tokenizer={"name": "patch", "length_s": self.patch_s, "hop_s": self.hop_s},
            encoding={"name": "fourier-4d", "freqs": self.freqs, "step_s": self.hop_s},
            transformer=TransformerConfig(
                width=self.width,
                depth=self.depth,
                heads=self.heads,
                head_dim=self.head_dim,
                mlp_ratio=self.mlp_ratio,
                geglu=self.geglu,
            ),
        )


SMALL = ReveConfig(depth=4)
BASE = ReveConfig()
LARGE = ReveConfig(width=1216, heads=19, freqs=5)

CONTRACT = SeriesContract(
    modality="eeg",
    sfreq=200.0,
    min_sfreq=100.0,
    window_s=10.0,
    min_window_s=1.0,
    band=(0.5, 99.5),
    normalise="zscore",
    clip=15.0,
    frame="template",
)
"""Pretraining input: 200 Hz, 0.5 to 99.5 Hz, z-score over the session, clipped at 15, positions in the template frame."""
