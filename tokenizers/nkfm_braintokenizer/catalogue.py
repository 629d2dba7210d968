"""Published BrainTokenizer checkpoints. Weights are never part of this package: they are fetched from their owners' pages."""

from __future__ import annotations

from neurokit_fm import PublishedWeights
from nkfm_braintokenizer.config import CONTRACT

BRAINDECODE = PublishedWeights(
    repo="braindecode/braintokenizer-pretrained",
    converter="nkfm_braintokenizer.convert:from_braindecode",
    contract=CONTRACT,
    licence="MIT",
    page="https://huggingface.co/braindecode/braintokenizer-pretrained",
    paper="arXiv:2505.18185",
    parameters=5_050_338,
)

RELEASED = PublishedWeights(
    repo="OpenTSLab/BrainOmni",
    revision="9a4d3c70495370397ccfbfd6d2496f25647545a5",
    config_file="braintokenizer/model_cfg.json",
    weights_file="braintokenizer/BrainTokenizer.pt",
    sha256={
        "braintokenizer/BrainTokenizer.pt": "d41c44c14c3f3b11fd0fb660752e356dff4cb4bc5f32a05f470f503ffddc7b1a",
        "braintokenizer/model_cfg.json": "67d99edcfdc54285bed7f37757b6fc9732199c56ac48f86027af1c8a22e95183",
    },
    converter="nkfm_braintokenizer.convert:from_reference",
    contract=CONTRACT,
    licence="MIT",
    page="https://huggingface.co/OpenTSLab/BrainOmni",
    paper="arXiv:2505.18185",
    parameters=5_050_338,
)
