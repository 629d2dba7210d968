"""Published BrainTokenizer configurations and state dicts to our models, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from nkfm_braintokenizer.config import CONTRACT
from nkfm_braintokenizer.model import BrainTokenizerModel
from nkfm_braintokenizer.published import config_of, published_keys, published_name


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> BrainTokenizerModel:
    """Build a tokenizer from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        ``model_cfg.json``. Settings left out take the released values, unknown ones are ignored.
    state : mapping of str to Tensor

    Returns
    -------
    BrainTokenizerModel
        ``model.tokenizer`` is the tokenizer.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the quantiser is of a kind that was never released.
    """
    with torch.device("meta"):
        model = BrainTokenizerModel(config_of(config), CONTRACT)
    keys = {published: f"tokenizer.{mine}" for published, mine in published_keys(model.tokenizer).items()}
    load_state(model, state, keys, what="the published braintokenizer")
    return model.eval()


def from_braindecode(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> BrainTokenizerModel:
    """Build a tokenizer from braindecode's configuration and state dict, which hold the same under other names."""
    named = ((published_name(key), value) for key, value in state.items())
    return from_reference(config, {key: value for key, value in named if key is not None})


def to_reference(model: BrainTokenizerModel) -> dict[str, Tensor]:
    """Return the state dict under the published keys."""
    own = model.tokenizer.state_dict()
    return {published: own[mine] for published, mine in published_keys(model.tokenizer).items()}


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {
        "window_length": 64, "n_filters": 2, "ratios": [4, 2], "n_dim": 16, "n_neuro": 3, "n_head": 2, "codebook_dim": 8,
        "codebook_size": 12, "num_quantizers": 2,
    }  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = to_reference(BrainTokenizerModel(config_of(config), CONTRACT))
    return config, {key: 0.1 * torch.randn(value.shape, generator=rng, device="cpu") for key, value in shapes.items()}
