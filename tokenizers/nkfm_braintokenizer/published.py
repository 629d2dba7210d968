"""Names and settings of the published BrainTokenizer, and ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from neurokit_fm.errors import ConfigError
from neurokit_fm.nn.quantize import Codebook, QuantizerConfig
from nkfm_braintokenizer.config import BrainTokenizerConfig
from nkfm_braintokenizer.seanet import NormedConv

_NAMES = (
    ("sensors.kind.", "sensor_embed.sensor_embedding_layer."),
    ("sensors.place.", "sensor_embed.pos_embedding_layer."),
    ("sensors.mlp.", "sensor_embed.aggregate_mlp.layer."),
    ("sensors.norm.", "sensor_embed.norm."),
    ("gather.queries", "encoder.neuros"),
    ("gather.key.", "encoder.k_proj."),
    ("gather.value.", "encoder.backwardsolution.v."),
    ("gather.out.", "encoder.backwardsolution.proj."),
    ("encoder.layers.", "encoder.seanet_encoder.model."),
    ("spread.kv.", "decoder.forwardsolution.kv."),
    ("spread.out.", "decoder.forwardsolution.proj."),
    ("decoder.layers.", "decoder.seanet_decoder.model."),
    ("quantizer.books.", "quantizer.rvq.layers."),
)
"""Beginnings of our names, and the published ones."""


def config_of(config: Mapping[str, Any]) -> BrainTokenizerConfig:
    """Read a published configuration.

    Raises
    ------
    ConfigError
        If the quantiser is of a kind that was never released.
    """
    if config.get("quantize_optimize_method", "ema") != "ema":
        raise ConfigError(
            f"only quantisers with running means were released; got {config['quantize_optimize_method']!r}"
        )
    width = config.get("n_dim", 256)
    return BrainTokenizerConfig(
        window=config.get("window_length", 512),
        overlap=config.get("overlap_ratio", 0.0),
        filters=config.get("n_filters", 32),
        ratios=tuple(config.get("ratios", (8, 4, 2))),
        kernel=config.get("kernel_size", 5),
        last_kernel=config.get("last_kernel_size", 5),
        width=width,
        latents=config.get("n_neuro", 16),
        heads=config.get("n_head", 4),
        codebook=QuantizerConfig(
            size=config.get("codebook_size", 512),
            width=config.get("codebook_dim", width),
            levels=config.get("num_quantizers", 4),
            gradient="rotation" if config.get("rotation_trick", True) else "straight-through",
        ),
    )


def published_keys(tokenizer: nn.Module) -> dict[str, str]:
    """Published key to ours, of a tokenizer of any size."""
    keys = {}
    for key in tokenizer.state_dict():
        owner, _, last = key.rpartition(".")
        published = next(theirs + key.removeprefix(mine) for mine, theirs in _NAMES if key.startswith(mine))
        published = published.replace(".first.", ".block.1.").replace(".second.", ".block.3.")
        module = tokenizer.get_submodule(owner)
        if isinstance(module, NormedConv):
            kind = "convtr" if module.transposed else "conv"
            published = f"{published.removesuffix(last)}{kind}.{kind}.{last}"
        elif isinstance(module, Codebook):
            published = f"{published.removesuffix(last)}_codebook.{last}"
        keys[published] = key
    return keys


MONTAGE = ("pos", "sensor_type")
"""Buffers of braindecode's own default montage; a stream brings its own sensors."""


def published_name(key: str) -> str | None:
    """Return the published name of a tensor that braindecode renamed; None for one that is not part of the model."""
    if key in MONTAGE:
        return None
    key = re.sub(r"^final_layer\.", "decoder.", key)
    key = re.sub(r"^quantizer\.(?!rvq\.)", "quantizer.rvq.", key)
    key = re.sub(r"(aggregate_mlp)\.0\.", r"\1.layer.0.", key)
    key = re.sub(r"(aggregate_mlp)\.3\.", r"\1.layer.2.", key)
    key = re.sub(r"\.(convtr|conv)\.\1\.(weight_[gv]|bias)$", r".\1.\2", key)
    return re.sub(r"\.(convtr|conv)\.(weight_[gv]|bias)$", r".\1.\1.\2", key)
