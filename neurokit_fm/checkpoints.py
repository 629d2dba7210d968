"""Weights: loading a state dict strictly, saying what was loaded, and describing checkpoints that others published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neurokit_fm.contract import Contract
from neurokit_fm.errors import WeightsError


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    tensors, parameters : int
        How many were loaded; missing or superfluous ones are an error, so these are all.
    sha256 : str
        Of all tensors in order of key.
    fingerprint : float or None
        Largest relative deviation when the stored input was replayed; None where none was stored.
    """

    tensors: int
    parameters: int
    sha256: str
    fingerprint: float | None = None

    def __str__(self) -> str:
        replay = (
            "no fingerprint stored"
            if self.fingerprint is None
            else f"fingerprint replayed within {self.fingerprint:.1e}"
        )
        return f"{self.parameters:,} parameters in {self.tensors} tensors, none missing; sha256 {self.sha256[:12]}; {replay}"


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """A checkpoint that others published, with everything needed to load it safely.

    Attributes
    ----------
    repo, revision : str
        On the Hugging Face Hub; the revision is a commit, or ``"main"`` where none could be pinned yet.
    config_file, weights_file : str
        Names in the repository; safetensors only.
    sha256 : mapping of file to digest
        Checked where known.
    converter : str
        ``"module:function"``, from (published config, state dict) to Model.
    contract : Contract
        The input the weights were trained on; not part of the published files.
    licence, page : str
        Terms, and where to accept them.
    gated : bool
    paper : str
    parameters : int
    """

    repo: str
    converter: str
    contract: Contract
    licence: str
    page: str
    paper: str
    parameters: int
    revision: str = "main"
    config_file: str = "config.json"
    weights_file: str = "model.safetensors"
    gated: bool = False
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShippedWeights:
    """A checkpoint that comes with a plugin and needs no download.

    Attributes
    ----------
    folder : Path
        What `save_pretrained` wrote, inside the plugin's package. Tensors may be stored in half precision.
    licence, page : str
        Terms, and where it is described.
    paper : str
    parameters : int
    """

    folder: Path
    licence: str
    page: str
    paper: str
    parameters: int


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], keys: Mapping[str, str] | None = None, *, what: str
) -> LoadReport:
    """Put tensors into a module: every one has its place, every place gets one, every shape fits.

    Parameters
    ----------
    module : Module
        May be on the meta device; it takes the tensors over.
    state : mapping of str to Tensor
    keys : mapping of str to str, optional
        Key in `state` to key in the module, where they differ. Keys of `state` that are not here count as superfluous.
    what : str
        Name for messages.

    Raises
    ------
    WeightsError
        Listing every missing, superfluous and mis-shaped key, and tensors that hold NaN.
    """
    own = module.state_dict()
    names = dict(keys) if keys is not None else {key: key for key in own}
    problems = [f"missing: {key}" for key, mine in names.items() if key not in state]
    problems += [f"superfluous: {key}" for key in state if key not in names]
    for key, mine in names.items():
        if key in state and state[key].shape != own[mine].shape:
            problems.append(f"{key}: shape {tuple(state[key].shape)}, expected {tuple(own[mine].shape)}")
        elif key in state and not bool(torch.isfinite(state[key]).all()):
            problems.append(f"{key}: holds values that are not finite")
    if problems:
        shown = "\n".join(f"  - {p}" for p in problems[:20])
        more = f"\n  ... and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise WeightsError(f"these weights do not fit {what}:\n{shown}{more}")
    tensors = {mine: state[key].detach() for key, mine in names.items()}
    dtypes = {key: own[key].dtype for key in own}
    module.load_state_dict({k: v.to(dtypes[k]).clone() for k, v in tensors.items()}, strict=True, assign=True)
    return LoadReport(tensors=len(tensors), parameters=sum(t.numel() for t in tensors.values()), sha256=digest(tensors))


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Sha256 over keys, shapes, types and bytes, in order of key."""
    total = hashlib.sha256()
    for key in sorted(tensors):
        t = tensors[key].detach().cpu().contiguous()
        total.update(f"{key} {tuple(t.shape)} {t.dtype}".encode())
        total.update(
            t.view(torch.uint8).numpy().tobytes() if t.ndim else t.reshape(1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()


def frozen(values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Detached CPU copies of the tensors of a state dict, contiguous, one storage each."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in values.items()}
