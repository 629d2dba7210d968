"""Published BrainOmni checkpoints. Weights are never part of this package: they are fetched from their owners' pages."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_brainomni.config import CONTRACT
from nkfm_brainomni.plugin import LICENCE, PAPER

REVISION = "9a4d3c70495370397ccfbfd6d2496f25647545a5"


def _released(size: str, weights: str, config: str, parameters: int) -> PublishedWeights:
    return PublishedWeights(
        repo="OpenTSLab/BrainOmni",
        revision=REVISION,
        config_file=f"{size}/model_cfg.json",
        weights_file=f"{size}/BrainOmni.pt",
        sha256={f"{size}/BrainOmni.pt": weights, f"{size}/model_cfg.json": config},
        converter="nkfm_brainomni.convert:from_reference",
        contract=CONTRACT,
        licence=LICENCE,
        page="https://huggingface.co/OpenTSLab/BrainOmni",
        paper=PAPER,
        parameters=parameters,
    )


def _republished(size: str, parameters: int) -> PublishedWeights:
    return PublishedWeights(
        repo=f"braindecode/brainomni-{size}-pretrained",
        converter="nkfm_brainomni.convert:from_braindecode",
        contract=CONTRACT,
        licence=LICENCE,
        page=f"https://huggingface.co/braindecode/brainomni-{size}-pretrained",
        paper=PAPER,
        parameters=parameters,
    )


TINY = _released(
    "tiny",
    weights="62c67ba6a84ea0625e67a3b5e7463fe3930bfee88a612a225e9062a052542ffc",
    config="4b994b38f1a8dccc8136f2b837a8ad2d3ebb028a1af0c527f9e0902a1a5c252e",
    parameters=13_475_042,
)
BASE = _released(
    "base",
    weights="435db24e57a55df05aa7e16355def7b7ecbedb22aa1ec16063e7d14efd2386d0",
    config="492e2229b1fb87d49330b23f482a1641ec7cdc0b41d38f76384f18fdef3696d5",
    parameters=37_757_666,
)
TINY_BRAINDECODE = _republished("tiny", 12_948_450)  # without mask token and the head that predicts codes
BASE_BRAINDECODE = _republished("base", 36_706_786)
