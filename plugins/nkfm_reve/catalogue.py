"""Published REVE checkpoints. Weights are never part of this package: they are fetched from their owners' pages."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_reve.config import CONTRACT
from nkfm_reve.plugin import LICENCE

BASE = PublishedWeights(
    repo="brain-bzh/reve-base",
    converter="nkfm_reve.convert:from_reference",
    contract=CONTRACT,
    licence=LICENCE,
    page="https://huggingface.co/brain-bzh/reve-base",
    gated=True,
    paper="arXiv:2510.21585",
    parameters=69_189_632,
)

LARGE = PublishedWeights(
    repo="brain-bzh/reve-large",
    converter="nkfm_reve.convert:from_reference",
    contract=CONTRACT,
    licence=LICENCE,
    page="https://huggingface.co/brain-bzh/reve-large",
    gated=True,
    paper="arXiv:2510.21585",
    parameters=389_978_496,
)
