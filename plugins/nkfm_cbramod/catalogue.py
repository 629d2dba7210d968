"""The published CBraMod checkpoint. Weights are never part of this package: they are fetched from their owners' page."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_cbramod.config import CONTRACT
from nkfm_cbramod.plugin import LICENCE, PAPER

BASE = PublishedWeights(
    repo="braindecode/cbramod-pretrained",
    converter="nkfm_cbramod.convert:from_reference",
    contract=CONTRACT,
    licence=LICENCE,
    page="https://huggingface.co/braindecode/cbramod-pretrained",
    paper=PAPER,
    parameters=4_923_800,
)
