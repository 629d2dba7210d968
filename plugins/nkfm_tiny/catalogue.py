"""The weights that come with this package, and where they lie."""

from __future__ import annotations

from pathlib import Path

from neurokit_fm.checkpoints import ShippedWeights
from nkfm_tiny.plugin import LICENCE

TINY = ShippedWeights(
    folder=Path(__file__).with_name("weights"),
    licence=LICENCE,
    page="docs/models/nkfm-tiny.md",
    paper="arXiv:2510.21585 (the method)",
    parameters=873_279,
)
"""Half-precision weights, contract, card, fingerprint, and the recipe and log of the run that made them."""
