"""Sizes of LaBraM, the electrodes it knows, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.blocks import TransformerConfig

ROWS = """
FP1 FPZ FP2 AF9 AF7 AF5 AF3 AF1 AFZ AF2 AF4 AF6 AF8 AF10 F9 F7 F5 F3 F1 FZ F2 F4 F6 F8 F10 FT9 FT7 FC5 FC3 FC1 FCZ
FC2 FC4 FC6 FT8 FT10 T9 T7 C5 C3 C1 CZ C2 C4 C6 T8 T10 TP9 TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1
PZ P2 P4 P6 P8 P10 PO9 PO7 PO5 PO3 PO1 POZ PO2 PO4 PO6 PO8 PO10 O1 OZ O2 O9 CB1 CB2 IZ O10 T3 T5 T4 T6 M1 M2 A1 A2
CFC1 CFC2 CFC3 CFC4 CFC5 CFC6 CFC7 CFC8 CCP1 CCP2 CCP3 CCP4 CCP5 CCP6 CCP7 CCP8 T1 T2 FTT9H TTP7H TPP9H FTT10H TPP8H
TPP10H FP1-F7 F7-T7 T7-P7 P7-O1 FP2-F8 F8-T8 T8-P8 P8-O2
"""
ELECTRODES = tuple(ROWS.split())
"""Names in the order of the published table of embeddings: 120 places and 8 bipolar derivations. T3 and T7 are two rows."""


@dataclass(frozen=True, kw_only=True)
class LabramConfig:
    """One size of LaBraM.

    Attributes
    ----------
    depth, heads, mlp_ratio, qkv_bias, qk_norm, layer_scale :
        As in `TransformerConfig`.
    head_dim : int or None
        None: the width of tokens over `heads`.
    stem : tuple of (features, kernel, stride, padding, groups)
        Convolutions along each patch; with the patch length they give the width of tokens.
    patch_s : float, seconds
    steps : int
        Rows of the table of times: the largest number of patches of a window.
    pooling : {"class", "mean"}
        What stands for a window: its class token, or the mean of its patches.
    """

    depth: int = 12
    heads: int = 10
    head_dim: int | None = None
    mlp_ratio: float = 4.0
    qkv_bias: bool = False
    qk_norm: bool = True
    layer_scale: bool = True
    stem: tuple[tuple[int, ...], ...] = ((8, 15, 8, 7, 4), (8, 3, 1, 1, 4), (8, 3, 1, 1, 4))
    patch_s: float = 1.0
    steps: int = 16
    pooling: Literal["class", "mean"] = "class"

    def __post_init__(self) -> None:
        if self.pooling not in ("class", "mean"):
            raise ConfigError(f"pooling must be 'class' or 'mean'; got {self.pooling!r}")

    def transformer(self, width: int) -> TransformerConfig:
        """Size of the transformer over tokens of a width."""
        return TransformerConfig(
            width=width,
            depth=self.depth,
            heads=self.heads,
            head_dim=self.head_dim or width // self.heads,
            mlp_ratio=self.mlp_ratio,
            geglu=False,
            norm_kind="layer",
            bias=True,
            qkv_bias=self.qkv_bias,
            qk_norm=self.qk_norm,
            layer_scale=self.layer_scale,
        )


CONTRACT = SeriesContract(
    modality="eeg",
    sfreq=200.0,
    min_sfreq=100.0,
    window_s=4.0,
    min_window_s=1.0,
    band=(0.1, 75.0),
    notch=(50.0,),
    unit_scale=1e4,
    normalise="none",
    known_names=ELECTRODES,
)
"""Pretraining input: 200 Hz, 0.1 to 75 Hz, notch at 50 Hz, units of 100 microvolts; any channels named in `ELECTRODES`.

A window of pretraining held 256 patches at most, such as 64 channels x 4 s.
"""
