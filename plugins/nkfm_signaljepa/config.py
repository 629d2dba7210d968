"""Sizes of Signal-JEPA, the electrodes it knows, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurokit_fm import SeriesContract
from neurokit_fm.errors import ConfigError

ROWS = """
FP1 FP2 F7 F3 FZ F4 F8 FC5 FC1 FC2 FC6 T7 C3 CZ C4 T8 TP9 CP5 CP1 CP2 CP6 TP10 P7 P3 PZ P4 P8 PO9 O1 OZ O2 PO10 FC3 FC4 C5
C1 C2 C6 CP3 CPZ CP4 P1 P2 POZ FT9 FTT9H TTP7H TP7 TPP9H FT10 FTT10H TPP8H TP8 TPP10H F9 F10 AF7 AF3 AF4 AF8 PO3 PO4
"""
ELECTRODES = tuple(ROWS.split())
"""The 62 electrodes of the pretraining (Lee et al. 2019), in the order of the published table of embeddings."""


@dataclass(frozen=True, kw_only=True)
class SignalJepaConfig:
    """One size of Signal-JEPA.

    Attributes
    ----------
    electrodes : tuple of str
        Names with a learned vector each, upper case. Empty: vectors are computed from positions, for any electrodes.
    convs : tuple of (features, kernel, stride)
        Convolutions along each channel, in samples. The last one gives the width of tokens.
    conv_bias : bool
    depth, heads, hidden : int
        Of the transformer.
    place_width, time_width : int
        Entries of a token's place that tell its electrode and its time; together the width of tokens.
    steps_per_s : float, Hz
        Tokens in a second, for the encoding of time.
    reach_m : float, metres
        Largest coordinate of an electrode, for the encoding of positions.
    """

    electrodes: tuple[str, ...] = ELECTRODES
    convs: tuple[tuple[int, ...], ...] = ((8, 32, 8), (16, 2, 2), (32, 2, 2), (64, 2, 2), (64, 2, 2))
    conv_bias: bool = False
    depth: int = 8
    heads: int = 8
    hidden: int = 2048
    place_width: int = 30
    time_width: int = 34
    steps_per_s: float = 1.0
    reach_m: float = 0.114892

    def __post_init__(self) -> None:
        if not self.convs or any(len(layer) != 3 or min(layer) < 1 for layer in self.convs):
            raise ConfigError(f"convs are (features, kernel, stride), one or more; got {self.convs}")
        if self.place_width + self.time_width != self.width or self.place_width % 6 or self.time_width % 2:
            raise ConfigError(
                f"place_width={self.place_width} (a multiple of 6) and time_width={self.time_width} (of 2) must add up to "
                f"the width of tokens, {self.width}"
            )

    @property
    def width(self) -> int:
        """Width of tokens, D."""
        return self.convs[-1][0]

    @property
    def field(self) -> tuple[int, int]:
        """Samples that a token sees, and samples between tokens."""
        length, hop = 1, 1
        for _, kernel, stride in self.convs:
            length, hop = length + (kernel - 1) * hop, hop * stride
        return length, hop


CONTRACT = SeriesContract(
    modality="eeg",
    sfreq=128.0,
    min_sfreq=100.0,
    window_s=16.0,
    min_window_s=1.1875,
    band=(0.5, 40.0),
    unit_scale=1e6,
    normalise="none",
    known_names=ELECTRODES,
)
"""Pretraining input: 128 Hz, 0.5 to 40 Hz, microvolts, windows of 16 s; any channels named in `ELECTRODES`."""

CONTRACT_PLACES = replace(CONTRACT, frame="template", known_names=())
"""The same for any electrodes with a position."""
