"""Published BIOT checkpoints. Weights are never part of this package: they are fetched from their owners' pages."""

from __future__ import annotations

from neurokit_fm import PublishedWeights, SeriesContract
from nkfm_biot.config import CONTRACT_16, CONTRACT_18
from nkfm_biot.plugin import LICENCE, ON_PAGE, PAPER


def _published(repo: str, contract: SeriesContract, licence: str, parameters: int) -> PublishedWeights:
    return PublishedWeights(
        repo=repo,
        converter="nkfm_biot.convert:from_checkpoint",
        contract=contract,
        licence=licence,
        page=f"https://huggingface.co/{repo}",
        paper=PAPER,
        parameters=parameters,
    )


PREST = _published("braindecode/biot-pretrained-prest-16chs", CONTRACT_16, ON_PAGE, 3_186_176)
SHHS_PREST = _published("braindecode/biot-pretrained-shhs-prest-18chs", CONTRACT_18, ON_PAGE, 3_186_688)
SIX_DATASETS = _published("braindecode/biot-pretrained-six-datasets-18chs", CONTRACT_18, LICENCE, 3_186_688)
