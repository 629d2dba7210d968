"""Published BrainOmni configurations and state dicts to our models, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from neurokit_fm import Model, tokenizers
from neurokit_fm.checkpoints import load_state
from neurokit_fm.config import write_config
from neurokit_fm.errors import ConfigError, WeightsError
from nkfm_brainomni.blocks import TABLE
from nkfm_brainomni.config import CONTRACT, BrainOmniConfig
from nkfm_brainomni.model import BrainOmni

TOKENIZER = "braintokenizer"

_BLOCK = {
    "pre_attn_norm.weight": "attention_norm.weight",
    "pre_ff_norm.weight": "mlp_norm.weight",
    **{f"{a}_attn.{part}": f"{b}.{part}" for a, b in (("time", "time"), ("spatial", "space"))
       for part in ("qkv.weight", "qkv.bias", "proj.weight", "proj.bias")},
    **{f"ff.layer.{n}.{end}": f"{mine}.{end}" for n, mine in ((0, "up"), (2, "down")) for end in ("weight", "bias")},
}  # fmt: skip
_ROPE = "time_attn.rope_embedding_layer."


def from_reference(
    config: Mapping[str, Any], state: Mapping[str, Tensor], *, rope: Literal["exact", "released"] | None = None
) -> Model:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        ``model_cfg.json``. Settings left out take the released values, unknown ones are ignored.
    state : mapping of str to Tensor
        Of the whole model, tokenizer included; ``class_head.*`` of a fine-tuned one too.
    rope : {"exact", "released"}, optional
        See `BrainOmniConfig`. Default: ``config["rope"]`` where there is one; else "released" for a table of real numbers,
        as published, and "exact" for complex numbers or none.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the model predicts fewer levels of codes than it has.
    """
    used = config.get("num_quantizers_used", config.get("num_quantizers", 4))
    if used != config.get("num_quantizers", 4):
        raise ConfigError(f"num_quantizers_used must be num_quantizers={config.get('num_quantizers', 4)}; got {used}")
    table = state.get(f"blocks.0.{_ROPE}rotate")
    guess: Any = "exact" if table is None or table.is_complex() else "released"
    head = state.get("class_head.3.weight")
    own = replace(
        _config(config),
        rope=rope or config.get("rope") or guess,
        pretraining="predict_head.weight" in state or config.get("pretraining", True),
        classes=0 if head is None else len(head),
    )
    with torch.device("meta"):
        model = BrainOmni(own, CONTRACT)
    load_state(model, _with_rope(state, own), _keys(model), what="the published brainomni")
    return model.eval()


def from_braindecode(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Model:
    """Build a model from braindecode's configuration and state dict: features only.

    Its names differ, it has no mask token and no head that predicts codes, and its untrained ``final_layer`` is left out,
    as is its default montage.
    """
    cls = tokenizers.load(TOKENIZER)
    kept: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith("tokenizer."):
            name = cls.published_name(key.removeprefix("tokenizer."))
            kept |= {} if name is None else {f"tokenizer.{name}": value}
        elif not key.startswith("final_layer.") and key not in ("pos", "sensor_type"):
            kept[key.replace(".ff.0.", ".ff.layer.0.").replace(".ff.3.", ".ff.layer.2.")] = value
    for key in [key for key in kept if key.endswith("rotate") and kept[key].ndim == 3]:
        kept[key] = kept[key][..., 0]  # cosines; the sines beside them are 0
    return from_reference({"pretraining": False, **config}, kept)


def from_tokenizer(trained: Model, config: BrainOmniConfig, *, seed: int = 0) -> BrainOmni:
    """Put a fresh BrainOmni on a tokenizer that was pretrained: where its own pretraining starts.

    Parameters
    ----------
    trained : Model
        Of the registry name ``braintokenizer``.
    config : BrainOmniConfig
        The settings of its tokenizer are replaced by those of `trained`, but for ``overlap``.
    seed : int
        Of the new weights.
    """
    name = config.tokenizer["name"]
    if trained.name != name:
        raise ConfigError(f"expected a model called {name!r} to take the tokenizer from; got {trained.name!r}")
    overlap = config.tokenizer.get("overlap", 0.25)
    config = replace(config, tokenizer={"name": name, **write_config(trained.config), "overlap": overlap})
    contract: Any = trained.contract
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BrainOmni(config, contract)
    source: Any = trained
    model.tokenizer.load_state_dict(source.tokenizer.state_dict())
    return model


def to_reference(model: BrainOmni) -> dict[str, Tensor]:
    """Return the state dict under the published keys; an exact model has no table of rotations to return."""
    own = model.state_dict()
    return {published: own[mine] for published, mine in _keys(model).items()}


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {
        "window_length": 64, "n_filters": 2, "ratios": [4, 2], "n_dim": 16, "n_neuro": 3, "n_head": 2, "codebook_dim": 16,
        "codebook_size": 12, "num_quantizers": 2, "lm_dim": 32, "lm_head": 4, "lm_depth": 2, "num_quantizers_used": 2,
    }  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = to_reference(BrainOmni(replace(_config(config), rope="released"), CONTRACT))
    return config, {key: 0.1 * torch.randn(value.shape, generator=rng, device="cpu") for key, value in shapes.items()}


def _config(config: Mapping[str, Any]) -> BrainOmniConfig:
    cls = tokenizers.load(TOKENIZER)
    settings = write_config(cls.published_config({"overlap_ratio": 0.25, **config}))
    return BrainOmniConfig(
        tokenizer={"name": TOKENIZER, **settings},
        width=config.get("lm_dim", 256),
        depth=config.get("lm_depth", 12),
        heads=config.get("lm_head", 8),
        dropout=config.get("lm_dropout", 0.1),
        mask_ratio=config.get("mask_ratio", 0.5),
    )


def _keys(model: BrainOmni) -> dict[str, str]:
    """Published key to ours."""
    keys = {f"tokenizer.{theirs}": f"tokenizer.{mine}" for theirs, mine in model.tokenizer.published_keys().items()}
    for i in range(model.config.depth):
        keys |= {f"blocks.{i}.{theirs}": f"blocks.{i}.{mine}" for theirs, mine in _BLOCK.items()}
        if model.config.rope == "released":
            keys |= {f"blocks.{i}.{_ROPE}{name}": f"blocks.{i}.time.rope.{name}" for name in ("freqs", "rotate")}
    own = set(keys.values())
    return keys | {key: key for key in model.state_dict() if key not in own}


def _with_rope(state: Mapping[str, Tensor], config: BrainOmniConfig) -> dict[str, Tensor]:
    """Make the tables of rotations what the mode wants: none, or the first 240 rows of real parts."""
    rows = config.width // 4
    out = dict(state)
    for i in range(config.depth):
        freqs, table = (out.pop(f"blocks.{i}.{_ROPE}{name}", None) for name in ("freqs", "rotate"))
        if config.rope == "exact":
            continue
        if freqs is None or table is None or freqs.shape != (rows,) or table.shape[1:] != (rows,):
            raise WeightsError(
                f"rope='released' needs blocks.{i}.{_ROPE}freqs ({rows},) and .rotate (n, {rows}); found "
                f"{None if freqs is None else tuple(freqs.shape)} and {None if table is None else tuple(table.shape)}"
            )
        table = table.real if table.is_complex() else table
        lacking = torch.arange(min(len(table), TABLE), TABLE, dtype=torch.float32)
        table = torch.cat([table[:TABLE].float(), torch.outer(lacking, freqs.float()).cos()])
        out |= {f"blocks.{i}.{_ROPE}freqs": freqs.float(), f"blocks.{i}.{_ROPE}rotate": table}
    return out
