"""The published EEGPT checkpoint. Weights are never part of this package: they are fetched from their owners' page."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_eegpt.config import CONTRACT
from nkfm_eegpt.plugin import LICENCE, PAPER

LARGE = PublishedWeights(
    repo="braindecode/eegpt-pretrained",
    converter="nkfm_eegpt.convert:from_reference",
    contract=CONTRACT,
    licence=LICENCE,
    page="https://huggingface.co/braindecode/eegpt-pretrained",
    paper=PAPER,
    parameters=25_287_168,
)
