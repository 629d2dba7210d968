"""Published Signal-JEPA checkpoints. Weights are never part of this package: they are fetched from their owners' pages."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_signaljepa.config import CONTRACT, CONTRACT_PLACES
from nkfm_signaljepa.plugin import LICENCE, ON_PAGE, PAPER

NAMED = PublishedWeights(
    repo="braindecode/signal-jepa",
    converter="nkfm_signaljepa.convert:from_reference",
    contract=CONTRACT,
    licence=ON_PAGE,
    page="https://huggingface.co/braindecode/signal-jepa",
    paper=PAPER,
    parameters=2_265_044,
)

PLACED = PublishedWeights(
    repo="braindecode/signal-jepa_without-chans",
    converter="nkfm_signaljepa.convert:from_reference",
    contract=CONTRACT_PLACES,
    licence=LICENCE,
    page="https://huggingface.co/braindecode/signal-jepa_without-chans",
    paper=PAPER,
    parameters=2_263_184,
)
