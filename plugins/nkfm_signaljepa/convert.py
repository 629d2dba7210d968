"""Published Signal-JEPA state dicts to our model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import load_state
from neurokit_fm.data.channels import name_key
from neurokit_fm.errors import ConfigError
from nkfm_signaljepa.config import CONTRACT, CONTRACT_PLACES, ELECTRODES, SignalJepaConfig
from nkfm_signaljepa.model import SignalJepa

TABLE = "pos_encoder.pos_encoder_spat.weight"


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> SignalJepa:
    """Build a model from a published configuration and state dict.

    Parameters
    ----------
    config : mapping
        Arguments of braindecode's `SignalJEPA`; missing ones take its defaults. ``channel_embedding`` and ``chs_info`` say
        which electrodes the rows of the published table are.
    state : mapping of str to Tensor
        Without a table of electrodes, their vectors are computed from positions, with the scale of the pretraining (the
        published code takes that of the montage at hand). What pretraining and a classifier add is left out
        (``transformer.decoder.*``, ``final_layer.*``).

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped, by name.
    ConfigError
        If the configuration asks for something that the published model is not, or does not name the rows of the table.
    """
    mode, activation = config.get("feature_encoder__mode", "default"), str(config.get("activation", "GELU"))
    if mode != "default" or "GELU" not in activation:
        raise ConfigError(
            f"no published Signal-JEPA encoder has feature_encoder__mode={mode!r}, activation={activation!r}"
        )
    sizes = _sizes(config, _electrodes(config) if TABLE in state else ())
    contract = replace(CONTRACT, known_names=sizes.electrodes) if sizes.electrodes else CONTRACT_PLACES
    with torch.device("meta"):
        model = SignalJepa(sizes, contract)
    state = {k: v for k, v in state.items() if not k.startswith(("transformer.decoder.", "final_layer."))}
    load_state(model, state, _keys(model), what="the published signal-jepa")
    return model.eval()


def example_reference() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a small published configuration and random tensors under its keys, for the conformance suite."""
    config = {
        "feature_encoder__conv_layers_spec": [[4, 32, 8], [16, 4, 4], [16, 4, 4]],
        "pos_encoder__spat_dim": 6,
        "pos_encoder__time_dim": 10,
        "transformer__num_encoder_layers": 1,
        "transformer__nhead": 4,
        "channel_embedding": "pretrain_aligned",
    }
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        model = SignalJepa(_sizes(config, ELECTRODES), CONTRACT)
    shapes = model.state_dict()
    return config, {
        key: 0.02 * torch.randn(shapes[mine].shape, generator=rng, device="cpu") for key, mine in _keys(model).items()
    }


def _electrodes(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the rows of the published table, upper case."""
    if config.get("channel_embedding", "scratch") == "pretrain_aligned":
        return ELECTRODES
    if not config.get("chs_info"):
        raise ConfigError("the configuration does not name the electrodes of its table; give chs_info")
    return tuple(name_key(channel["ch_name"]) for channel in config["chs_info"])


def _sizes(config: Mapping[str, Any], electrodes: tuple[str, ...]) -> SignalJepaConfig:
    convs = config.get("feature_encoder__conv_layers_spec", SignalJepaConfig.convs)
    return SignalJepaConfig(
        electrodes=electrodes,
        convs=tuple(tuple(layer) for layer in convs),
        conv_bias=config.get("feature_encoder__conv_bias", False),
        depth=config.get("transformer__num_encoder_layers", 8),
        heads=config.get("transformer__nhead", 8),
        place_width=config.get("pos_encoder__spat_dim", 30),
        time_width=config.get("pos_encoder__time_dim", 34),
        steps_per_s=config.get("pos_encoder__sfreq_features", 1.0),
    )


def _keys(model: SignalJepa) -> dict[str, str]:
    """Published key to ours."""
    keys = {f"feature_encoder.1.2.{end}": f"norm.{end}" for end in ("weight", "bias")}
    if model.electrodes is not None:
        keys[TABLE] = "electrodes.weight"
    for key in model.state_dict():
        part, _, rest = key.partition(".")
        if part == "convs":
            row, _, end = rest.partition(".")
            keys[f"feature_encoder.{int(row) + 1}.0.{end}"] = key
        elif part == "transformer":
            keys[f"transformer.encoder.{rest}"] = key
    return keys
