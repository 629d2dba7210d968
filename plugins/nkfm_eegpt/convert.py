"""Published EEGPT state dicts to our model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from neurokit_fm.errors import ConfigError
from nkfm_eegpt.config import CONTRACT, EegptConfig
from nkfm_eegpt.model import Eegpt

logger = logging.getLogger(__name__)

FIXED = {"patch_module": None, "norm_layer": None, "layer_norm_eps": 1e-6}
"""Settings of braindecode's class that give another model, and the values of the published one."""

PROJECT = "target_encoder.patch_embed.proj.weight"


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Eegpt:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        Arguments of braindecode's `EEGPT`; missing ones take its defaults, those of the classifier and of dropout do not
        count.
    state : mapping of str to Tensor
        What fits one task and one montage is left out: the classifier (``final_layer.*``), the rows of the montage
        (``chans_id``), and a learned projection of its channels to others (``chan_proj.*``, said in the log). Electrodes
        are looked up by name instead.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the configuration asks for something that the published model is not.
    """
    other = [f"{key}={config[key]!r}" for key, value in FIXED.items() if config.get(key, value) != value]
    if other:
        raise ConfigError(f"no EEGPT encoder has {', '.join(other)}")
    if any(key.startswith("chan_proj.") for key in state):
        logger.warning("eegpt: the learned projection of one montage's channels (chan_proj) is left out")
    parts = ("final_layer.", "chan_proj.", "chans_id")
    state = {key: value for key, value in state.items() if not key.startswith(parts)}
    if PROJECT in state:  # (D, 1, 1, w): a convolution over patches is a linear map of each
        state[PROJECT] = state[PROJECT].flatten(1)
    sizes = _sizes(config)
    with torch.device("meta"):
        model = Eegpt(sizes, CONTRACT)
    load_state(model, state, _keys(sizes), what="the published eegpt")
    return model.eval()


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {"embed_dim": 16, "embed_num": 2, "depth": 2, "num_heads": 2}
    sizes = _sizes(config)
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = Eegpt(sizes, CONTRACT).state_dict()
    state = {
        key: 0.02 * torch.randn(shapes[mine].shape, generator=rng, device="cpu") for key, mine in _keys(sizes).items()
    }
    state[PROJECT] = state[PROJECT][:, None, None]
    return config, state


def _sizes(config: Mapping[str, Any]) -> EegptConfig:
    length = config.get("patch_size", 64)
    return EegptConfig(
        width=config.get("embed_dim", 512),
        depth=config.get("depth", 8),
        heads=config.get("num_heads", 8),
        mlp_ratio=config.get("mlp_ratio", 4.0),
        qkv_bias=config.get("qkv_bias", True),
        summaries=config.get("embed_num", 4),
        patch_s=length / CONTRACT.sfreq,
        hop_s=(config.get("patch_stride", 32) or length) / CONTRACT.sfreq,
    )


def _keys(sizes: EegptConfig) -> dict[str, str]:
    """Published key to ours."""
    keys = {"summary_token": "summary", "chan_embed.weight": "electrodes.weight"}
    layers = {"patch_embed.proj": "tokenizer.project", "norm": "norm"}
    for i in range(sizes.depth):
        theirs, mine = f"blocks.{i}", f"transformer.blocks.{i}"
        layers |= {
            f"{theirs}.norm1": f"{mine}.attention_norm",
            f"{theirs}.norm2": f"{mine}.mlp_norm",
            f"{theirs}.attn.proj": f"{mine}.attention.out",
            f"{theirs}.mlp.fc1": f"{mine}.mlp.up",
            f"{theirs}.mlp.fc2": f"{mine}.mlp.down",
        }
        ends = ("weight", "bias") if sizes.qkv_bias else ("weight",)
        keys |= {f"{theirs}.attn.qkv.{end}": f"{mine}.attention.qkv.{end}" for end in ends}
    keys |= {f"{k}.{end}": f"{v}.{end}" for k, v in layers.items() for end in ("weight", "bias")}
    return {f"target_encoder.{theirs}": mine for theirs, mine in keys.items()}
