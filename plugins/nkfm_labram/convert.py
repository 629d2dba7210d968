"""Published LaBraM state dicts to our model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from neurokit_fm.errors import ConfigError
from nkfm_labram.config import CONTRACT, LabramConfig
from nkfm_labram.model import Labram

FIXED = {
    "neural_tokenizer": True,
    "learned_patcher": False,
    "use_abs_pos_emb": True,
    "qk_scale": None,
    "conv_in_channels": 1,
}
"""Settings of braindecode's class that give another model, and the values of the published one."""


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Labram:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        Arguments of braindecode's `Labram`; missing ones take its defaults, those of the classifier and of dropout do
        not count.
    state : mapping of str to Tensor
        A classifier (``final_layer.*``) is left out; give the model one of your own with `attach_head`.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the configuration asks for something that the published model is not.
    """
    other = [f"{key}={config[key]!r}" for key, value in FIXED.items() if config.get(key, value) != value]
    other += [f"activation={config['activation']!r}"] if "GELU" not in str(config.get("activation", "GELU")) else []
    other += [
        f"{key}={config[key]!r}" for key in ("norm_layer", "qk_norm") if not _layer_norm(config.get(key, "LayerNorm"))
    ]
    if other:
        raise ConfigError(f"no LaBraM encoder has {', '.join(other)}")
    sizes = _sizes(config, state)
    with torch.device("meta"):
        model = Labram(sizes, CONTRACT)
    state = {key: value for key, value in state.items() if not key.startswith("final_layer.")}
    for i in range(sizes.depth if sizes.qkv_bias else 0):  # of q and v only
        q, v = (state.pop(f"blocks.{i}.attn.{end}_bias", None) for end in "qv")
        if q is not None and v is not None:
            state[f"blocks.{i}.attn.qkv.bias"] = torch.cat([q, torch.zeros_like(q), v])
    load_state(model, state, _keys(sizes), what="the published labram")
    return model.eval()


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {"n_times": 120, "patch_size": 40, "conv_out_channels": 4, "num_layers": 2, "num_heads": 2}
    rng = torch.Generator().manual_seed(0)
    sizes = _sizes(config, {})
    with torch.device("meta"):
        shapes = Labram(sizes, CONTRACT).state_dict()
    return config, {
        key: 0.02 * torch.randn(shapes[mine].shape, generator=rng, device="cpu") for key, mine in _keys(sizes).items()
    }


def _layer_norm(value: object) -> bool:
    return value is None or "LayerNorm" in str(value)


def _sizes(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> LabramConfig:
    length, features = config.get("patch_size", 200), config.get("conv_out_channels", 8)
    times = state.get("temporal_embedding")
    return LabramConfig(
        depth=config.get("num_layers", 12),
        heads=config.get("num_heads", 10),
        head_dim=config.get("attn_head_dim"),
        mlp_ratio=config.get("mlp_ratio", 4.0),
        qkv_bias=config.get("qkv_bias", False),
        qk_norm=config.get("qk_norm", "LayerNorm") is not None,
        layer_scale=bool(config.get("init_values", 0.1)),
        stem=((features, 15, 8, 7, 4), (features, 3, 1, 1, 4), (features, 3, 1, 1, 4)),
        patch_s=length / CONTRACT.sfreq,
        steps=(config.get("n_times") or 3000) // length + 1 if times is None else times.shape[1],
        pooling="mean" if config.get("use_mean_pooling", False) else "class",
    )


def _keys(sizes: LabramConfig) -> dict[str, str]:
    """Published key to ours."""
    keys = {"cls_token": "summary", "position_embedding": "places", "temporal_embedding": "times"}
    layers = {"fc_norm" if sizes.pooling == "mean" else "norm": "norm"}
    for i in range(3):
        layers |= {f"patch_embed.temporal_conv.{kind}{i + 1}": f"tokenizer.{kind}s.{i}" for kind in ("conv", "norm")}
    for i in range(sizes.depth):
        theirs, mine = f"blocks.{i}", f"transformer.blocks.{i}"
        layers |= {
            f"{theirs}.norm1": f"{mine}.attention_norm",
            f"{theirs}.norm2": f"{mine}.mlp_norm",
            f"{theirs}.attn.proj": f"{mine}.attention.out",
            f"{theirs}.mlp.0": f"{mine}.mlp.up",
            f"{theirs}.mlp.2": f"{mine}.mlp.down",
        }
        keys[f"{theirs}.attn.qkv.weight"] = f"{mine}.attention.qkv.weight"
        if sizes.qkv_bias:
            keys[f"{theirs}.attn.qkv.bias"] = f"{mine}.attention.qkv.bias"
        if sizes.qk_norm:
            layers |= {f"{theirs}.attn.{end}_norm": f"{mine}.attention.{end}_norm" for end in "qk"}
        if sizes.layer_scale:
            keys |= {
                f"{theirs}.gamma_1": f"{mine}.attention_after.weight",
                f"{theirs}.gamma_2": f"{mine}.mlp_after.weight",
            }
    return keys | {f"{k}.{end}": f"{v}.{end}" for k, v in layers.items() for end in ("weight", "bias")}
