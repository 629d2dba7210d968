"""Published REVE configurations and state dicts to our models, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurokit_fm import Model, models
from neurokit_fm.checkpoints import load_state
from neurokit_fm.config import read_config, write_config
from neurokit_fm.heads import HeadConfig
from nkfm_reve.config import CONTRACT, ReveConfig
from nkfm_reve.model import Reve

SFREQ = 200
"""Rate of the published models, Hz."""

POOLS: dict[str, Any] = {"no": "flat", "last": "attention", "all": "attention-layers", "last_avg": "mean"}
"""Published name of a classifier's pooling to ours."""


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Model:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        An encoder's ``config.json``; with ``encoder`` and ``decoder`` parts a masked autoencoder; with ``encoder``,
        ``pooling`` and ``n_classes`` a classifier. Missing settings take the published defaults, unknown ones are ignored.
    state : mapping of str to Tensor

    Returns
    -------
    Model
        ``reve`` (with a head for a classifier) or ``mae``.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    """
    if "decoder" in config:
        model, keys = _autoencoder(config)
    else:
        model, keys, state = _encoder(config, state)
    load_state(model, state, keys, what=f"the published {model.name}")
    return model.eval()


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {"embed_dim": 32, "depth": 2, "heads": 2, "head_dim": 16, "freqs": 3}
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = to_reference(Reve(_reve_config(config), CONTRACT))
    return config, {key: 0.02 * torch.randn(value.shape, generator=rng, device="cpu") for key, value in shapes.items()}


def to_reference(model: Reve) -> dict[str, Tensor]:
    """Return an encoder's state dict under the published keys; the head, if any, is left out."""
    own = model.state_dict()
    keys = _encoder_keys(model.config.depth, "") | {"cls_query_token": "pool.query"}
    return {published: own[mine] for published, mine in keys.items()}


def from_autoencoder(model: Any) -> Reve:
    """Take the encoder and the global token's query out of a pretrained `mae` model of REVE's kind."""
    config, part = model.config.encoder.transformer, model.config.encoder
    reve = Reve(
        ReveConfig(
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            head_dim=config.head_dim,
            mlp_ratio=config.mlp_ratio,
            geglu=config.geglu,
            freqs=part.encoding["freqs"],
            patch_s=part.tokenizer["length_s"],
            hop_s=part.tokenizer["hop_s"],
            pooling="attention" if model.config.global_weight else "mean",
        ),
        model.contract,
    )
    wanted = reve.state_dict()
    load_state(reve, {k: v for k, v in ({**wanted, **model.state_dict()}).items() if k in wanted}, what="reve")
    return reve


def _encoder(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> tuple[Model, dict[str, str], Mapping[str, Tensor]]:
    """Make an encoder or a classifier: the empty model, published key to ours, and the state dict to load."""
    sizes = _reve_config({**config, **config.get("encoder", {})})
    keys = _encoder_keys(sizes.depth, "encoder." if "encoder" in config else "") | {"cls_query_token": "pool.query"}
    with torch.device("meta"):
        model = Reve(sizes, CONTRACT)
        if "pooling" not in config:
            return model, keys, state
        pool = POOLS[config["pooling"]]
        first = 1 if pool == "flat" else 0
        names = {
            f"linear_head.{first}.weight": "norm.weight",
            f"linear_head.{first + 2}.weight": "linear.weight",
            f"linear_head.{first + 2}.bias": "linear.bias",
        }
        tokens = state[f"linear_head.{first}.weight"].numel() // sizes.width - 1 if pool == "flat" else 0
        head = model.attach_head(
            HeadConfig(width=sizes.width, n_outputs=config["n_classes"], pool=pool, n_tokens=tokens)
        )
    keys |= {published: f"head.{mine}" for published, mine in names.items()}
    if head.pool is not None and "cls_query_token" in state:  # one published query serves model and head
        keys |= {"cls_query_token (head)": "head.pool.query"}
        state = {**state, "cls_query_token (head)": state["cls_query_token"]}
    return model, keys, state


def _autoencoder(config: Mapping[str, Any]) -> tuple[Model, dict[str, str]]:
    cls = models.load("mae")
    sizes = _reve_config({**config, **config["encoder"]})
    decoder = {"embed_dim": 512, "depth": 4, **config["decoder"]}
    transformer = _reve_config(decoder).encoder.transformer
    weight = config.get("token_avg_lambda", 0.1) if config.get("token_avg", True) else 0.0
    values = {
        "encoder": write_config(sizes.encoder),
        "decoder": write_config(transformer),
        "mask": {"ratio": config.get("masking_ratio", 0.55)},
        "noise_m": config.get("noise_ratio", 0.0025),
        "global_weight": weight,
    }
    with torch.device("meta"):
        model = cls(read_config(cls.config_class, values), CONTRACT)
    keys = _encoder_keys(sizes.depth, "encoder.") | _block_keys(transformer.depth, "decoder.layers", "decoder.blocks")
    keys |= {"mask_token": "mask_token", "to_pixels.weight": "to_raw.weight", "to_pixels.bias": "to_raw.bias"}
    if sizes.width != transformer.width:
        for published, mine in (("enc_to_dec", "to_decoder"), ("pos_enc_to_dec", "position_to_decoder")):
            keys |= {f"{published}.{end}": f"{mine}.{end}" for end in ("weight", "bias")}
    if weight:
        keys |= {"cls_query_token": "pool.query"}
        keys |= {f"cls_to_pixels.{end}": f"global_to_raw.{end}" for end in ("0.weight", "2.weight", "2.bias")}
    return model, keys


def _reve_config(published: Mapping[str, Any]) -> ReveConfig:
    size, overlap = published.get("patch_size", 200), published.get("patch_overlap", 20)
    return ReveConfig(
        width=published.get("embed_dim", 512),
        depth=published.get("depth", 22),
        heads=published.get("heads", 8),
        head_dim=published.get("head_dim", 64),
        mlp_ratio=published.get("mlp_dim_ratio", 2.66),
        geglu=published.get("use_geglu", True),
        freqs=published.get("freqs", 4),
        patch_s=size / SFREQ,
        hop_s=(size - overlap) / SFREQ,
    )


def _encoder_keys(depth: int, prefix: str) -> dict[str, str]:
    """Published key to ours, for the encoder without its pooling query."""
    keys = {
        "to_patch_embedding.0.weight": "tokenizer.project.weight",
        "to_patch_embedding.0.bias": "tokenizer.project.bias",
        "mlp4d.0.weight": "encoding.learned.weight",
        "mlp4d.2.weight": "encoding.learned_norm.weight",
        "mlp4d.2.bias": "encoding.learned_norm.bias",
        "ln.weight": "encoding.norm.weight",
        "ln.bias": "encoding.norm.bias",
    } | _block_keys(depth, "transformer.layers", "transformer.blocks")
    return {f"{prefix}{published}": f"encoder.{mine}" for published, mine in keys.items()}


def _block_keys(depth: int, published: str, mine: str) -> dict[str, str]:
    parts = {
        "0.norm.weight": "attention_norm.weight",
        "0.to_qkv.weight": "attention.qkv.weight",
        "0.to_out.weight": "attention.out.weight",
        "1.net.0.weight": "mlp_norm.weight",
        "1.net.1.weight": "mlp.up.weight",
        "1.net.3.weight": "mlp.down.weight",
    }
    return {f"{published}.{i}.{theirs}": f"{mine}.{i}.{ours}" for i in range(depth) for theirs, ours in parts.items()}
