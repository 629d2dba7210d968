"""Sizes of EEGFormer, and its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurokit_fm import SeriesContract
from neurokit_fm.config import Part, write_config
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.quantize import QuantizerConfig


@dataclass(frozen=True, kw_only=True)
class EEGFormerConfig:
    """One size of EEGFormer.

    Attributes
    ----------
    segment_s, piece_s, patch_len, stride, keep_dc :
        The front end: seconds of a segment, of the pieces it is cut into (None: it is one), spectral bins of a patch
        and between patch starts, whether the bin at 0 Hz is kept.
    dim, ffn, heads, dropout :
        Width, hidden width, attention heads and dropout of encoder and decoder.
    enc_layers, dec_layers : int
    n_codes : int
        Size of the codebook.
    beta : float
        Weight of the commitment loss.
    look_up : {"euclidean", "cosine"}
        Nearest by squared distance, as published, or by direction.
    codebook : {"ema", "learned"}
        Running means of the vectors that chose a code, with unused codes moved, or a loss that pulls codes, as published.
    decay : float
        Of the running means.
    gradient : {"straight-through", "rotation"}
        How the gradient passes the look-up.
    features : {"decoder", "encoder"}
        What `forward` returns: the decoder's vectors, which the published heads pool, or those before the look-up.
    """

    segment_s: float = 12.0
    piece_s: float | None = None
    patch_len: int = 50
    stride: int = 50
    keep_dc: bool = False
    dim: int = 128
    ffn: int = 512
    heads: int = 8
    dropout: float = 0.1
    enc_layers: int = 6
    dec_layers: int = 3
    n_codes: int = 512
    beta: float = 1.0
    look_up: Literal["euclidean", "cosine"] = "euclidean"
    codebook: Literal["ema", "learned"] = "ema"
    decay: float = 0.99
    gradient: Literal["straight-through", "rotation"] = "straight-through"
    features: Literal["decoder", "encoder"] = "decoder"

    def __post_init__(self) -> None:
        if self.dec_layers < 1:
            raise ConfigError(f"dec_layers must be positive; got {self.dec_layers}")
        if self.features not in ("decoder", "encoder"):
            raise ConfigError(f"features must be 'decoder' or 'encoder'; got {self.features!r}")

    @property
    def tokenizer(self) -> Part:
        """The tokenizer this stands for."""
        return {
            "name": "spectral-vq",
            "frontend": {
                "segment_s": self.segment_s,
                "piece_s": self.piece_s,
                "patch_len": self.patch_len,
                "stride": self.stride,
                "keep_dc": self.keep_dc,
            },
            "dim": self.dim,
            "depth": self.enc_layers,
            "heads": self.heads,
            "ffn": self.ffn,
            "dropout": self.dropout,
            "quantizer": write_config(
                QuantizerConfig(
                    size=self.n_codes,
                    width=self.dim,
                    distance=self.look_up,
                    table=self.codebook,
                    gradient=self.gradient,
                    start="random",
                    commitment=self.beta,
                    decay=self.decay,
                )
            ),
        }


SMALL = EEGFormerConfig()
BASE = EEGFormerConfig(enc_layers=8, n_codes=1024)
LARGE = EEGFormerConfig(enc_layers=12, n_codes=2048)
PRESETS = {"small": SMALL, "base": BASE, "large": LARGE}
"""The published sizes."""

CONTRACT = SeriesContract(
    modality="eeg", sfreq=250.0, min_sfreq=100.0, window_s=12.0, min_window_s=12.0, normalise="zscore"
)
"""250 Hz and segments of 12 s, as published; any montage, filter and reference.

Normalised over the recording, because the constant in the normalisation of spectra is not small beside volts."""
