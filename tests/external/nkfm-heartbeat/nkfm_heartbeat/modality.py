"""The pulse wave as a modality."""

from neurokit_fm import Modality

PPG = Modality(name="ppg", layout="series", kinds=("ppg",), summary="Photoplethysmography, the optical pulse wave")
"""No range of values: sensors give light, current or plain counts."""
