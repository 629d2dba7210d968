"""Sizes of EEGPT, the electrodes it knows, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass

from neurokit_fm import SeriesContract
from neurokit_fm.nn.blocks import TransformerConfig

ROWS = """
FP1 FPZ FP2 AF7 AF3 AF4 AF8 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4 C6 T8
TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 O1 OZ O2
"""
ELECTRODES = tuple(ROWS.split())
"""Names in the order of the published table of embeddings; all but AF7, AF8, PO5 and PO6 were in the pretraining."""


@dataclass(frozen=True, kw_only=True)
class EegptConfig:
    """One size of EEGPT.

    Attributes
    ----------
    width, depth, heads, mlp_ratio, qkv_bias :
        As in `TransformerConfig`.
    summaries : int
        Summary vectors of a patch of time.
    patch_s, hop_s : float, seconds
        Length of a patch, and step between patches. The published weights were pretrained without overlap and are used
        with a hop of half a patch.
    """

    width: int = 512
    depth: int = 8
    heads: int = 8
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    summaries: int = 4
    patch_s: float = 0.25
    hop_s: float = 0.125

    @property
    def transformer(self) -> TransformerConfig:
        """Size of the transformer."""
        return TransformerConfig(
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            head_dim=self.width // self.heads,
            mlp_ratio=self.mlp_ratio,
            geglu=False,
            norm_kind="layer",
            bias=True,
            qkv_bias=self.qkv_bias,
        )


CONTRACT = SeriesContract(
    modality="eeg",
    sfreq=256.0,
    min_sfreq=100.0,
    window_s=4.0,
    min_window_s=0.25,
    reference="average",
    unit_scale=1e3,
    normalise="none",
    known_names=ELECTRODES,
)
"""Pretraining input: 256 Hz, average reference, millivolts, windows of 4 s; any channels named in `ELECTRODES`."""
