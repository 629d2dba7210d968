"""Published BIOT state dicts to our model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from nkfm_biot.config import CONTRACT_16, CONTRACT_18, BiotConfig
from nkfm_biot.model import Biot


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Biot:
    """Build a model that computes what the published one does: of samples as they are given.

    Parameters
    ----------
    config : mapping
        Arguments of braindecode's `BIOT`; missing ones take its defaults, those of the classifier and of dropout do not
        count.
    state : mapping of str to Tensor
        A classifier (``final_layer.*``) is left out; give the model one of your own with `attach_head`.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    """
    return _convert(config, state, None)


def from_checkpoint(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Biot:
    """Do as `from_reference` does, for weights trained on channels divided by the 95th percentile of their magnitude.

    That division was part of the published training, outside of the model; here the model does it.
    """
    return _convert(config, state, 95.0)


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {"embed_dim": 16, "num_heads": 2, "num_layers": 2, "n_chans": 6}
    sizes = _sizes(config, {}, None)
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = Biot(sizes, CONTRACT_16).state_dict()
    return config, {
        key: 0.02 * torch.randn(shapes[mine].shape, generator=rng, device="cpu") for key, mine in _keys(sizes).items()
    }


def _convert(config: Mapping[str, Any], state: Mapping[str, Tensor], percentile: float | None) -> Biot:
    sizes = _sizes(config, state, percentile)
    contract = CONTRACT_16 if sizes.channels <= 16 else CONTRACT_18
    with torch.device("meta"):
        model = Biot(sizes, replace(contract, sfreq=_sfreq(config), max_channels=sizes.channels))
    state = {key: value for key, value in state.items() if not key.startswith("final_layer.")}
    load_state(model, state, _keys(sizes), what="the published biot")
    return model.eval()


def _sizes(config: Mapping[str, Any], state: Mapping[str, Tensor], percentile: float | None) -> BiotConfig:
    """Sizes; frames are a second long, or as long as a window that is shorter, and channels as many as the table has."""
    sfreq, hop = _sfreq(config), config.get("hop_length", 100)
    seconds = config.get("input_window_seconds") or (config.get("n_times") or sfreq) / sfreq
    tokens = state.get("encoder.channel_tokens.weight")
    return BiotConfig(
        width=config.get("embed_dim", 256),
        depth=config.get("num_layers", 4),
        heads=config.get("num_heads", 8),
        channels=(config.get("n_chans") or 16) if tokens is None else len(tokens),
        frame_s=min(1.0, seconds),
        hop_s=(sfreq // 2 if hop > sfreq else hop) / sfreq,
        percentile=percentile,
    )


def _sfreq(config: Mapping[str, Any]) -> float:
    return float(config.get("sfreq") or CONTRACT_16.sfreq)


def _keys(sizes: BiotConfig) -> dict[str, str]:
    """Published key to ours."""
    keys = {"encoder.channel_tokens.weight": "channels.weight", "encoder.positional_encoding.pe": "times"}
    layers = {"encoder.patch_embedding.projection": "spectrum"}
    for i in range(sizes.depth):
        theirs, mine = f"encoder.transformer.layers.layers.{i}", f"blocks.{i}"
        layers |= {
            f"{theirs}.0.norm": f"{mine}.attention_norm",
            f"{theirs}.1.norm": f"{mine}.mlp_norm",
            f"{theirs}.0.fn.to_out": f"{mine}.attention.out",
            f"{theirs}.1.fn.fn.w1": f"{mine}.mlp.up",
            f"{theirs}.1.fn.fn.w2": f"{mine}.mlp.down",
        }
        for end, part in (("q", "queries"), ("k", "keys"), ("v", "values")):
            keys[f"{theirs}.0.fn.to_{end}.weight"] = f"{mine}.attention.{part}.weight"
    return keys | {f"{k}.{end}": f"{v}.{end}" for k, v in layers.items() for end in ("weight", "bias")}
