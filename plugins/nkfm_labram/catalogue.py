"""The published LaBraM checkpoint. Weights are never part of this package: they are fetched from their owners' page."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_labram.config import CONTRACT
from nkfm_labram.plugin import LICENCE, PAPER

BASE = PublishedWeights(
    repo="braindecode/labram-pretrained",
    converter="nkfm_labram.convert:from_reference",
    contract=CONTRACT,
    licence=LICENCE,
    page="https://huggingface.co/braindecode/labram-pretrained",
    paper=PAPER,
    parameters=5_819_936,
)
