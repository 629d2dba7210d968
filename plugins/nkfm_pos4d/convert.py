"""The positional part of published REVE checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from neurokit_fm.checkpoints import load_state
from nkfm_pos4d.config import Fourier4dConfig
from nkfm_pos4d.encoding import Fourier4d

KEYS = {
    "mlp4d.0.weight": "learned.weight",
    "mlp4d.2.weight": "learned_norm.weight",
    "mlp4d.2.bias": "learned_norm.bias",
    "ln.weight": "norm.weight",
    "ln.bias": "norm.bias",
}
"""Published key to ours."""


def from_reference(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Fourier4d:
    """Build the encoding from a published config (``embed_dim``, ``freqs``) and its five tensors.

    Coordinates are then (x, y, z) in metres and time in seconds at 0.9 s a patch.

    Raises
    ------
    WeightsError
        If a key is missing, superfluous or mis-shaped.
    """
    size, overlap = config.get("patch_size", 200), config.get("patch_overlap", 20)
    encoding = Fourier4d(
        Fourier4dConfig(freqs=config["freqs"], step_s=(size - overlap) / 200), width=config["embed_dim"]
    )
    load_state(encoding, state, KEYS, what="fourier-4d")
    return encoding
