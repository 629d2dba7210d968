"""Published CBraMod state dicts to our model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from neurokit_fm.errors import ConfigError
from nkfm_cbramod.config import CONTRACT, CbramodConfig
from nkfm_cbramod.model import Cbramod


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Cbramod:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        Arguments of braindecode's `CBraMod`; missing ones take its defaults, those of input and classifier do not count.
    state : mapping of str to Tensor
        A classifier (``final_layer.*``) is left out: it fits one number of channels and patches. Give the model one of
        your own with `attach_head`.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the configuration asks for another activation than GELU.
    """
    if "GELU" not in str(config.get("activation", "GELU")):
        raise ConfigError(f"activation must be GELU; got {config['activation']!r}")
    stem = config.get("channels_kernel_stride_padding_norm")
    layers = CbramodConfig.stem if stem is None else tuple((*sizes, norm[0]) for *sizes, norm in stem)
    sizes = CbramodConfig(
        depth=config.get("n_layer", 12),
        heads=config.get("nhead", 8),
        hidden=config.get("dim_feedforward", 800),
        out_width=config.get("emb_dim", 200),
        patch_s=config.get("patch_size", 200) / CONTRACT.sfreq,
        stem=layers,
    )
    with torch.device("meta"):
        model = Cbramod(sizes, CONTRACT)
    state = {key: value for key, value in state.items() if not key.startswith("final_layer.")}
    load_state(model, state, _keys(sizes), what="the published cbramod")
    return model.eval()


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    stem = ((4, 49, 25, 24, (2, 4)), (4, 3, 1, 1, (2, 4)))
    config = {"n_layer": 2, "nhead": 4, "dim_feedforward": 40, "channels_kernel_stride_padding_norm": stem}
    rng = torch.Generator().manual_seed(0)
    sizes = CbramodConfig(depth=2, heads=4, hidden=40, stem=tuple((*layer[:4], layer[4][0]) for layer in stem))
    with torch.device("meta"):
        shapes = Cbramod(sizes, CONTRACT).state_dict()
    return config, {
        key: 0.02 * torch.randn(shapes[mine].shape, generator=rng, device="cpu") for key, mine in _keys(sizes).items()
    }


def _keys(sizes: CbramodConfig) -> dict[str, str]:
    """Published key to ours."""
    keys = {"patch_embedding.mask_encoding": "hidden_patch"}
    layers = {
        "patch_embedding.positional_encoding.0": "places",
        "patch_embedding.spectral_proj.0": "spectrum",
        "proj_out.0": "out",
    }
    for i in range(len(sizes.stem)):
        layers |= {
            f"patch_embedding.proj_in.{3 * i + j}": f"tokenizer.{kind}.{i}" for j, kind in enumerate(("convs", "norms"))
        }
    for i in range(sizes.depth):
        theirs, mine = f"encoder.layers.{i}", f"blocks.{i}"
        layers |= {f"{theirs}.norm1": f"{mine}.attention_norm", f"{theirs}.norm2": f"{mine}.mlp_norm"}
        layers |= {f"{theirs}.linear1": f"{mine}.mlp.up", f"{theirs}.linear2": f"{mine}.mlp.down"}
        for their_axis, axis in (("self_attn_s", "across_channels"), ("self_attn_t", "across_time")):
            layers[f"{theirs}.{their_axis}.out_proj"] = f"{mine}.{axis}.out"
            keys |= {f"{theirs}.{their_axis}.in_proj_{end}": f"{mine}.{axis}.qkv.{end}" for end in ("weight", "bias")}
    return keys | {f"{k}.{end}": f"{v}.{end}" for k, v in layers.items() for end in ("weight", "bias")}
